// Many locks at once, and whether the server's lock table has room for them.
#pragma once

#include <map>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

// Locks relations in OID order, all or none; those that vanish while waiting are skipped (the caller looks again). Cancellable. `further`: locks that the same transaction will take later on
// (indexes that are built, tables that are made); they are tried out. `tables`: how many tables all of them are for, where that is more than are in `modes`. Raises 53200 with the number needed: before anything is locked where the shortage is certain, and with nothing locked where it shows.
void lock_together(const std::map<Oid, LOCKMODE>& modes, std::size_t further = 0, std::size_t tables = 0);
// Raises 53200 with the number of locks that so many tables need. `before`: none of them was taken.
[[noreturn]] void refuse_lock_shortage(std::size_t tables, std::size_t locks, bool before = true);
void lock_together(const std::vector<Oid>& relations, LOCKMODE mode);

// Gives back what lock_together took in the same transaction, once for each time that a relation is named; what others in this transaction hold on it stays.
void unlock_together(const std::vector<Oid>& relations, LOCKMODE mode);

}  // namespace snapback::pg
