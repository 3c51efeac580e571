// One table of a restore after the other: its rows, and the proof.
#pragma once

#include "pg/progress.hpp"
#include "service/restore_plan.hpp"
#include "service/restore_roads.hpp"

namespace snapback::service {

// Makes a live table exactly the backup. `road`: the lock that is held allows this one. A table just created is loaded.
void replace_table(const RestorePlan& plan, PlannedTable& table, Road road, pg::Progress& progress);
// What that would do, with the counts it would report; every row that would be written is converted and checked. Writes nothing.
void preview_replace(const RestorePlan& plan, PlannedTable& table, pg::Progress& progress);

// Raises 0A000 and 42804 where modes missing and upsert cannot find rows of a table by its primary key.
void require_key(const TableDescription& live, const pg::ColumnMapping& mapping);
// Modes missing and upsert. `write` false: only counts.
void merge_table(const RestorePlan& plan, PlannedTable& table, bool overwrite, bool write, pg::Progress& progress);

// Live partitions that the backup does not have.
void empty_surplus(const RestorePlan& plan, std::vector<RestoredTable>& extra, bool write, pg::Progress& progress);

// Promise: what is reported as restored was read from the table afterwards, by the way a backup reads it. Raises XX001.
void prove(PlannedTable& table, pg::Progress& progress);

}  // namespace snapback::service
