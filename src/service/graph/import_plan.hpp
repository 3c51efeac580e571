// The plan of an import: for every row of a document what becomes of it, value by value, with ids that do not exist yet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/graph/document_reader.hpp"
#include "core/graph/plan_report.hpp"
#include "service/graph/import_target.hpp"

namespace snapback::service {

struct CellAddress {
  std::uint32_t table = 0, row = 0, column = 0;  // ImportPlan::tables, ImportPlanTable::rows, TargetTable::columns
};

struct PlannedValue {
  enum class Kind : unsigned char {
    none,       // SQL NULL, or the column's default where no row has a value
    text,       // `text`, in the type's own form
    generated,  // a new id, drawn when the import is applied
    reference,  // whatever stands in `cell`
    composed,   // ImportPlan::compositions[cell.row]
    batch       // the id of the import
  };
  Kind kind = Kind::none;
  CellAddress cell;
  std::string text;
};

// A text with ids inside: pieces of it, each followed by what a cell holds.
struct Composition {
  struct Piece {
    std::string text;
    std::optional<CellAddress> cell;
  };
  std::vector<Piece> pieces;
};

enum class RowAction : unsigned char { create, reuse, skip };

struct ImportPlanRow {
  RowAction action = RowAction::create;
  std::vector<PlannedValue> values;  // by column of the target
};

struct ImportPlanTable {
  std::size_t target = 0;                        // Target::tables
  const graph::DocumentTable* document = nullptr;
  std::vector<std::optional<std::size_t>> source;  // by column of the target: column of the document
  std::vector<char> used;                        // by column of the target: the INSERT names it
  std::vector<char> drawn;                       // by column of the target: new rows get a new id there
  std::vector<ImportPlanRow> rows;                  // as in the document
  std::size_t created = 0, reused = 0, skipped = 0;
};

struct ImportRequest {
  std::string profile = "course";
  std::string document;  // JSON, UTF-8
  bool dry_run = true, rehearse = false;
  graph::Json mapping, context;  // objects, or null
  std::optional<std::string> expect_plan;
  std::string on_repeat = "copy";
};

struct ImportPlan {
  const ImportRequest* request = nullptr;
  Target target;
  graph::Document document;
  graph::PlanReport report;
  std::vector<ImportPlanTable> tables;          // in the document's order
  std::vector<Composition> compositions;
  std::vector<std::vector<std::size_t>> order;  // groups of ImportPlan::tables, each inserted by one statement
  graph::Json matches = graph::Json::array();
  std::size_t old_ids = 0, ids_left = 0;     // ids looked for in the new rows, and found
  std::vector<std::string> places_left;
  bool has_root = false;

  const TargetTable& target_of(const ImportPlanTable& table) const { return target.tables[table.target]; }
  ImportPlanTable* table_of_target(std::size_t index);
  // The key of a row where it came from, as externalId and `mapping` have it: parts joined by commas.
  std::string source_key(const ImportPlanTable& table, std::size_t row) const;
  // What a cell will hold, when that is known before the import is applied.
  std::optional<std::string> known_text(const PlannedValue& value) const;
  const PlannedValue& resolve(const PlannedValue& value) const;  // follows references to the value at their end
  std::string column_label(const ImportPlanTable& table, std::size_t column) const;  // for messages: "column \"title\""
  ImportPlan() = default;
  ImportPlan(ImportPlan&&) = default;
  ImportPlan& operator=(ImportPlan&&) = default;
};

// Rows by the text of some of their columns in the document.
class RowIndex {
 public:
  // Position of a row, none when no row has these values. Columns are those of the document.
  RowIndex(const graph::DocumentTable& table, const std::vector<std::size_t>& columns);
  std::optional<std::size_t> find(const std::string& key) const;
  std::vector<std::pair<std::size_t, std::size_t>> duplicates() const { return duplicates_; }  // row, earlier row
  static std::optional<std::string> key_of(const std::vector<graph::DocumentCell>& row, const std::vector<std::size_t>& columns);

 private:
  std::unordered_map<std::string, std::size_t> rows_;
  std::vector<std::pair<std::size_t, std::size_t>> duplicates_;
};

// The whole analysis. Reads the database as the current user, writes nothing, draws nothing from sequences. What stands against the import goes to the plan's report.
ImportPlan make_plan(const ImportRequest& request, Target target, graph::Document document, graph::PlanReport report);

// The steps of it.
void match_shared(ImportPlan& plan);                       // ref and bank rows: created or reused (import_match.cpp, import_bank.cpp)
void match_banks(ImportPlan& plan);
void fill_values(ImportPlan& plan);                        // every value of every new row (import_values.cpp)
void check_rights(ImportPlan& plan);                       // (import_check.cpp)
void check_values(ImportPlan& plan);
void check_unique(ImportPlan& plan);                       // (import_unique.cpp)
void check_ids_left(ImportPlan& plan);                     // (import_content.cpp)
void check_content(ImportPlan& plan);
void find_order(ImportPlan& plan);                         // (import_order.cpp)

// The value of a document's cell as the type's text form; none for SQL NULL.
std::optional<std::string> cell_text(const graph::DocumentCell& cell, const TargetColumn& column);

}  // namespace snapback::service
