// Metrics, alerts, health, checklist (docs/operations.md, "Watching").
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/alerts.hpp"
#include "service/plans.hpp"
#include "service/repository.hpp"

namespace snapback::service {

// A plan with all that was found out about it. Not copyable: the facts point into it.
struct WatchedPlan {
  Plan plan;
  std::optional<CronSchedule> schedule;  // none when the row is broken
  std::unique_ptr<TimeZone> zone;
  PlanFacts facts;
};

// What metrics, alerts and health are made of, read once.
struct Watched {
  Seconds now = 0;
  std::vector<std::unique_ptr<WatchedPlan>> plans;
  std::vector<BackupInfo> backups;      // newest first
  StorageFacts storage;
  std::string storage_problem;          // why the storage cannot be read; empty: it can
  std::string storage_hint;
  const BackupInfo* last_good = nullptr;       // newest that counts, of this database
  const BackupInfo* last_good_wide = nullptr;  // of all tables
};
Watched look();

// The newest good backup of each plan that has one, plans in the order of their names; none when the storage cannot be read, for a list of plans is shown all the same.
std::vector<BackupInfo> last_good_backups();

// The alerts of the moment, worst first; those that the current user may see: of plans that are the user's own, or all for superusers and members of pg_read_all_stats.
std::vector<Alert> current_alerts();
// The same whoever asks, out of a look that was taken.
std::vector<Alert> all_alerts(const Watched& watched);

// Writes what has opened and closed since the last time into snapback.alert, logs each once, and notifies on channel pg_snapback. Returns when to look again at the latest
// if nothing happens before; none: not before something happens. For workers, after each run.
std::optional<Seconds> refresh_alerts();

struct Metric {
  std::string name;
  Json labels = Json::object();
  double value = 0;
  std::string help;
};
std::vector<Metric> metrics();

struct ChecklistItem {
  std::string item;
  bool ok = false;
  std::string reason;
};
std::vector<ChecklistItem> checklist();

struct Health {
  std::string status;  // ok, warning, critical
  std::optional<Seconds> last_good;
  Seconds now = 0;
  int alerts = 0, critical = 0, plans = 0;
  std::string message;  // of the worst alert
};
// Over all plans, whoever asks: it names none.
Health health();

// Whether the current user may see what concerns the plan.
bool may_watch(const Plan& plan);

// The extension's view of that name, for queries; none when this installation has no such view or table.
std::optional<std::string> extension_relation(const std::string& name);

}  // namespace snapback::service
