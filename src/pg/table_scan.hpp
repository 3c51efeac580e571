// Reads a relation's rows, as lines of JSON, into a sink.
#pragma once

#include <string>
#include <vector>

#include "core/format/row_sink.hpp"
#include "pg/pg.hpp"
#include "pg/progress.hpp"

namespace snapback::pg {

struct ScanTarget {
  Oid relation = InvalidOid;  // locked by the caller
  std::string schema, name;   // for the executor's query and for messages
  std::vector<AttrNumber> columns;  // in the order of the line
  std::vector<AttrNumber> key;      // may be empty
  bool by_executor = false;         // views and foreign tables; run as `owner` with restricted rights
  Oid owner = InvalidOid;
};

// Reads under the active snapshot; TextForms must be in force. Ordinary tables are scanned as COPY does, without planner or index locks. Cancellable at every row.
// Raises PostgreSQL errors and what the sink throws. Adds rows and bytes to `progress`.
void scan_table(const ScanTarget& target, RowSink& sink, Progress& progress);

}  // namespace snapback::pg
