// Which road a table takes in mode replace: by difference, readers undisturbed, or a reload into new storage.
#pragma once

#include <map>

#include "pg/progress.hpp"
#include "service/restore_plan.hpp"

namespace snapback::service {

enum class Road { difference, reload };

// A first look at one live table of a plan, its mapping filled, under ACCESS SHARE at least. A table without a key is reloaded, and one of which more than
// pg_snapback.reload_threshold seems to differ: a sample of the backup's rows is looked up, so the cost does not grow with the table. Always by difference: a table whose changes are
// decoded, and one with columns that the backup does not have (their values would be lost).
Road choose_road(const RestorePlan& plan, const PlannedTable& table);

// The same for a repartitioned table: one road for all of its leaves, chosen by their number of rows against the backup's, for a row may have gone to any of them.
Road choose_road(const RestorePlan& plan, const Repartitioned& table);

// The same for every live table that a restore replaces. Locks are taken and given back, because none may be raised later: what they are to be depends on the road. The look that counts is
// the one under the final locks; a table that changed in between takes the road chosen here all the same, which costs time and nothing else.
std::map<Oid, Road> choose_roads(const std::shared_ptr<RestoreSource>& source, const RestoreRequest& request, pg::Progress& progress);

}  // namespace snapback::service
