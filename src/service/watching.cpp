#include "service/watching.hpp"

#include <sys/stat.h>

#include <climits>
#include <cstdlib>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time_zone.hpp"
#include "service/retention.hpp"
#include "service/state.hpp"

namespace snapback::service {

namespace {

std::optional<Seconds> length_of_interval(const std::string& text) {
  std::optional<Seconds> length;
  pg::in_subtransaction([&] { length = std::stoll(*pg::query("SELECT pg_catalog.floor(EXTRACT(epoch FROM $1::interval))::bigint", {text})[0][0]); }, pg::is_data_error);
  return length;
}

std::unique_ptr<WatchedPlan> watch_plan(Plan&& plan) {
  auto watched = std::make_unique<WatchedPlan>();
  watched->plan = std::move(plan);
  const Plan& row = watched->plan;
  PlanFacts& facts = watched->facts;
  facts.name = row.name;
  facts.active = row.enabled && !row.suspended;
  facts.watched_since = row.created;
  facts.unlimited_age = row.max_age == "0";
  if (row.max_age && !facts.unlimited_age) facts.max_age = length_of_interval(*row.max_age);
  try {
    watched->schedule = CronSchedule::parse(row.schedule);
    watched->zone = std::make_unique<pg::ServerTimeZone>(row.timezone);
    facts.schedule = &*watched->schedule;
    facts.zone = watched->zone.get();
  } catch (const snapback::error& e) {
    // a row that somebody broke: it never runs, which is what its alert says
    facts.schedule = nullptr;
    facts.failed_since = row.created;
    facts.failure = e.message();
  }
  return watched;
}

WatchedPlan* plan_named(Watched& watched, const std::string& name) {
  for (auto& plan : watched.plans)
    if (plan->facts.name == name) return plan.get();
  return nullptr;
}

bool has_state_table(const char* name) { return !query_state("SELECT 1 WHERE pg_catalog.to_regclass($1) IS NOT NULL", {std::string("snapback.") + name}).empty(); }

// Runs in progress, and those that failed since the last that did not.
void add_runs(Watched& watched) {
  if (!has_state_table("run_now")) return;
  for (auto& row : query_state("SELECT r.plan, pg_catalog.count(*) FROM snapback.run_now r WHERE r.kind = 'create' AND r.state_now IN ('queued', 'running') AND r.plan IS NOT NULL GROUP BY 1"))
    if (auto* plan = plan_named(watched, *row[0])) plan->facts.running = true;
  for (auto& row : query_state(R"(
      SELECT r.plan, pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.min(coalesce(r.finished_at, r.started_at, r.queued_at))))::bigint,
             (pg_catalog.array_agg(coalesce(r.message, r.state_now) ORDER BY r.run_id DESC))[1]
        FROM snapback.run_now r JOIN snapback.plan p ON p.plan = r.plan
       WHERE r.kind = 'create' AND (r.state_now IN ('failed', 'crashed') OR (r.state_now = 'gave_way' AND r.attempt > p.retries))
         AND r.run_id > coalesce((SELECT pg_catalog.max(s.run_id) FROM snapback.run s WHERE s.plan = r.plan AND s.kind = 'create' AND s.state = 'succeeded'), 0)
       GROUP BY 1)"))
    if (auto* plan = plan_named(watched, *row[0])) {
      plan->facts.failed_since = std::stoll(*row[1]);
      plan->facts.failure = row[2].value_or("");
    }
}

const BackupInfo* backup_named(const Watched& watched, const std::string& id) {
  for (auto& backup : watched.backups)
    if (backup.id == id) return &backup;
  return nullptr;
}

// Verifications by plans that ended in an error since the last of the same backup that did not; not of a backup that was verified otherwise since, that is damaged, for which there is an
// alert of its own, or that is gone.
void add_verifications(Watched& watched) {
  if (!has_state_table("run_now")) return;
  for (auto& row : query_state(R"(
      SELECT v.plan, v.backup_id, pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.min(v.ended)))::bigint, pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.max(v.ended)) * 1000000)::bigint,
             (pg_catalog.array_agg(v.why ORDER BY v.run_id DESC))[1]
        FROM (SELECT r.run_id, r.plan, r.arguments ->> 'backup_id' AS backup_id, coalesce(r.finished_at, r.started_at, r.queued_at) AS ended, coalesce(r.message, r.state_now) AS why
                FROM snapback.run_now r
               WHERE r.kind = 'verify' AND r.plan IS NOT NULL AND r.state_now IN ('failed', 'crashed', 'gave_way')) v
       WHERE v.run_id > coalesce((SELECT pg_catalog.max(s.run_id) FROM snapback.run s
                                   WHERE s.kind = 'verify' AND s.plan = v.plan AND s.arguments ->> 'backup_id' = v.backup_id AND s.state = 'succeeded'), 0)
       GROUP BY v.plan, v.backup_id ORDER BY pg_catalog.max(v.run_id))")) {
    auto* plan = plan_named(watched, *row[0]);
    auto* backup = row[1] ? backup_named(watched, *row[1]) : nullptr;
    if (plan == nullptr || backup == nullptr || backup->state != "good") continue;
    std::int64_t first = std::stoll(*row[2]), last = std::stoll(*row[3]), verified = 0;
    if (parse_utc(backup->sidecar.verified_at, verified) && verified >= last) continue;
    auto& since = plan->facts.unverified_since;
    since = std::min(since.value_or(first), first);
    plan->facts.unverified = backup->id;
    plan->facts.unverified_why = row[4].value_or("");
  }
}

