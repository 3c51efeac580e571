// Foreign keys that a restore touches: locked with their far ends, checked set-wise afterwards.
#pragma once

#include <vector>

#include "service/catalog.hpp"

namespace snapback::service {

// Every key with one end in `tables` (their partitioned ancestors counted in).
std::vector<ForeignKeyDescription> keys_touching(const std::vector<Oid>& tables);
// The ends of those keys that lie outside `tables`.
std::vector<Oid> far_ends(const std::vector<ForeignKeyDescription>& keys, const std::vector<Oid>& tables);

// Looks with the newest snapshot for rows whose reference points nowhere. Raises 23503 naming table and key; the offending values are shown to callers who may read that table, never logged.
// Runs no code of a table's owner with other rights than that owner's: where indexes have expressions, or the comparison needs a cast, the check runs as one of the owners.
void check_foreign_keys(const std::vector<ForeignKeyDescription>& keys);

}  // namespace snapback::service
