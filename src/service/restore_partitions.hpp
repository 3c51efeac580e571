// A partitioned table whose partitions are no longer those of the backup: its rows, and the proof.
#pragma once

#include "pg/progress.hpp"
#include "service/restore_plan.hpp"
#include "service/restore_roads.hpp"

namespace snapback::service {

// Mode replace: the leaves together become exactly the rows of the backup. The result stands at the partitioned table; leaves that the backup does not have and that are empty afterwards are
// added to `extra`. `write` false: the same counts, every row that would be written converted and checked, and nothing written.
void replace_repartitioned(RestorePlan& plan, Repartitioned& table, const RestoreRequest& request, Road road, bool write, std::vector<RestoredTable>& extra, pg::Progress& progress);
// Modes missing and upsert.
void merge_repartitioned(RestorePlan& plan, Repartitioned& table, const RestoreRequest& request, bool write, pg::Progress& progress);

// Raises XX001 when the leaves do not read back as they were written.
void prove(RestorePlan& plan, Repartitioned& table, pg::Progress& progress);

// For a partition that is restored without its partitioned table and has another bound than in the backup, its mapping filled: raises 23514 when it does not take all of its rows.
void check_bound(const RestorePlan& plan, const PlannedTable& table);

}  // namespace snapback::service