// Missed slots since the last one that ran in time.
void add_slots(Watched& watched) {
  if (!has_state_table("slot")) return;
  for (auto& row : query_state(R"(
      SELECT m.plan, pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.min(m.due)))::bigint, pg_catalog.count(*)
        FROM snapback.slot m
       WHERE m.state = 'missed' AND m.due > coalesce((SELECT pg_catalog.max(s.due) FROM snapback.slot s WHERE s.plan = m.plan AND s.state = 'ran'), '-infinity')
       GROUP BY 1)"))
    if (auto* plan = plan_named(watched, *row[0])) {
      plan->facts.missed_since = std::stoll(*row[1]);
      plan->facts.missed = std::stoi(*row[2]);
    }
}

bool is_below(const std::string& path, const std::string& directory) {
  char real_path[PATH_MAX], real_directory[PATH_MAX];
  if (::realpath(path.c_str(), real_path) == nullptr || ::realpath(directory.c_str(), real_directory) == nullptr) return false;
  std::string inner = std::string(real_path) + "/", outer = std::string(real_directory) + "/";
  return inner.compare(0, outer.size(), outer) == 0;
}

void add_storage(Watched& watched) {
  StorageFacts& facts = watched.storage;
  facts.least_free_bytes = static_cast<std::uint64_t>(pg::settings.min_free_space) << 20;
  bool inside = false;
  std::string directory = storage_directory(&inside);
  facts.inside_data_directory = inside || is_below(directory, DataDir);
  struct stat storage, data;
  bool there = ::stat(directory.c_str(), &storage) == 0;
  facts.same_disk = there && ::stat(DataDir, &data) == 0 && storage.st_dev == data.st_dev;
  try {
    Repository repository(false);
    watched.backups = repository.list();
    // before the first backup there is no directory, and nothing to be said about its room
    facts.free_bytes = there ? repository.location().free_bytes() : UINT64_MAX;
  } catch (const snapback::error& e) {
    facts.free_bytes = UINT64_MAX;
    watched.storage_problem = e.message();
    watched.storage_hint = e.hint();
  }
}

void add_backups(Watched& watched) {
  for (auto& backup : watched.backups) {
    if (!counts_as_good(backup)) continue;
    if (watched.last_good == nullptr) {
      watched.last_good = &backup;
      watched.storage.last_backup_bytes = backup.stored_bytes;
    }
    if (watched.last_good_wide == nullptr && backup.wide()) watched.last_good_wide = &backup;
    auto* plan = plan_named(watched, backup.plan());
    if (plan != nullptr && !plan->facts.last_good) plan->facts.last_good = created_seconds(backup);
  }
}

void add_damage(const Watched& watched, std::vector<Alert>& alerts) {
  for (auto& backup : watched.backups) {
    bool unreadable = backup.state == "unreadable";
    if (!unreadable && !(backup.is_own && backup.state == "damaged")) continue;
    std::int64_t since = 0;
    if (parse_utc(backup.sidecar.verified_at, since))
      since /= 1000000;
    else
      since = created_seconds(backup);
    alerts.push_back({"critical", "damaged", backup.plan(), backup.id, since, "backup \"" + backup.id + "\" is " + backup.state + (backup.problem.empty() ? "" : ": " + backup.problem),
                      "Do not count on it: check the disk, take a new one with backup_create(), and delete this one: SELECT backup_delete('" + backup.id + "')."});
  }
}

