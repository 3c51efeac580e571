// How a table has changed since the backup: named before anything is written.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "service/restore_plan.hpp"

namespace snapback::service {

// Notes on the table's result for what map_columns() does not say: order of columns, NOT NULL, constraints, foreign keys and unique indexes that came or went, enum labels that are gone.
// Reads the catalogs only.
void note_drift(const RestorePlan& plan, PlannedTable& table);

// Columns that look renamed: gone from the live table (`dropped`) while exactly one of the same type came. Pairs of old and new name.
std::vector<std::pair<std::string, std::string>> likely_renames(const PlannedTable& table, const TableDescription& live, const std::set<std::string>& dropped);

}  // namespace snapback::service
