// Many locks at once, and whether the server's lock table has room for them.
#pragma once

#include <map>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

// Locks that the same transaction will take later on.
struct FurtherLocks {
  std::size_t sure = 0;      // on tables that are made; they are tried out
  std::size_t possible = 0;  // on indexes of tables that may be written; they are only counted
  std::size_t tables = 0;    // how many tables all of this is for, where that is more than are locked now
};

// Locks relations in OID order, all or none; those that vanish while waiting are skipped (the caller looks again). Cancellable. Raises 53200 with the number needed: before anything is locked
// where the shortage is certain, and with nothing locked where it shows.
void lock_together(const std::map<Oid, LOCKMODE>& modes, const FurtherLocks& further = {});
// Raises 53200 with the number of locks that so many tables need. `before`: none of them was taken.
[[noreturn]] void refuse_lock_shortage(std::size_t tables, std::size_t locks, bool before = true);
void lock_together(const std::vector<Oid>& relations, LOCKMODE mode);

// Gives back what lock_together took in the same transaction, once for each time that a relation is named; what others in this transaction hold on it stays.
void unlock_together(const std::vector<Oid>& relations, LOCKMODE mode);

}  // namespace snapback::pg