int rank(const std::string& severity) { return severity == "critical" ? 0 : severity == "warning" ? 1 : 2; }

}  // namespace

std::optional<std::string> extension_relation(const std::string& name) {
  auto rows = pg::query(R"(
      SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
        FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $1::name
       WHERE e.extname = 'pg_snapback')",
                        {name});
  if (rows.empty()) return std::nullopt;
  return rows[0][0];
}

bool may_watch(const Plan& plan) {
  if (may_act_for(plan)) return true;
  return pg::query("SELECT 1 WHERE pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')").size() == 1;
}

std::vector<BackupInfo> last_good_backups() {
  std::map<std::string, BackupInfo> newest;
  try {
    for (auto& backup : Repository(false).list())
      if (counts_as_good(backup) && !backup.plan().empty()) newest.try_emplace(backup.plan(), backup);
  } catch (const snapback::error&) {
    // the alert storage_unreachable says it
    return {};
  }
  std::vector<BackupInfo> list;
  for (auto& [plan, backup] : newest) list.push_back(std::move(backup));
  return list;
}

Watched look() {
  Watched watched;
  watched.now = now_seconds();
  for (auto& plan : read_plans()) watched.plans.push_back(watch_plan(std::move(plan)));
  for (auto& row : query_state("SELECT a.plan FROM snapback.alert a WHERE a.closed_at IS NULL AND a.code = 'too_old'"))
    if (auto* plan = plan_named(watched, *row[0])) plan->facts.known_too_old = true;
  add_storage(watched);
  add_backups(watched);
  add_runs(watched);
  add_verifications(watched);
  add_slots(watched);
  return watched;
}

std::vector<Alert> all_alerts(const Watched& watched) {
  std::vector<Alert> alerts;
  auto add = [&](std::vector<Alert>&& more) { alerts.insert(alerts.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end())); };
  for (auto& plan : watched.plans) add(plan_alerts(plan->facts, watched.now));
  add_damage(watched, alerts);
  add(storage_alerts(watched.storage, watched.now));
  if (!watched.storage_problem.empty())
    alerts.push_back({"critical", "storage_unreachable", "", "", watched.now, "the storage cannot be read: " + watched.storage_problem, watched.storage_hint});
  // what was open before keeps the moment at which it opened
  for (auto& row : query_state("SELECT a.code, a.plan, a.subject, pg_catalog.floor(EXTRACT(epoch FROM a.since))::bigint FROM snapback.alert a WHERE a.closed_at IS NULL"))
    for (auto& alert : alerts)
      if (alert.code == *row[0] && alert.plan == *row[1] && alert.subject == *row[2]) alert.since = std::stoll(*row[3]);
  std::stable_sort(alerts.begin(), alerts.end(), [](const Alert& a, const Alert& b) { return rank(a.severity) < rank(b.severity); });
  return alerts;
}

std::vector<Alert> current_alerts() {
  auto watched = look();
  std::vector<Alert> visible;
  for (auto& alert : all_alerts(watched)) {
    auto* plan = plan_named(watched, alert.plan);
    if (plan == nullptr || may_watch(plan->plan)) visible.push_back(alert);
  }
  return visible;
}

Health health() {
  auto watched = look();
  Health result;
  result.now = watched.now;
  result.status = "ok";
  for (auto& plan : watched.plans) result.plans += plan->facts.active ? 1 : 0;
  if (watched.last_good != nullptr) result.last_good = created_seconds(*watched.last_good);
  for (auto& alert : all_alerts(watched)) {
    if (alert.severity == "info") continue;
    ++result.alerts;
    if (alert.severity == "critical") ++result.critical;
  }
  if (result.alerts > 0) result.status = result.critical > 0 ? "critical" : "warning";
  if (result.status == "ok" && watched.last_good == nullptr) {
    result.status = "critical";
    result.message = "there is no good backup";
  } else {
    result.message = result.alerts == 0 ? "no alert is open" : std::to_string(result.alerts) + (result.alerts == 1 ? " alert is open" : " alerts are open") + ": see backup_alerts";
  }
  return result;
}

}  // namespace snapback::service
