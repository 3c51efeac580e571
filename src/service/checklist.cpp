// The list to go through before a release, and the metrics.
#include <set>

#include "core/error.hpp"
#include "pg/encoding.hpp"
#include "pg/spi.hpp"
#include "service/graph/profiles.hpp"
#include "service/retention.hpp"
#include "service/state.hpp"
#include "service/watching.hpp"

namespace snapback::service {

namespace {

constexpr Seconds fresh = 25 * 3600;

std::string hours_text(Seconds seconds) { return seconds < 7200 ? std::to_string(seconds / 60) + " minutes" : std::to_string(seconds / 3600) + " hours"; }

ChecklistItem fresh_backup(const Watched& watched) {
  ChecklistItem item{"a fresh verified backup of all tables", false, "there is none: SELECT backup_create()"};
  if (watched.last_good_wide == nullptr) return item;
  Seconds age = watched.now - created_seconds(*watched.last_good_wide);
  item.ok = age <= fresh;
  item.reason = watched.last_good_wide->id + " is " + hours_text(age) + " old, verified at level " + watched.last_good_wide->sidecar.verified + (item.ok ? "" : "; take one: SELECT backup_create()");
  return item;
}

ChecklistItem restorable_backup(const Watched& watched) {
  ChecklistItem item{"the newest backup is proven restorable", false, "there is none: SELECT backup_create(verify => 'restore')"};
  if (watched.last_good_wide == nullptr) return item;
  const Sidecar& sidecar = watched.last_good_wide->sidecar;
  item.ok = sidecar.verified == "restore";
  item.reason = item.ok ? watched.last_good_wide->id + " was restored beside the tables and rolled back, last looked at " + sidecar.verified_at.substr(0, 16) + "Z"
                        : watched.last_good_wide->id + " is verified at level " + sidecar.verified + " only: SELECT backup_verify('" + watched.last_good_wide->id + "', 'restore')";
  return item;
}

// The tables whose rows make up a course, as this database has them along the caller's search path: schema.name.
std::vector<std::string> course_tables() {
  std::vector<std::string> oids, names;
  const graph::Profile profile = load_profile("course");
  for (auto& table : profile.tables) {
    if (table.table_class == graph::TableClass::context || table.table_class == graph::TableClass::exclude) continue;
    if (Oid oid = find_graph_table(table.names); OidIsValid(oid)) oids.push_back(std::to_string(oid));
  }
  for (auto& row : pg::query("SELECT DISTINCT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                             "WHERE c.oid = ANY ($1::oid[]) ORDER BY 1",
                             {pg::array_literal(oids)}))
    names.push_back(*row[0]);
  return names;
}

std::set<std::string> tables_of(const BackupInfo& backup) {
  std::set<std::string> names;
  auto reader = Repository(false).open(backup);
  for (auto& table : reader->manifest().tables) names.insert(pg::shown_text(table.schema() + "." + table.name()));
  return names;
}

ChecklistItem courses_in_backup(const Watched& watched) {
  ChecklistItem item{"the tables of the course profile are in the newest backup", false, "there is none: SELECT backup_create()"};
  try {
    auto expected = course_tables();
    if (expected.empty()) return {item.item, true, "this database has no such table in the search path"};
    const BackupInfo* backup = watched.last_good_wide != nullptr ? watched.last_good_wide : watched.last_good;
    if (backup == nullptr) return item;
    auto held = tables_of(*backup);
    std::string missing;
    for (auto& table : expected)
      if (!held.count(table)) missing += (missing.empty() ? "" : ", ") + table;
    item.ok = missing.empty();
    item.reason = item.ok ? backup->id + " has all " + std::to_string(expected.size())
                          : backup->id + " lacks " + missing + "; look at pg_snapback.tables and take one that has them: SELECT backup_create()";
  } catch (const snapback::error& e) {
    // a profile that somebody broke, a file that went away: the rest of the list is shown all the same
    item.reason = e.message();
  }
  return item;
}

ChecklistItem enough_space(const Watched& watched) {
  ChecklistItem item{"space for the next backup", false, ""};
  if (!watched.storage_problem.empty()) {
    item.reason = watched.storage_problem;
    return item;
  }
  StorageFacts room = watched.storage;
  room.inside_data_directory = room.same_disk = false;
  auto alerts = storage_alerts(room, watched.now);
  item.ok = alerts.empty();
  item.reason = item.ok ? "more than twice the last backup is free" : alerts[0].message;
  return item;
}

ChecklistItem running_plans(const Watched& watched) {
  ChecklistItem item{"plans are running", false, "no plan is enabled: SELECT backup_schedule()"};
  int active = 0;
  bool driven = worker_is_loaded();
  std::string trouble;
  for (auto& plan : watched.plans) {
    if (!plan->facts.active) continue;
    ++active;
    driven |= plan->plan.last_due.has_value();
    // due long ago and nobody came
    if (plan->plan.next_due && *plan->plan.next_due < watched.now - 3600 && !plan->facts.running) trouble = "plan \"" + plan->facts.name + "\" was due more than an hour ago and nothing ran it";
  }
  if (active == 0) return item;
  if (trouble.empty() && !driven)
    trouble = "nothing has run a plan so far: add pg_snapback to shared_preload_libraries, or let pg_cron call backup_run_due() every minute";
  item.ok = trouble.empty();
  item.reason = item.ok ? std::to_string(active) + (active == 1 ? " plan is enabled" : " plans are enabled") : trouble;
  return item;
}

ChecklistItem no_open_alert(const Watched& watched) {
  ChecklistItem item{"no alert is open", true, "none"};
  int open = 0;
  for (auto& alert : all_alerts(watched)) open += alert.severity == "info" ? 0 : 1;
  if (open > 0) {
    item.ok = false;
    item.reason = std::to_string(open) + (open == 1 ? " is open" : " are open") + ": TABLE backup_alerts";
  }
  return item;
}

// Sums over the runs of a table that this installation may lack.
void add_run_metrics(std::vector<Metric>& list, const std::set<std::string>& hidden) {
  auto runs = extension_relation("backup_runs");
  if (!runs) return;
  for (auto& row : query_state("SELECT r.kind, r.state, pg_catalog.count(*) FROM " + *runs + " r GROUP BY 1, 2 ORDER BY 1, 2"))
    list.push_back({"pg_snapback_runs", {{"kind", *row[0]}, {"state", *row[1]}}, std::stod(*row[2]), "Runs by kind and outcome, as far as the history goes back."});
  for (auto& row : query_state("SELECT DISTINCT ON (r.kind) r.kind, r.seconds FROM " + *runs + " r WHERE r.state = 'succeeded' AND r.seconds IS NOT NULL ORDER BY r.kind, r.run_id DESC"))
    list.push_back({"pg_snapback_last_run_seconds", {{"kind", *row[0]}}, std::stod(*row[1]), "Duration of the last run that succeeded."});
  for (const char* days : {"7", "30"})
    for (auto& row : query_state("SELECT r.plan, pg_catalog.avg((r.state = 'succeeded')::integer) FROM " + *runs +
                                     " r WHERE r.kind = 'create' AND r.plan IS NOT NULL AND r.finished_at > pg_catalog.now() - pg_catalog.make_interval(days => $1::integer) GROUP BY 1 ORDER BY 1",
                                 {days}))
      if (!hidden.count(*row[0]))
        list.push_back({"pg_snapback_success_ratio", {{"plan", pg::shown_utf8(*row[0])}, {"days", days}}, std::stod(*row[1]), "Share of the plan's runs that succeeded, over so many days."});
}

}  // namespace

std::vector<ChecklistItem> checklist() {
  auto watched = look();
  return {fresh_backup(watched), courses_in_backup(watched), restorable_backup(watched), enough_space(watched), running_plans(watched), no_open_alert(watched)};
}

std::vector<Metric> metrics() {
  auto watched = look();
  std::set<std::string> hidden;
  for (auto& plan : watched.plans)
    if (!may_watch(plan->plan)) hidden.insert(plan->facts.name);
  std::vector<Metric> list;
  if (watched.last_good != nullptr) {
    const BackupInfo& last = *watched.last_good;
    list.push_back({"pg_snapback_last_good_backup_age_seconds", Json::object(), static_cast<double>(watched.now - created_seconds(last)), "Seconds since the newest good backup of this database."});
    list.push_back({"pg_snapback_last_backup_stored_bytes", Json::object(), static_cast<double>(last.stored_bytes), "Size of the newest good backup's file."});
    list.push_back({"pg_snapback_last_backup_logical_bytes", Json::object(), static_cast<double>(last.sidecar.logical_bytes), "Size of the newest good backup's rows before compression."});
    list.push_back({"pg_snapback_last_backup_seconds", Json::object(), last.sidecar.seconds, "Duration of the newest good backup."});
  }
  for (auto& plan : watched.plans) {
    if (hidden.count(plan->facts.name)) continue;
    Json labels = {{"plan", pg::shown_utf8(plan->facts.name)}};
    if (plan->facts.last_good)
      list.push_back({"pg_snapback_plan_last_good_backup_age_seconds", labels, static_cast<double>(watched.now - *plan->facts.last_good), "Seconds since the plan's newest good backup."});
    list.push_back({"pg_snapback_plan_active", labels, plan->facts.active ? 1.0 : 0.0, "1 when the plan is enabled and not suspended."});
    list.push_back({"pg_snapback_missed_slots", labels, static_cast<double>(plan->facts.missed), "Due times missed since the last one that ran in time."});
  }
  std::map<std::string, double> states;
  for (const char* state : {"good", "damaged", "unreadable", "foreign", "writing"}) states[state] = 0;
  double stored = 0;
  for (auto& backup : watched.backups) {
    ++states[backup.state];
    stored += static_cast<double>(backup.stored_bytes);
  }
  for (auto& [state, count] : states) list.push_back({"pg_snapback_backups", {{"state", state}}, count, "Backups in the storage by state, as this database sees them."});
  list.push_back({"pg_snapback_storage_used_bytes", Json::object(), stored, "Sum of the sizes of the backups in the storage."});
  if (watched.storage.free_bytes != UINT64_MAX)
    list.push_back({"pg_snapback_storage_free_bytes", Json::object(), static_cast<double>(watched.storage.free_bytes), "Bytes free in the storage."});
  std::map<std::string, double> open = {{"critical", 0}, {"warning", 0}, {"info", 0}};
  for (auto& alert : all_alerts(watched)) ++open[alert.severity];
  for (auto& [severity, count] : open) list.push_back({"pg_snapback_open_alerts", {{"severity", severity}}, count, "Open alerts."});
  add_run_metrics(list, hidden);
  return list;
}

}  // namespace snapback::service
