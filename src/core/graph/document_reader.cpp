#include "core/graph/document_reader.hpp"

#include <set>

#include "core/backup_id.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"

namespace snapback::graph {

namespace {

using Kind = DocumentCell::Kind;

constexpr std::size_t head_limit = std::size_t{4} << 20;  // of text in one member that is no row

[[noreturn]] void no_document(const std::string& detail) {
  throw error(sqlstate::invalid_parameter_value, "the document is not an export of this extension", detail,
              "Pass the whole result of course_export() or graph_export(), unchanged.");
}

[[noreturn]] void too_large(const std::string& detail) {
  throw error(sqlstate::program_limit_exceeded, "the document is too large to be imported", detail, "Import what it holds in several smaller documents.");
}

void append_escaped(std::string& out, const std::string& text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// The events of the parser, turned into tables and rows as they come. Values inside a row that are no scalars, and heads, are collected as text.
class Builder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  Builder(Document& document, const DocumentLimits& limits, PlanReport& report, Interrupts& interrupts)
      : document_(document), limits_(limits), report_(report), interrupts_(interrupts) {}

  bool null() { return scalar(Kind::null, {}); }
  bool boolean(bool value) { return scalar(Kind::boolean, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) { return scalar(Kind::number, std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) { return scalar(Kind::number, std::to_string(value)); }
  bool number_float(number_float_t, const string_t& digits) { return scalar(Kind::number, digits); }
  bool string(string_t& value) { return scalar(Kind::text, std::move(value)); }
  bool binary(binary_t&) { return false; }  // GCOVR_EXCL_LINE text has none

  bool key(string_t& name) {
    if (!open_.empty()) {
      separate();
      append_escaped(collected_, name);
      collected_ += ':';
      after_key_ = true;
    } else {
      name_ = std::move(name);
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (open_.empty() && opens_level(true)) return true;
    return open('{');
  }

  bool start_array(std::size_t) {
    if (open_.empty() && opens_level(false)) return true;
    return open('[');
  }

  bool end_object() { return close('}'); }
  bool end_array() { return close(']'); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    throw error(sqlstate::invalid_text_representation, "the document is not valid JSON", "It ends or breaks off at byte " + std::to_string(position) + ".",
                "Export it again, or copy the whole file.");
  }

  void finish() const {
    if (!seen_.contains("format")) no_document("It has no member \"format\".");
    if (!seen_.contains("version")) no_document("It has no member \"version\".");
    if (!seen_.contains("tables")) no_document("It has no list \"tables\".");
  }

 private:
  enum class Level { outside, document, tables, table, rows, row };

  // True when the object or array that begins is part of the document's frame.
  bool opens_level(bool object) {
    switch (level_) {
      case Level::outside:
        if (!object) no_document("It is an array.");
        level_ = Level::document;
        return true;
      case Level::document:
        if (object || name_ != "tables") return false;
        once("tables");
        level_ = Level::tables;
        return true;
      case Level::tables:
        if (!object) no_document("An element of \"tables\" is not an object.");
        if (document_.tables.size() == limits_.tables) too_large("It has more than " + std::to_string(limits_.tables) + " tables.");
        document_.tables.emplace_back();
        document_.tables.back().position = document_.tables.size() - 1;
        names_.clear();
        level_ = Level::table;
        return true;
      case Level::table:
        if (object || name_ != "rows") return false;
        if (!table().rows.empty()) no_document("A table has the member \"rows\" twice.");
        level_ = Level::rows;
        return true;
      case Level::rows:
        if (!object) {
          flawed_row();
          return false;
        }
        if (++rows_ > limits_.rows) too_large("It has more than " + std::to_string(limits_.rows) + " rows.");
        if (rows_ % 1024 == 0) interrupts_.check();
        table().rows.emplace_back();
        table().rows.back().resize(table().columns.size());
        expected_ = 0;
        level_ = Level::row;
        return true;
      case Level::row: return false;
    }
    return false;  // GCOVR_EXCL_LINE every level is above
  }

  bool open(char bracket) {
    if (open_.size() >= limits_.depth) too_large("A value is nested more than " + std::to_string(limits_.depth) + " levels deep.");
    if (open_.empty()) {
      collected_.clear();
      first_ = true;
    }
    separate();
    open_ += bracket;
    collected_ += bracket;
    first_ = true;
    return true;
  }

  bool close(char bracket) {
    if (!open_.empty()) {
      open_.pop_back();
      collected_ += bracket;
      first_ = false;
      if (open_.empty()) deliver(Kind::structure, std::move(collected_));
      return true;
    }
    switch (level_) {
      case Level::row: level_ = Level::rows; break;
      case Level::rows: level_ = Level::table; break;
      case Level::table: end_table(); break;
      case Level::tables: level_ = Level::document; break;
      default: level_ = Level::outside; break;
    }
    return true;
  }

  void separate() {
    if (after_key_)
      after_key_ = false;
    else if (!first_)
      collected_ += ',';
    first_ = false;
  }

  bool scalar(Kind kind, std::string text) {
    if (open_.empty()) {
      deliver(kind, std::move(text));
      return true;
    }
    separate();
    if (kind == Kind::text)
      append_escaped(collected_, text);
    else
      collected_ += kind == Kind::null ? "null" : text;
    return true;
  }

  void deliver(Kind kind, std::string text) {
    switch (level_) {
      case Level::outside: no_document("It is not an object.");
      case Level::document: document_member(kind, text); break;
      case Level::tables: no_document("An element of \"tables\" is not an object.");
      case Level::table: table_member(kind, text); break;
      case Level::rows:
        if (kind != Kind::structure) flawed_row();
        break;
      case Level::row: cell(kind, std::move(text)); break;
    }
  }

  void flawed_row() {
    report_.error("row_not_object", table().name, "tables[" + std::to_string(table().position) + "].rows[" + std::to_string(table().rows.size()) + "]", "a row is not an object",
                  "Export the document again.");
  }

  void once(const std::string& name) {
    if (!seen_.insert(name).second) no_document("It has the member \"" + printable(name) + "\" twice.");
  }

  void document_member(Kind kind, const std::string& text) {
    if (name_ == "format") {
      once(name_);
      if (kind != Kind::text || text != "pg_snapback_graph") no_document("Its \"format\" is not \"pg_snapback_graph\".");
    } else if (name_ == "version") {
      once(name_);
      if (kind != Kind::number || text.find_first_not_of("0123456789") != std::string::npos || text.size() > 9 || text == "0") no_document("Its \"version\" is not a whole number from 1.");
      if (std::stoi(text) > document_version)
        throw error(sqlstate::feature_not_supported, "the document has version " + text + " of the format, which is newer than this extension knows",
                    "This extension reads up to version " + std::to_string(document_version) + ".", "Import it with the version of pg_snapback that exported it, or a later one.");
    } else if (name_ == "profile") {
      once(name_);
      if (kind != Kind::text) no_document("Its \"profile\" is not a text.");
      document_.profile = text;
    } else if (name_ == "root" || name_ == "source" || name_ == "report") {
      once(name_);
      if (kind != Kind::structure || text.front() != '{') no_document("Its \"" + name_ + "\" is not an object.");
      (name_ == "root" ? document_.root : name_ == "source" ? document_.source : document_.report) = head(text);
    } else if (name_ == "tables") {
      no_document("Its \"tables\" is not a list.");
    }
  }

  static Json head(const std::string& text) {
    if (text.size() > head_limit) too_large("A member beside the rows has more than 4 MiB.");
    return Json::parse(text);
  }

  [[noreturn]] void bad_head(const char* what) const { no_document("Element " + std::to_string(table().position) + " of \"tables\" has " + what + "."); }

  std::string text_of(const Json& object, const char* member, const char* what) const {
    if (!object.is_object()) bad_head(what);
    auto it = object.find(member);
    if (it == object.end() || !it->is_string()) bad_head(what);
    return it->get<std::string>();
  }

  std::vector<std::string> names_of(const Json& list, const char* what) const {
    if (!list.is_array()) bad_head(what);
    std::vector<std::string> names;
    for (auto& item : list) {
      if (!item.is_string()) bad_head(what);
      names.push_back(item.get<std::string>());
    }
    return names;
  }

  void table_member(Kind kind, const std::string& text) {
    const bool list = kind == Kind::structure && text.front() == '[';
    if (name_ == "name") {
      if (kind != Kind::text || text.empty()) bad_head("a \"name\" that is no text");
      if (!table().name.empty()) bad_head("two names");
      table().name = text;
    } else if (name_ == "class") {
      if (kind != Kind::text) bad_head("a \"class\" that is no text");
      table().table_class = text;
    } else if (name_ == "key") {
      if (!list) bad_head("a \"key\" that is no list");
      table().key = names_of(head(text), "a \"key\" that is no list of names");
    } else if (name_ == "columns") {
      if (!list) bad_head("\"columns\" that are no list");
      for (auto& item : head(text)) {
        std::size_t at = position_of(text_of(item, "name", "a column without a name"));
        if (auto type = item.find("type"); type != item.end() && type->is_string()) table().columns[at].type = type->get<std::string>();
      }
    } else if (name_ == "references") {
      if (!list) bad_head("\"references\" that are no list");
      for (auto& item : head(text)) {
        // the others are the profile's to know
        if (item.is_object() && item.contains("kind") && item["kind"] != "foreign_key") continue;
        DocumentReference reference{{}, {}, text_of(item, "table", "a reference without a table")};
        if (item.contains("columns")) reference.columns = names_of(item["columns"], "a reference whose columns are no list of names");
        if (item.contains("to")) reference.to = names_of(item["to"], "a reference whose columns are no list of names");
        if (reference.columns.empty() || reference.columns.size() != reference.to.size()) bad_head("a reference with as many columns here as there");
        table().references.push_back(std::move(reference));
      }
    } else if (name_ == "rows") {
      bad_head("\"rows\" that are no list");
    }
  }

  void end_table() {
    if (table().name.empty()) bad_head("no name");
    for (auto& other : document_.tables)
      if (&other != &table() && other.name == table().name) no_document("Table \"" + printable(table().name) + "\" stands in it twice.");
    level_ = Level::tables;
  }

  // Where a column's values go; unknown ones are appended.
  std::size_t position_of(const std::string& name) {
    auto [it, is_new] = names_.emplace(name, table().columns.size());
    if (is_new) {
      if (table().columns.size() == limits_.columns) too_large("Table \"" + printable(table().name) + "\" has more than " + std::to_string(limits_.columns) + " columns.");
      table().columns.push_back({name, {}});
    }
    return it->second;
  }

  void cell(Kind kind, std::string text) {
    auto& row = table().rows.back();
    // members mostly come in the order of the row before
    std::size_t at = expected_ < table().columns.size() && table().columns[expected_].name == name_ ? expected_ : position_of(name_);
    expected_ = at + 1;
    if (row.size() <= at) row.resize(at + 1);
    auto place = [&] { return table().place(table().rows.size() - 1, name_); };
    if (row[at].kind != Kind::absent)
      report_.error("duplicate_column", table().name, place(), "a row has the same column twice", "Export the document again.");
    else if (kind == Kind::text && text.find('\0') != std::string::npos)
      report_.error("invalid_text", table().name, place(), "a text holds the character \\u0000, which no column can hold", "Remove the character.");
    else
      row[at] = {kind, std::move(text)};
  }

  DocumentTable& table() { return document_.tables.back(); }
  const DocumentTable& table() const { return document_.tables.back(); }

  Document& document_;
  const DocumentLimits& limits_;
  PlanReport& report_;
  Interrupts& interrupts_;
  Level level_ = Level::outside;
  std::string name_;       // of the member that comes
  std::string open_;       // brackets open inside a collected value
  std::string collected_;  // its text
  bool first_ = true, after_key_ = false;
  std::unordered_map<std::string, std::size_t> names_;  // of the table's columns
  std::size_t expected_ = 0, rows_ = 0;
  std::set<std::string> seen_;
};

void hash_text(Sha256& hash, const std::string& text) {
  std::string size = std::to_string(text.size()) + ":";
  hash.update(size.data(), size.size());
  hash.update(text.data(), text.size());
}

// Members of a row in any order, absent and null columns alike.
std::string content_digest(const Document& document) {
  Sha256 hash;
  hash_text(hash, document.profile);
  hash_text(hash, nlohmann::json(document.root).dump());
  auto system = document.source.is_object() && document.source.contains("system") ? document.source["system"].dump() : std::string();
  hash_text(hash, system);
  std::map<std::string, const DocumentTable*> tables;
  for (auto& table : document.tables) tables.emplace(table.name, &table);
  for (auto& [name, table] : tables) {
    hash_text(hash, name);
    std::map<std::string, std::size_t> columns;
    for (std::size_t i = 0; i < table->columns.size(); ++i) columns.emplace(table->columns[i].name, i);
    for (auto& row : table->rows) {
      hash_text(hash, "row");
      for (auto& [column, at] : columns) {
        if (at >= row.size() || !row[at].has_value()) continue;
        hash_text(hash, column);
        // a value inside jsonb may come back with its members in another order
        hash_text(hash, row[at].kind == Kind::structure ? nlohmann::json::parse(row[at].text).dump() : row[at].text);
      }
    }
  }
  return to_hex(hash.finish());
}

}  // namespace

std::optional<std::size_t> DocumentTable::column(const std::string& column_name) const {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == column_name) return i;
  return std::nullopt;
}

std::string DocumentTable::place(std::size_t row) const { return "tables[" + std::to_string(position) + "].rows[" + std::to_string(row) + "]"; }

std::string DocumentTable::place(std::size_t row, const std::string& column_name) const { return place(row) + "." + printable(column_name); }

const DocumentTable* Document::table(const std::string& name) const {
  for (auto& table : tables)
    if (table.name == name) return &table;
  return nullptr;
}

std::size_t Document::row_count() const {
  std::size_t count = 0;
  for (auto& table : tables) count += table.rows.size();
  return count;
}

Document read_document(std::string_view text, const DocumentLimits& limits, PlanReport& report, Interrupts& interrupts) {
  if (text.size() > limits.bytes) too_large("It has " + std::to_string(text.size()) + " bytes; " + std::to_string(limits.bytes) + " are read at most.");
  Document document;
  Builder builder(document, limits, report, interrupts);
  Json::sax_parse(text.begin(), text.end(), &builder);
  builder.finish();
  document.digest = content_digest(document);
  return document;
}

}  // namespace snapback::graph
