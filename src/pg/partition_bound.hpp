// Whether a partitioned table has room for a further partition.
#pragma once

#include <string>

#include "pg/pg.hpp"

namespace snapback::pg {

// True when `parent`, which the caller has locked or takes as it is, would take a partition with the bound `bound` (FOR VALUES ..., DEFAULT): its key is of that kind, no partition has
// any of those values, and neither does a row of the default partition. Looks in a subtransaction, as the owner of `parent`; nothing stays locked. The bound's expressions are evaluated.
bool has_room_for(Oid parent, const std::string& bound);

}  // namespace snapback::pg
