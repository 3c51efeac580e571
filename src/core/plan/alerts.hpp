// What is wrong, from facts that are handed in. An alert is open exactly as long as its condition holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/cron.hpp"
#include "core/plan/time_zone.hpp"

namespace snapback {

struct Alert {
  std::string severity;  // critical, warning, or info: nothing to do at once, and no reason for a failed health check
  std::string code;      // run_failed, verify_failed, too_old, slot_missed, damaged, space_low, inside_data_directory, same_disk
  std::string plan;      // empty: none
  std::string subject;   // what tells it from others of its code and plan: the damaged backup; empty: nothing
  std::int64_t since = 0;
  std::string message, hint;

  bool same_as(const Alert& other) const { return code == other.code && plan == other.plan && subject == other.subject; }
};

struct PlanFacts {
  std::string name;
  const CronSchedule* schedule = nullptr;  // both live as long as the call
  const TimeZone* zone = nullptr;
  bool active = true;                       // enabled, and of this database
  std::int64_t watched_since = 0;           // when the plan was made or last changed: the age of no backup counts from here
  std::optional<std::int64_t> last_good;    // newest good backup
  std::optional<std::int64_t> max_age;      // seconds; none: the time between two due times and one hour
  bool unlimited_age = false;
  bool running = false;                     // a run of it is in progress: no alert about age opens
  bool known_too_old = false;               // such an alert is open, and stays so until there is a good backup
  std::optional<std::int64_t> failed_since; // the first failed run since the last good one
  std::string failure;                      // of the last one
  std::optional<std::int64_t> unverified_since; // the first verification that ended in an error, of a kept backup that nobody has verified since
  std::string unverified;                   // the backup of the last of them
  std::string unverified_why;
  std::optional<std::int64_t> missed_since; // the first missed slot since the last good backup
  int missed = 0;                           // how many
};

// The moment after which a plan whose newest good backup is from `last_good` has none that is young enough: a daily plan's after 25 hours, one of weekdays'
// over the weekend after 73.
std::int64_t good_until(const CronSchedule& schedule, const TimeZone& zone, std::int64_t last_good, const std::optional<std::int64_t>& max_age);

std::vector<Alert> plan_alerts(const PlanFacts& plan, std::int64_t now);

struct StorageFacts {
  std::uint64_t free_bytes = 0;
  std::uint64_t least_free_bytes = 0;    // pg_snapback.min_free_space
  std::uint64_t last_backup_bytes = 0;   // stored size of the newest good backup
  bool inside_data_directory = false;
  bool same_disk = false;                // as the data directory
};

std::vector<Alert> storage_alerts(const StorageFacts& storage, std::int64_t now);

// What opens and what closes between two looks; alerts that stay keep the `since` they had.
struct AlertChanges {
  std::vector<Alert> opened, closed;
};
AlertChanges compare_alerts(const std::vector<Alert>& before, const std::vector<Alert>& now);

// When something may change by the mere passing of time: the first age limit ahead; none when there is none.
std::optional<std::int64_t> next_age_limit(const std::vector<PlanFacts>& plans, std::int64_t now);

}  // namespace snapback
