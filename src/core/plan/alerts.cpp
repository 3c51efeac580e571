#include "core/plan/alerts.hpp"

#include <algorithm>

#include "core/backup_id.hpp"

namespace snapback {
namespace {

constexpr std::int64_t hour = 3600;

std::string duration_text(std::int64_t seconds) {
  if (seconds < 2 * hour) return std::to_string(seconds / 60) + " minutes";
  if (seconds < 48 * hour) return std::to_string(seconds / hour) + " hours";
  return std::to_string(seconds / (24 * hour)) + " days";
}

std::string size_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"bytes", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 10240 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + " " + units[unit];
}

std::int64_t limit_of(const PlanFacts& plan) { return good_until(*plan.schedule, *plan.zone, plan.last_good.value_or(plan.watched_since), plan.max_age); }

bool has_age_limit(const PlanFacts& plan) { return plan.active && !plan.unlimited_age && plan.schedule != nullptr; }

}  // namespace

std::int64_t good_until(const CronSchedule& schedule, const TimeZone& zone, std::int64_t last_good, const std::optional<std::int64_t>& max_age) {
  if (max_age) return last_good + *max_age;
  return last_good + schedule.next_after(last_good, zone) - schedule.last_until(last_good, zone) + hour;
}

std::vector<Alert> plan_alerts(const PlanFacts& plan, std::int64_t now) {
  std::vector<Alert> alerts;
  if (!plan.active) return alerts;
  if (plan.failed_since)
    alerts.push_back({"warning", "run_failed", plan.name, "", *plan.failed_since, "the last run of plan \"" + plan.name + "\" failed: " + plan.failure,
                      "Look at backup_runs, mend the cause, and run it again: SELECT backup_run('" + plan.name + "')."});
  if (plan.unverified_since)
    alerts.push_back({"warning", "verify_failed", plan.name, "", *plan.unverified_since,
                      "backup \"" + plan.unverified + "\" of plan \"" + plan.name + "\" could not be verified: " + plan.unverified_why,
                      "Nothing is known to be wrong with it. Mend the cause and verify it: SELECT * FROM backup_verify('" + plan.unverified + "')."});
  if (plan.missed_since)
    alerts.push_back({"warning", "slot_missed", plan.name, "", *plan.missed_since,
                      "plan \"" + plan.name + "\" missed " + std::to_string(plan.missed) + (plan.missed == 1 ? " due time" : " due times"),
                      "Nothing ran it: is the server's background worker there (shared_preload_libraries), or pg_cron's job? backup_slots shows what was missed."});
  if (has_age_limit(plan) && (!plan.running || plan.known_too_old))
    if (const std::int64_t limit = limit_of(plan); now > limit)
      alerts.push_back({"critical", "too_old", plan.name, "", limit,
                        plan.last_good ? "the newest good backup of plan \"" + plan.name + "\" is " + duration_text(now - *plan.last_good) + " old"
                                       : "plan \"" + plan.name + "\" has no good backup",
                        "Look at backup_runs for what failed, or take one now: SELECT backup_run('" + plan.name + "')."});
  return alerts;
}

std::vector<Alert> storage_alerts(const StorageFacts& storage, std::int64_t now) {
  std::vector<Alert> alerts;
  const std::uint64_t needed = std::max(storage.least_free_bytes, 2 * storage.last_backup_bytes);
  if (storage.free_bytes < needed)
    alerts.push_back({"warning", "space_low", "", "", now, size_text(storage.free_bytes) + " are free in the storage, fewer than " + size_text(needed),
                      "Make room, keep fewer backups, or set pg_snapback.storage_location to a larger disk. Twice the last backup, or pg_snapback.min_free_space, should be free."});
  if (storage.inside_data_directory)
    alerts.push_back({"warning", "inside_data_directory", "", "", now, "backups lie inside the data directory",
                      "What destroys the data destroys them, and pg_upgrade's clean-up deletes them: set pg_snapback.storage_location."});
  else if (storage.same_disk)
    alerts.push_back({"info", "same_disk", "", "", now, "backups lie on the disk that holds the data",
                      "Set pg_snapback.storage_location to another disk, or copy the files away: a backup is one file and its sidecar."});
  return alerts;
}

AlertChanges compare_alerts(const std::vector<Alert>& before, const std::vector<Alert>& now) {
  AlertChanges changes;
  auto has = [](const std::vector<Alert>& list, const Alert& alert) {
    return std::any_of(list.begin(), list.end(), [&](const Alert& other) { return other.same_as(alert); });
  };
  for (const Alert& alert : now)
    if (!has(before, alert)) changes.opened.push_back(alert);
  for (const Alert& alert : before)
    if (!has(now, alert)) changes.closed.push_back(alert);
  return changes;
}

std::optional<std::int64_t> next_age_limit(const std::vector<PlanFacts>& plans, std::int64_t now) {
  std::optional<std::int64_t> next;
  for (const PlanFacts& plan : plans) {
    if (!has_age_limit(plan)) continue;
    // strictly after the limit it is too old
    const std::int64_t limit = limit_of(plan) + 1;
    if (limit > now && (!next || limit < *next)) next = limit;
  }
  return next;
}

}  // namespace snapback
