// Names of profiles: words for the enumerations, logical names of columns, JSON paths.
#include <array>

#include "core/graph/profile.hpp"

namespace snapback::graph {

const char* class_name(TableClass table_class) {
  constexpr std::array names{"root", "own", "link", "ref", "bank", "context", "exclude"};
  return names[static_cast<std::size_t>(table_class)];
}

const char* policy_name(MissingPolicy policy) {
  constexpr std::array names{"automatic", "error", "null", "create", "skip_row"};
  return names[static_cast<std::size_t>(policy)];
}

const char* policy_name(UniquePolicy policy) {
  constexpr std::array names{"suffix", "regenerate", "null", "error"};
  return names[static_cast<std::size_t>(policy)];
}

const char* generator_name(IdGenerator generator) {
  constexpr std::array names{"automatic", "sequence", "default", "uuid", "cuid", "expression"};
  return names[static_cast<std::size_t>(generator)];
}

const char* kind_name(ReferenceKind kind) {
  constexpr std::array names{"foreign_key", "polymorphic", "array", "json", "text"};
  return names[static_cast<std::size_t>(kind)];
}

namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_name_char(char c) { return is_upper(c) || is_lower_or_digit(c) || c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80; }

}  // namespace

std::string to_snake_case(std::string_view name) {
  std::string snake;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!is_upper(c)) {
      snake += c;
      continue;
    }
    const char before = i > 0 ? name[i - 1] : '\0';
    const char after = i + 1 < name.size() ? name[i + 1] : '\0';
    // a word begins after a small letter, and at the last capital of a run of them: userID, HTMLText
    const bool begins = is_lower_or_digit(before) || (is_upper(before) && is_lower_or_digit(after));
    if (begins) snake += '_';
    snake += static_cast<char>(c - 'A' + 'a');
  }
  return snake;
}

std::optional<std::vector<PathStep>> parse_path(std::string_view text) {
  if (text.empty() || text.front() != '$') return std::nullopt;
  std::vector<PathStep> steps;
  std::size_t at = 1;
  while (at < text.size()) {
    if (text.substr(at).starts_with("[*]")) {
      steps.push_back({PathStep::Kind::elements, ""});
      at += 3;
      continue;
    }
    if (text[at++] != '.' || at == text.size()) return std::nullopt;
    if (text.substr(at).starts_with("**")) {
      steps.push_back({PathStep::Kind::any_depth, ""});
      at += 2;
      continue;
    }
    std::string name;
    if (text[at] == '"') {
      const std::size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos) return std::nullopt;
      name = text.substr(at + 1, end - at - 1);
      at = end + 1;
    } else {
      while (at < text.size() && is_name_char(text[at])) name += text[at++];
    }
    if (name.empty()) return std::nullopt;
    steps.push_back({PathStep::Kind::member, std::move(name)});
  }
  // ids stand somewhere below a depth, not at every depth
  if (!steps.empty() && steps.back().kind == PathStep::Kind::any_depth) return std::nullopt;
  return steps;
}

std::string TableProfile::logical_column(std::string_view physical) const {
  for (const auto& [logical, candidates] : columns)
    for (const auto& candidate : candidates)
      if (candidate == physical) return logical;
  return to_snake_case(physical);
}

const TableProfile* Profile::table(std::string_view logical_name) const {
  for (const auto& candidate : tables)
    if (candidate.name == logical_name) return &candidate;
  return nullptr;
}

}  // namespace snapback::graph
