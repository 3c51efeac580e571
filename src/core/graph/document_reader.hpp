// Reads a document that somebody hands in for import: untrusted JSON becomes rows per table, within limits, and every flaw gets its place.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/graph/plan_report.hpp"
#include "core/interrupts.hpp"

namespace snapback::graph {

using Json = nlohmann::ordered_json;

// One value of a row. `text` is the string itself, the digits of a number as they stand in the document, "true" or "false", or the JSON text of an array or object.
struct DocumentCell {
  enum class Kind : unsigned char { absent, null, text, number, boolean, structure };
  Kind kind = Kind::absent;
  std::string text;

  bool has_value() const { return kind != Kind::absent && kind != Kind::null; }
  bool operator==(const DocumentCell&) const = default;
};

struct DocumentColumn {
  std::string name, type;
};

struct DocumentReference {
  std::vector<std::string> columns, to;
  std::string table;
};

struct DocumentTable {
  std::string name, table_class;
  std::size_t position = 0;  // in the document's list of tables
  std::vector<std::string> key;
  std::vector<DocumentColumn> columns;  // as the head lists them; columns that only rows have are added behind, with an empty type
  std::vector<DocumentReference> references;
  std::vector<std::vector<DocumentCell>> rows;  // by position in `columns`; a row may be shorter, what it lacks is absent

  std::optional<std::size_t> column(const std::string& column_name) const;
  std::string place(std::size_t row) const;                                 // tables[2].rows[17]
  std::string place(std::size_t row, const std::string& column_name) const;  // tables[2].rows[17].title
};

struct Document {
  std::string profile;
  Json root, source, report;  // objects, or null when the document has none
  std::vector<DocumentTable> tables;
  std::string digest;  // SHA-256 of the content as hex digits: the same whatever spaces, escapes or order of members the text has

  const DocumentTable* table(const std::string& name) const;
  std::size_t row_count() const;
};

struct DocumentLimits {
  std::size_t bytes = std::size_t{256} << 20;
  std::size_t rows = 2'000'000;
  std::size_t tables = 1'000;
  std::size_t columns = 1'600;  // of one table
  std::size_t depth = 200;      // of arrays and objects inside a value
};

constexpr int document_version = 1;

// Raises 22P02 for what is no JSON, 22023 for JSON that is no document of this format (or has a table twice), 0A000 for a newer version and 54000 beyond the limits. Flaws of single
// tables and rows go to `report`, and the part they stand in is left out.
Document read_document(std::string_view text, const DocumentLimits& limits, PlanReport& report, Interrupts& interrupts);

}  // namespace snapback::graph
