// The JSON line of a row to Datums.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/format/row_parser.hpp"
#include "pg/pg.hpp"

namespace snapback::pg {

using Json = nlohmann::ordered_json;

// Where one column of the backup goes.
struct ColumnTarget {
  std::string name;   // key in the line
  Json form;          // value_form of the backup's column header
  Oid type = InvalidOid;  // the type values are converted to; InvalidOid: the value is parsed and dropped
  int32 typmod = -1;
  int position = -1;  // index into values/nulls
};

// Converts lines of one table. Needs pg::TextForms in force. Holds only C++ memory.
class RowReader {
 public:
  // `check_domains` false: domains are read as their base types and enums... as the enum type; no code of a table's or domain's owner runs.
  RowReader(std::vector<ColumnTarget> columns, bool check_domains);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  // The next row of the parser into values/nulls (positions not named by a column are left alone; absent keys are NULL). False after the last row. Values are allocated in
  // CurrentMemoryContext. Raises XX001 for a malformed row, duplicate or unknown key, a value of the wrong JSON kind; pg::error (22P02, 22007, 23514, …) for a value its type
  // refuses, with the column and row number in CONTEXT-free words and never the value: message `invalid value for column "c" in row 17 of the backup`, DETAIL naming the type, same SQLSTATE.
  // Cancels (57014), out of memory and the like pass unchanged.
  bool read(RowParser& parser, Datum* values, bool* nulls);

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace snapback::pg
