// Rows of a query as the executor makes them, without a copy of the result.
#pragma once

#include <string>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

// What is done with them.
class ExecutorRows {
 public:
  virtual ~ExecutorRows() = default;
  // Before the first row; `description` lives until the last one was taken.
  virtual void begin(TupleDesc description) = 0;
  // One row. Runs inside pg::call, so it may call the server and what it throws of ours ends the query; the memory context is emptied after each row.
  virtual void row_unsafe(TupleTableSlot* slot) = 0;
};

// Runs the query, read-only, under the active snapshot. `lists` are its parameters, values of type text[] in the current memory context. Raises PostgreSQL errors and what `rows` throws.
void execute_for_rows(const std::string& sql, const std::vector<Datum>& lists, ExecutorRows& rows);

}  // namespace snapback::pg
