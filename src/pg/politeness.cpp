#include "pg/politeness.hpp"

#include <chrono>

#include "pg/call.hpp"
#include "pg/spi.hpp"
#include "pg/worker.hpp"

namespace snapback::pg {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_looks{200};

long budget_ms = 0;
Clock::time_point next_look;

}  // namespace

void be_polite(const std::string& budget) {
  budget_ms = std::stol(*query("SELECT pg_catalog.ceil(EXTRACT(epoch FROM $1::pg_catalog.interval) * 1000)::bigint", {budget})[0][0]);
  next_look = Clock::now();
  limit_lock_waits(budget_ms);
}

void stop_being_polite() { budget_ms = 0; }

void give_way() {
  if (budget_ms == 0 || Clock::now() < next_look) return;
  next_look = Clock::now() + between_looks;
  // by the view, not by LockHasWaitersRelation: that fails on locks taken by the fast path
  auto waiting = query(R"(
      SELECT w.pid, c.relname FROM pg_catalog.pg_locks w
        JOIN pg_catalog.pg_locks h ON h.pid = pg_catalog.pg_backend_pid() AND h.granted AND h.locktype = 'relation' AND h.database = w.database AND h.relation = w.relation
        LEFT JOIN pg_catalog.pg_class c ON c.oid = w.relation
       WHERE NOT w.granted AND w.locktype = 'relation' AND w.mode = 'AccessExclusiveLock'
         AND pg_catalog.clock_timestamp() - w.waitstart > pg_catalog.make_interval(secs => $1::double precision / 1000) LIMIT 1)",
                       {std::to_string(budget_ms)});
  if (waiting.empty()) return;
  throw snapback::error(sqlstate::lock_not_available, "gave way to process " + *waiting[0][0] + ", which waits for table \"" + waiting[0][1].value_or("") + "\"",
                        "The backup held the table longer than its lock budget.", "It is tried again later; the plan's lock_budget says how long others may wait.");
}

}  // namespace snapback::pg
