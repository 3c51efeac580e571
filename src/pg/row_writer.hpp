// Datums to the JSON line of a row (docs/format.md, "Values").
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/format/row_sink.hpp"
#include "pg/pg.hpp"

namespace snapback::pg {

using Json = nlohmann::ordered_json;

// How values of a type are written, as it stands in a column header: {"form":"number"|"boolean"|"string"|"json"|"json_text"}, {"form":"array","element":{...}},
// {"form":"object","fields":[{"name":…,"type":…,…form…},…]}. Raises 0A000 naming the type when its input refuses its own output (pg_node_tree, pg_mcv_list, …).
// `where` names the column for the message, as in column "notes" of table "public.lessons". Not for use inside a parallel operation: types of extensions are tried out in a
// subtransaction. Names of types are qualified as pg::TextForms has it.
Json value_form(Oid type, const std::string& where);

// How many rows are read or written in one pg::call, between two looks for a cancel.
inline constexpr int rows_per_call = 128;

// Formats rows of one relation, which must stay open. Needs pg::TextForms in force. The server's lookup structures go to a child of the CurrentMemoryContext at
// construction, which must outlive the rows; the child goes with the writer.
class RowWriter {
 public:
  // `columns`: attribute numbers in the order of the line; `key`: those among them that make up the primary key (may be empty).
  RowWriter(TupleDesc description, const std::vector<AttrNumber>& columns, const std::vector<AttrNumber>& key);
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  // One row, begin_row to end_row. To be called inside pg::call with a short-lived CurrentMemoryContext, which the caller resets (every hundred rows will do: large values
  // are freed one by one); may raise PostgreSQL errors and what the sink throws. The slot is deformed as far as needed.
  void write_unsafe(TupleTableSlot* slot, RowSink& sink);

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace snapback::pg
