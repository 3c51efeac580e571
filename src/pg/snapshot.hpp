// Locks and the moment that is read.
#pragma once

#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

// Locks relations in OID order; those that vanish while waiting are skipped (the caller looks again). Cancellable.
void lock_relations(const std::vector<Oid>& relations, LOCKMODE mode);

// Makes the snapshot to read by active, all locks held: in READ COMMITTED a new one; in REPEATABLE READ and SERIALIZABLE the transaction's own, with this transaction's changes so far.
// There, raises 40001 for a relation whose storage was replaced, or which was made, after that snapshot was taken.
void push_read_snapshot(const std::vector<Oid>& relations);
// The newest state, this transaction's changes included, whatever the isolation level.
void push_latest_snapshot();
void pop_snapshot();

}  // namespace snapback::pg
