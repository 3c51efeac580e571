// The launcher: there when the library is in shared_preload_libraries, one for the server, connected to no database. It sleeps until some database has something due, and has a decider
// look at that one. It runs nothing itself.
#include <algorithm>
#include <map>

#include "pg/call.hpp"
#include "pg/launching.hpp"
#include "pg/settings.hpp"
#include "pg/wake_table.hpp"
#include "pg/worker.hpp"

_Pragma("GCC visibility push(default)") extern "C" {
  void pg_snapback_launcher_main(Datum argument);
}
_Pragma("GCC visibility pop")

namespace snapback::worker {

namespace {

constexpr std::size_t most_deciders = 4;  // at a time
constexpr std::int64_t longest_sleep = 60;

// Seconds by the wall clock and by one that nobody sets.
struct Clocks {
  std::int64_t wall, steady;
};

Clocks read_clocks() {
  struct timespec wall, steady;
  ::clock_gettime(CLOCK_REALTIME, &wall);
  ::clock_gettime(CLOCK_MONOTONIC, &steady);
  return {wall.tv_sec, steady.tv_sec};
}

bool was_set(const Clocks& before, const Clocks& now) {
  std::int64_t difference = (now.wall - before.wall) - (now.steady - before.steady);
  return difference < -30 || difference > 30;
}

class Launcher {
 public:
  void run() {
    look_everywhere();
    Clocks before = read_clocks();
    bool enabled_before = true;
    for (;;) {
      pg::reload_settings();
      Clocks now = read_clocks();
      if (was_set(before, now) || (pg::settings.enabled && !enabled_before)) look_everywhere();
      before = now;
      enabled_before = pg::settings.enabled;
      std::erase_if(deciders_, [](const auto& decider) { return decider.second.ended(); });
      std::int64_t next = pg::settings.enabled ? start_due(now.wall) : now.wall + longest_sleep;
      pg::nap(std::clamp<std::int64_t>(next - now.wall, 1, longest_sleep) * 1000);
    }
  }

 private:
  void look_everywhere() {
    for (Oid database : pg::connectable_databases()) pg::set_wake(database, 0);
  }

  // Starts what is due; when to look again.
  std::int64_t start_due(std::int64_t now) {
    std::int64_t next = now + longest_sleep;
    auto wakes = pg::read_wakes();
    bool any_due = std::any_of(wakes.begin(), wakes.end(), [&](const pg::Wake& wake) { return wake.moment <= now; });
    auto there = any_due ? pg::connectable_databases() : std::vector<Oid>();
    for (auto& wake : wakes) {
      if (wake.moment > now) {
        next = std::min(next, wake.moment);
        continue;
      }
      if (std::find(there.begin(), there.end(), wake.database) == there.end()) {
        pg::set_wake(wake.database, std::nullopt);
        continue;
      }
      // the end of one of them wakes us
      if (deciders_.count(wake.database) || deciders_.size() >= most_deciders) continue;
      // a decider that dies is followed by another one
      pg::set_wake(wake.database, now + longest_sleep);
      start(wake.database, now);
    }
    return next;
  }

  void start(Oid database, std::int64_t now) {
    auto decider = pg::start_watched_worker("pg_snapback_decide_main", "pg_snapback decider", {database, InvalidTransactionId, 0});
    if (decider) {
      deciders_.emplace(database, *decider);
      return;
    }
    if (now < complained_ + 600) return;
    complained_ = now;
    pg::call([] { ereport(WARNING, (errmsg("pg_snapback finds no free background worker"), errhint("Raise max_worker_processes."))); });
  }

  std::map<Oid, pg::WatchedWorker> deciders_;
  std::int64_t complained_ = 0;
};

}  // namespace

}  // namespace snapback::worker

void pg_snapback_launcher_main(Datum) {
  snapback::pg::boundary([] {
    snapback::pg::begin_launcher();
    snapback::worker::Launcher().run();
  });
}
