// Definitions in a backup become parts of statements: looked at before, for a file may have been made by anybody.
#pragma once

#include <vector>

#include "service/restore_plan.hpp"

namespace snapback::service {

// Raises 22023, naming the table and the piece, unless every part of a table's definition, and of its sequences, is what its name says, and no more.
void check_definition(const PlannedTable& table, const Json& definition, const std::vector<Json>& sequences);

// The same for its foreign keys alone, which a table that is there may get as well.
void check_foreign_key_definitions(const PlannedTable& table, const Json& definition);

}  // namespace snapback::service
