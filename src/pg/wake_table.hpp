// When each database has to be looked at next: a table in shared memory, there only when the library is in shared_preload_libraries. The launcher sleeps by it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg {

// From _PG_init. Does nothing when the library is loaded on demand.
void request_wake_table();

// Whether there is one, and so a launcher.
bool have_wake_table();

// Seconds since 1970 UTC at which to look at a database; none: never, the entry is freed. Wakes the launcher when that is earlier than it knew. False when the table is full.
bool set_wake(Oid database, std::optional<std::int64_t> moment);

// The same for who has just looked: a wish to look at once that came meanwhile stays.
bool settle_wake(Oid database, std::optional<std::int64_t> moment);

// Look at this database as soon as the transaction in progress commits (plans have changed).
void wake_at_commit();

struct Wake {
  Oid database;
  std::int64_t moment;
};
std::vector<Wake> read_wakes();

// The launcher, by which others wake it.
void attach_launcher();
void detach_launcher();

}  // namespace snapback::pg
