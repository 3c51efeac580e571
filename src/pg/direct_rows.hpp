// Values of a table's rows read below planner, rights and row security. For counting only: what is read here must not reach the caller.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

// Calls `row` for every row of a table with storage, under the active snapshot, with the JSON values of the columns named (server encoding); an empty one is NULL. No code of the table's
// owner runs: neither policies nor expressions of indexes. Raises what `row` throws.
void scan_values(Oid table, const std::vector<std::string>& columns, const std::function<void(const std::vector<std::string_view>&)>& row);

}  // namespace snapback::pg
