// Carrying out a plan: ids, statements, and the proof that what was meant stands in the tables.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"
#include "service/graph/import_plan.hpp"

namespace snapback::service {

// One row that an import made, or found and used.
struct ImportedRow {
  std::string source_key;
  std::vector<pg::Cell> key;  // by ImportedTable::key
  std::string fingerprint;    // of the row as it stands in the table; empty for rows that were used
  bool created = true;
};

struct ImportedTable {
  const TargetTable* target = nullptr;
  std::vector<std::size_t> key;  // columns by which rows are found again
  std::vector<ImportedRow> rows;
};

struct Imported {
  std::string batch;  // uuid
  std::vector<ImportedTable> tables;  // in the order in which they were inserted
  std::size_t groups = 0;
  pg::Row root_key;
  std::size_t rows_found = 0, rows_written = 0, values_changed = 0;
  bool hidden = false;  // some table's rows could not be read back
};

// Inserts every row of the plan, as the current user; as the tables' owner when the user is a superuser and the owner none. Reads them back and raises 09000 when a trigger kept one
// from being stored; values that a trigger changed become warnings of the report.
Imported apply_plan(ImportPlan& plan);

// SQL for the fingerprint of a row `t` over the columns named.
std::string fingerprint_expression(const std::vector<std::string>& columns);

}  // namespace snapback::service
