// The partitions of a backup against those of today.
#pragma once

#include "service/compare.hpp"
#include "service/restore_plan.hpp"

namespace snapback::service {

// Finds the leaves of a plan whose rows may belong elsewhere by now, and plans them through their partitioned tables (RestorePlan::repartitioned): bounds that were split, merged or moved,
// partitions that were renamed, another partition key. Live leaves are described; missing ones are made anew where their place is free. Raises 23514 for a partition that is to be restored
// without its partitioned table, is missing, and cannot be made because others have its place.
void plan_partitions(RestorePlan& plan, const PartitionTree& tree);

}  // namespace snapback::service
