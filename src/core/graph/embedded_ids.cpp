#include "core/graph/embedded_ids.hpp"

#include <nlohmann/json.hpp>

namespace snapback::graph {

namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Walks a JSON text that is known to be valid. A scalar is handed out with the place it stands at: the path steps that are still open.
class Walker {
 public:
  using Matches = std::vector<std::size_t>;  // positions in the path, of which the next step is to match

  Walker(std::string_view text, const std::vector<PathStep>& path, const std::function<void(const EmbeddedId&, const std::string&)>& found, bool everything)
      : text_(text), path_(path), found_(found), everything_(everything) {}

  bool walk() {
    value(closure({0}), "");
    skip();
    return !broken_ && at_ == text_.size();
  }

 private:
  // ** matches nothing as well
  Matches closure(Matches matches) const {
    for (std::size_t i = 0; i < matches.size(); ++i)
      if (matches[i] < path_.size() && path_[matches[i]].kind == PathStep::Kind::any_depth) add(matches, matches[i] + 1);
    return matches;
  }

  static void add(Matches& matches, std::size_t position) {
    for (std::size_t known : matches)
      if (known == position) return;
    matches.push_back(position);
  }

  Matches step(const Matches& matches, const std::string* member) const {
    Matches next;
    for (std::size_t position : matches) {
      if (position >= path_.size()) continue;
      const PathStep& wanted = path_[position];
      if (wanted.kind == PathStep::Kind::any_depth)
        add(next, position);
      else if (member == nullptr ? wanted.kind == PathStep::Kind::elements : wanted.kind == PathStep::Kind::member && wanted.name == *member)
        add(next, position + 1);
    }
    return closure(std::move(next));
  }

  void skip() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // The string that begins here, decoded; `begin` and `end` are its inside.
  std::string string(std::size_t& begin, std::size_t& end) {
    begin = ++at_;
    bool escaped = false;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        escaped = true;
        ++at_;
      }
      ++at_;
    }
    if (at_ >= text_.size()) {
      broken_ = true;
      end = begin;
      return {};
    }
    end = at_++;
    std::string raw(text_.substr(begin, end - begin));
    if (!escaped) return raw;
    auto decoded = nlohmann::json::parse('"' + raw + '"', nullptr, false);
    if (decoded.is_string()) return decoded.get<std::string>();
    broken_ = true;
    return {};
  }

  void value(const Matches& matches, const std::string& member) {
    skip();
    if (broken_ || at_ >= text_.size() || ++depth_ > 1000) {
      broken_ = true;
      return;
    }
    switch (text_[at_]) {
      case '{': object(matches); break;
      case '[': array(matches, member); break;
      case '"': {
        EmbeddedId id;
        std::size_t end = 0;
        id.id = string(id.offset, end);
        id.size = end - id.offset;
        id.quoted = true;
        report(matches, id, member);
        break;
      }
      default: {
        EmbeddedId id;
        id.offset = at_;
        while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != ']' && text_[at_] != '}') ++at_;
        id.size = at_ - id.offset;
        id.id = std::string(text_.substr(id.offset, id.size));
        if (id.id.empty())
          broken_ = true;
        else if (id.id.find_first_not_of("-0123456789") == std::string::npos)
          report(matches, id, member);
      }
    }
    --depth_;
  }

  void report(const Matches& matches, const EmbeddedId& id, const std::string& member) {
    if (broken_) return;
    bool here = everything_;
    for (std::size_t position : matches) here = here || position == path_.size();
    if (here) found_(id, member);
  }

  void object(const Matches& matches) {
    ++at_;
    if (take('}')) return;
    do {
      skip();
      if (at_ >= text_.size() || text_[at_] != '"') {
        broken_ = true;
        return;
      }
      std::size_t begin = 0, end = 0;
      std::string name = string(begin, end);
      if (!take(':')) {
        broken_ = true;
        return;
      }
      value(step(matches, &name), name);
    } while (!broken_ && take(','));
    if (!take('}')) broken_ = true;
  }

  void array(const Matches& matches, const std::string& member) {
    ++at_;
    if (take(']')) return;
    do value(step(matches, nullptr), member);
    while (!broken_ && take(','));
    if (!take(']')) broken_ = true;
  }

  std::string_view text_;
  const std::vector<PathStep>& path_;
  const std::function<void(const EmbeddedId&, const std::string&)>& found_;
  bool everything_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool broken_ = false;
};

void append_element(const nlohmann::ordered_json& element, std::string& out) {
  if (element.is_null()) {
    out += "NULL";
    return;
  }
  if (element.is_array()) {
    out += '{';
    bool first = true;
    for (auto& inner : element) {
      if (!first) out += ',';
      first = false;
      append_element(inner, out);
    }
    out += '}';
    return;
  }
  out += '"';
  for (char c : element.is_string() ? element.get<std::string>() : element.dump()) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

std::vector<EmbeddedId> ids_in_json(std::string_view json, const std::vector<PathStep>& path) {
  std::vector<EmbeddedId> ids;
  std::function<void(const EmbeddedId&, const std::string&)> found = [&](const EmbeddedId& id, const std::string&) { ids.push_back(id); };
  if (!Walker(json, path, found, false).walk()) ids.clear();
  return ids;
}

std::vector<EmbeddedId> ids_in_text(std::string_view text, const std::string& before, const std::string& after) {
  std::vector<EmbeddedId> ids;
  std::size_t at = 0;
  while (at <= text.size()) {
    std::size_t begin = text.find(before, at);
    if (begin == std::string_view::npos) break;
    begin += before.size();
    std::size_t end = begin;
    while (end < text.size() && is_word(text[end])) ++end;
    // without words around, a run begins where no word goes on
    const bool whole = !before.empty() || begin == 0 || !is_word(text[begin - 1]);
    if (end > begin && whole && text.substr(end).starts_with(after)) ids.push_back({begin, end - begin, std::string(text.substr(begin, end - begin)), false});
    at = end > begin ? end : begin + (before.empty() ? 1 : 0);
  }
  return ids;
}

void long_words(std::string_view text, const std::function<void(std::string_view)>& found) {
  constexpr std::size_t shortest = 16;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end - at >= shortest) found(text.substr(at, end - at));
    at = end + 1;
  }
}

bool names_an_id(std::string_view name) {
  if (name == "id" || name == "ids") return true;
  for (std::string_view end : {"_id", "_ids", "Id", "Ids", "ID", "IDs"})
    if (name.size() > end.size() && name.ends_with(end)) return true;
  return false;
}

void named_ids_in_json(std::string_view json, const std::function<void(std::string_view, std::string_view)>& found) {
  const std::vector<PathStep> nowhere;
  std::function<void(const EmbeddedId&, const std::string&)> each = [&](const EmbeddedId& id, const std::string& member) {
    if (names_an_id(member)) found(member, id.id);
  };
  (void)Walker(json, nowhere, each, true).walk();
}

bool array_text(std::string_view json, std::string& out) {
  auto parsed = nlohmann::ordered_json::parse(json, nullptr, false);
  if (!parsed.is_array()) return false;
  out.clear();
  append_element(parsed, out);
  return true;
}

}  // namespace snapback::graph
