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

class LargeValues;

// Where one column of the backup goes.
struct ColumnTarget {
  std::string name;   // key in the line, in UTF-8
  Json form;          // value_form of the backup's column header
  Oid type = InvalidOid;  // the type values are converted to; InvalidOid: the value is parsed and dropped
  int32 typmod = -1;
  int position = -1;  // index into values/nulls
};

// Converts lines of one table. Needs pg::TextForms in force. The server's lookup structures go to a child of the CurrentMemoryContext at construction, which must outlive the
// rows; the child goes with the reader.
class RowReader {
 public:
  // `check_domains` false: domains are read as their base types; no code of a domain's owner runs. For looking at a backup only: a text form whose input
  // function would check a domain (a composite that holds json and a domain, a range over a domain) is parsed and comes out NULL. `large`: where large values of a row
  // go that should not be in memory as a whole; null: they stay.
  // Raises XX001 or 0A000 when a column's form is malformed or unknown.
  RowReader(std::vector<ColumnTarget> columns, bool check_domains, LargeValues* large = nullptr);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  // The next row of the parser into values/nulls (positions not named by a column are left alone; absent keys are NULL). False after the last row. Values are allocated in
  // CurrentMemoryContext. Raises, as snapback::error: XX001 for a malformed row, duplicate or unknown key, a value of the wrong JSON kind; for a
  // value that its type refuses or would round, the type's own SQLSTATE (22P02, 22007, 23514, …) with the message `invalid value for column "c" in row 17 of the backup`, DETAIL
  // naming the type, and never the value; 42804 for an array or object that has no way to the target type. Cancels (57014), out of memory and the like pass as pg::error.
  // With `large`, values of a row that is put aside last until the next read(), and CurrentMemoryContext, which holds nothing else, may be reset.
  bool read(RowParser& parser, Datum* values, bool* nulls);
  // The same for rows that nobody needs: resets CurrentMemoryContext after each row, and after each large value.
  bool check(RowParser& parser);

 private:
  struct Plan;
  template <class Taker>
  bool convert(RowParser& parser, Taker taker);
  std::unique_ptr<Plan> plan_;
};

}  // namespace snapback::pg
