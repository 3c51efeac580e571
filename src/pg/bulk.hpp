// Many values in and out of one statement: each parameter is a list that becomes a text[], to be spread with unnest().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/encoding.hpp"
#include "pg/spi.hpp"

namespace snapback::pg {

using Column = std::vector<Cell>;

// Runs one read-only query with the newest snapshot, as the current user. $1 ... $n are the columns as text[]. Texts are UTF-8 on both sides, whatever the database's encoding.
// Names and operators are to be qualified: the search path is the caller's.
std::vector<Row> query_columns(const std::string& sql, const std::vector<const Column*>& columns);

// Runs one statement that writes, the same way; returns how many rows its outermost part processed.
std::uint64_t execute_columns(const std::string& sql, const std::vector<const Column*>& columns);

}  // namespace snapback::pg
