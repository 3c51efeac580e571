#include "service/plans.hpp"

#include <ctime>
#include <set>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "core/plan/cron.hpp"
#include "core/plan/reverify.hpp"
#include "pg/call.hpp"
#include "pg/server.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time_zone.hpp"
#include "pg/wake_table.hpp"
#include "service/repository.hpp"
#include "service/selection.hpp"
#include "service/state.hpp"

namespace snapback::service {

namespace {

using pg::Cell;

constexpr std::size_t max_plan_name = 63;
constexpr int most_kept = 100000;

[[noreturn]] void invalid(const std::string& message, const std::string& detail = "", const std::string& hint = "") {
  throw snapback::error(sqlstate::invalid_parameter_value, message, detail, hint);
}

constexpr const char* plan_columns =
    "p.plan, p.owner, p.schedule, p.timezone, p.tables::text, p.keep_days, p.keep_last, p.keep_daily, p.keep_weekly, p.keep_monthly, p.keep_yearly, p.verify, "
    "p.reverify, p.max_age, p.lock_budget, p.catch_up, p.overlap, p.retries, p.encrypt, p.location, p.enabled, p.system_identifier, p.database_oid, "
    "pg_catalog.floor(EXTRACT(epoch FROM p.next_due))::bigint, pg_catalog.floor(EXTRACT(epoch FROM p.last_due))::bigint, "
    "pg_catalog.floor(EXTRACT(epoch FROM p.next_reverify))::bigint, p.created_at, p.changed_at, pg_catalog.floor(EXTRACT(epoch FROM p.created_at))::bigint";

std::optional<int> int_cell(const Cell& cell) { return cell ? std::optional<int>(std::stoi(*cell)) : std::nullopt; }
std::optional<Seconds> seconds_cell(const Cell& cell) { return cell ? std::optional<Seconds>(std::stoll(*cell)) : std::nullopt; }
Cell cell(const std::optional<int>& value) { return value ? Cell(std::to_string(*value)) : Cell(); }
Cell cell(const std::optional<Seconds>& value) { return value ? Cell(std::to_string(*value)) : Cell(); }
Cell cell(const std::optional<bool>& value) { return value ? Cell(*value ? "t" : "f") : Cell(); }

std::vector<std::string> array_elements(const std::string& literal) {
  std::vector<std::string> elements;
  for (auto& row : pg::query("SELECT e FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u (e, n) WHERE e IS NOT NULL ORDER BY n", {literal}))
    elements.push_back(*row[0]);
  return elements;
}

Plan to_plan(const pg::Row& row, const DatabaseIdentity& database) {
  Plan plan;
  plan.name = *row[0];
  plan.owner = *row[1];
  plan.schedule = *row[2];
  plan.timezone = *row[3];
  if (row[4]) plan.tables = array_elements(*row[4]);
  plan.keep = {int_cell(row[5]), int_cell(row[6]), int_cell(row[7]), int_cell(row[8]), int_cell(row[9]), int_cell(row[10])};
  plan.verify = *row[11];
  plan.reverify = *row[12];
  plan.max_age = row[13];
  plan.lock_budget = *row[14];
  plan.catch_up = *row[15];
  plan.overlap = *row[16];
  plan.retries = std::stoi(*row[17]);
  if (row[18]) plan.encrypt = *row[18] == "t";
  plan.location = row[19];
  plan.enabled = *row[20] == "t";
  plan.suspended = *row[21] != database.system_identifier || static_cast<Oid>(std::stoul(*row[22])) != database.oid;
  plan.next_due = seconds_cell(row[23]);
  plan.last_due = seconds_cell(row[24]);
  plan.next_reverify = seconds_cell(row[25]);
  plan.created_at = *row[26];
  plan.changed_at = *row[27];
  plan.created = seconds_cell(row[28]).value_or(0);
  return plan;
}

Oid role_id(const std::string& name) {
  return pg::call([&] { return get_role_oid(name.c_str(), true); });
}

void check_plan_right(const Plan& plan, const char* action) {
  if (may_act_for(plan)) return;
  throw snapback::error(sqlstate::insufficient_privilege, std::string("permission denied to ") + action + " plan \"" + plan.name + "\"", "It belongs to another role.",
                        "Plans of one database have different names: choose another one for a plan of your own.");
}

void check_name(const std::string& name) {
  bool control = std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > max_plan_name || control)
    invalid("invalid plan name \"" + printable(name) + "\"", "A plan's name has 1 to " + std::to_string(max_plan_name) + " bytes and no control characters.");
}

void check_choice(const std::optional<std::string>& value, const char* name, std::initializer_list<const char*> choices) {
  if (!value) return;
  std::string list;
  std::size_t position = 0;
  for (auto choice : choices) {
    if (*value == choice) return;
    list += (position == 0 ? "" : position + 1 == choices.size() ? " or " : ", ") + std::string(choice);
    ++position;
  }
  invalid(std::string("invalid ") + name + " \"" + printable(*value) + "\"", "", std::string("Valid values are ") + list + ".");
}

void check_interval(const std::optional<std::string>& value, const char* name, const char* example) {
  if (!value || *value == "0") return;
  bool positive = false;
  auto refused = pg::in_subtransaction([&] { positive = pg::query("SELECT $1::interval > '0'::interval", {*value})[0][0] == "t"; }, pg::is_data_error);
  if (refused || !positive)
    invalid(std::string("invalid ") + name + " \"" + printable(*value) + "\"", "It is a length of time, or 0 for no limit.", std::string("For example '") + example + "'.");
}

// Names are looked up in the caller's search path now, so that the plan means the same tables whoever runs it.
std::vector<std::string> qualified_names(const std::vector<std::string>& names) {
  std::vector<std::string> result;
  auto add = [&](const std::string& name) {
    if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
  };
  for (auto& name : names) {
    auto pattern = parse_pattern(name);
    if (pattern.everything() || (pattern.schema && (pattern.name.wild || pattern.schema->wild))) {
      select_tables(std::vector<std::string>{name}, {});
      add(name);
      continue;
    }
    for (auto oid : select_tables(std::vector<std::string>{name}, {}).checked) {
      const char* schema = pg::call([&] { return get_namespace_name(get_rel_namespace(oid)); });
      const char* table = pg::call([&] { return get_rel_name(oid); });
      if (schema == nullptr || table == nullptr) continue;  // dropped since
      if (pg::call([&] { return isAnyTempNamespace(get_rel_namespace(oid)); }))
        throw snapback::error(sqlstate::wrong_object_type, std::string("table \"") + table + "\" is temporary", "It is gone when the session ends; a plan runs in sessions of its own.");
      add(pattern.name.wild ? pg::quote_identifier(schema) + "." + name : pg::qualified(schema, table));
    }
  }
  return result;
}

void set_limit(std::optional<int>& rule, const std::optional<int>& value, const char* name) {
  if (!value) return;
  if (*value < 0 || *value > most_kept)
    invalid(std::string("argument \"") + name + "\" must be 0 to " + std::to_string(most_kept), "0 takes the limit away.");
  rule = *value == 0 ? std::nullopt : value;
}

void apply_keeping(Plan& plan, const PlanChange& change, bool is_new) {
  set_limit(plan.keep.days, change.keep_days, "keep_days");
  set_limit(plan.keep.last, change.keep_last, "keep_last");
  set_limit(plan.keep.daily, change.keep_daily, "keep_daily");
  set_limit(plan.keep.weekly, change.keep_weekly, "keep_weekly");
  set_limit(plan.keep.monthly, change.keep_monthly, "keep_monthly");
  set_limit(plan.keep.yearly, change.keep_yearly, "keep_yearly");
  bool given = change.keep_days || change.keep_last || change.keep_daily || change.keep_weekly || change.keep_monthly || change.keep_yearly;
  if (is_new && !given) plan.keep.days = 30;
  if (plan.keep.keeps_nothing())
    invalid("plan \"" + plan.name + "\" would keep no backup", "Every limit is taken away.", "Set at least one of keep_days, keep_last, keep_daily, keep_weekly, keep_monthly and keep_yearly.");
}

void apply_settings(Plan& plan, const PlanChange& change, bool is_new) {
  if (change.schedule) plan.schedule = *change.schedule;
  CronSchedule::parse(plan.schedule);
  if (change.timezone) plan.timezone = *change.timezone;
  plan.timezone = pg::ServerTimeZone(plan.timezone).name();
  apply_keeping(plan, change, is_new);
  check_choice(change.verify, "verification level", {"files", "content", "restore"});
  check_choice(change.catch_up, "catch_up", {"once", "skip"});
  check_choice(change.overlap, "overlap", {"skip", "wait"});
  check_interval(change.lock_budget, "lock_budget", "2 seconds");
  if (change.max_age != "default") check_interval(change.max_age, "max_age", "25 hours");
  if (change.retries && (*change.retries < 0 || *change.retries > 100)) invalid("argument \"retries\" must be 0 to 100");
  if (change.encrypt.value_or(false))
    throw snapback::error(sqlstate::feature_not_supported, "argument \"encrypt\" of backup_schedule() is not supported yet", "", "Leave it out; the changelog tells when it comes.");
  if (change.location && *change.location != "default")
    throw snapback::error(sqlstate::undefined_object, "location \"" + printable(*change.location) + "\" does not exist", "", "The one location is \"default\", the directory of pg_snapback.storage_location.");
  if (change.verify) plan.verify = *change.verify;
  if (change.reverify) plan.reverify = Reverify::parse(*change.reverify == "0" ? "never" : *change.reverify).text;
  if (change.max_age) plan.max_age = change.max_age == "default" ? std::nullopt : change.max_age;
  if (change.lock_budget) plan.lock_budget = *change.lock_budget;
  if (change.catch_up) plan.catch_up = *change.catch_up;
  if (change.overlap) plan.overlap = *change.overlap;
  if (change.retries) plan.retries = *change.retries;
  if (change.encrypt) plan.encrypt = change.encrypt;
  if (change.location) plan.location = change.location;
  if (change.enabled) plan.enabled = *change.enabled;
}

Plan new_plan(const PlanChange& change) {
  if (!change.schedule && change.name != "daily")
    throw snapback::error(sqlstate::undefined_object, "plan \"" + change.name + "\" does not exist", "", "Give a schedule to make it: backup_schedule('" + change.name + "', '0 3 * * 0').");
  Plan plan;
  plan.name = change.name;
  plan.owner = pg::role_name(GetUserId());
  plan.schedule = "0 2 * * *";
  plan.timezone = pg::session_time_zone();
  plan.verify = "files";
  plan.reverify = "files @weekly";
  plan.lock_budget = "2s";
  plan.catch_up = "once";
  plan.overlap = "skip";
  plan.retries = 3;
  plan.enabled = true;
  return plan;
}

// The order of the statement below.
std::vector<Cell> plan_cells(const Plan& plan) {
  return {plan.name,
          plan.schedule,
          plan.timezone,
          plan.tables ? Cell(pg::array_literal(*plan.tables)) : Cell(),
          cell(plan.keep.days),
          cell(plan.keep.last),
          cell(plan.keep.daily),
          cell(plan.keep.weekly),
          cell(plan.keep.monthly),
          cell(plan.keep.yearly),
          plan.verify,
          plan.reverify,
          plan.max_age,
          plan.lock_budget,
          plan.catch_up,
          plan.overlap,
          std::to_string(plan.retries),
          cell(plan.encrypt),
          plan.location,
          plan.enabled ? "t" : "f",
          cell(plan.next_due),
          cell(plan.next_reverify)};
}

constexpr const char* identity_of_this_database =
    "(SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c), (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";

// False when another session made a plan of this name meanwhile.
bool insert_plan(const Plan& plan) {
  auto cells = plan_cells(plan);
  cells.push_back(plan.owner);
  return !modify_state(std::string(R"(
      INSERT INTO snapback.plan AS p (plan, schedule, timezone, tables, keep_days, keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly, verify, reverify,
                                      max_age, lock_budget, catch_up, overlap, retries, encrypt, location, enabled, next_due, next_reverify, owner, system_identifier, database_oid)
      SELECT $1, $2, $3, $4::text[], $5::integer, $6::integer, $7::integer, $8::integer, $9::integer, $10::integer, $11, $12, $13, $14, $15, $16, $17::integer,
             $18::boolean, $19, $20::boolean, pg_catalog.to_timestamp($21::bigint), pg_catalog.to_timestamp($22::bigint), $23::name, )") +
                           identity_of_this_database + " ON CONFLICT DO NOTHING RETURNING p.plan",
                       cells)
              .empty();
}

void update_plan(const Plan& plan) {
  modify_state(std::string(R"(
      UPDATE snapback.plan AS p
         SET schedule = $2, timezone = $3, tables = $4::text[], keep_days = $5::integer, keep_last = $6::integer, keep_daily = $7::integer, keep_weekly = $8::integer,
             keep_monthly = $9::integer, keep_yearly = $10::integer, verify = $11, reverify = $12, max_age = $13, lock_budget = $14, catch_up = $15, overlap = $16,
             retries = $17::integer, encrypt = $18::boolean, location = $19, enabled = $20::boolean, next_due = pg_catalog.to_timestamp($21::bigint),
             next_reverify = pg_catalog.to_timestamp($22::bigint), changed_at = pg_catalog.now())") +
                   (plan.suspended ? "" : std::string(", (system_identifier, database_oid) = (SELECT ") + identity_of_this_database + ")") + " WHERE p.plan = $1",
               plan_cells(plan));
}

std::optional<Plan> lock_plan(const std::string& name) {
  auto rows = modify_state(std::string("SELECT ") + plan_columns + " FROM snapback.plan p WHERE p.plan = $1 FOR UPDATE", {name});
  if (rows.empty()) return std::nullopt;
  return to_plan(rows[0], this_database());
}

}  // namespace

Seconds now_seconds() { return static_cast<Seconds>(::time(nullptr)); }

bool may_act_for(const Plan& plan) {
  Oid owner = role_id(plan.owner);
  return pg::call([&] { return superuser() || (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner)); });
}

std::vector<Plan> read_plans() {
  std::vector<Plan> plans;
  auto database = this_database();
  for (auto& row : query_state(std::string("SELECT ") + plan_columns + " FROM snapback.plan p ORDER BY p.plan")) plans.push_back(to_plan(row, database));
  return plans;
}

std::optional<Plan> read_plan(const std::string& name) {
  auto rows = query_state(std::string("SELECT ") + plan_columns + " FROM snapback.plan p WHERE p.plan = $1", {name});
  if (rows.empty()) return std::nullopt;
  return to_plan(rows[0], this_database());
}

Plan find_plan(const std::string& name, const char* action) {
  auto plan = read_plan(name);
  if (!plan) throw snapback::error(sqlstate::undefined_object, "plan \"" + printable(name) + "\" does not exist", "", "The view backup_plans shows the plans of this database.");
  check_plan_right(*plan, action);
  return *plan;
}

std::vector<Seconds> next_due_times(const Plan& plan, Seconds moment, int count) {
  auto schedule = CronSchedule::parse(plan.schedule);
  pg::ServerTimeZone zone(plan.timezone);
  std::vector<Seconds> times;
  for (int i = 0; i < count; ++i) times.push_back(moment = schedule.next_after(moment, zone));
  return times;
}

std::optional<Seconds> next_reverify_time(const Plan& plan, Seconds moment) {
  auto reverify = Reverify::parse(plan.reverify);
  if (!reverify.schedule) return std::nullopt;
  return reverify.schedule->next_after(moment, pg::ServerTimeZone(plan.timezone));
}

Plan schedule_plan(const PlanChange& change) {
  check_name(change.name);
  for (;;) {
    auto found = lock_plan(change.name);
    if (found) check_plan_right(*found, "change");
    Plan plan = found ? *found : new_plan(change);
    apply_settings(plan, change, !found);
    if (change.tables) plan.tables = qualified_names(*change.tables);
    if (change.tables || !found) check_readable(select_tables(plan.tables, {}).checked);
    bool taken_over = plan.suspended && change.enabled.value_or(false);
    if (taken_over) plan.suspended = false;
    // a slot that is due stays due unless the change says what is due now
    bool times_changed = !found || taken_over || found->schedule != plan.schedule || found->timezone != plan.timezone || found->enabled != plan.enabled;
    if (times_changed || !plan.next_due) plan.next_due = plan.enabled ? std::optional<Seconds>(next_due_times(plan, now_seconds(), 1)[0]) : std::nullopt;
    if (times_changed || found->reverify != plan.reverify) plan.next_reverify = plan.enabled ? next_reverify_time(plan, now_seconds()) : std::nullopt;
    if (found)
      update_plan(plan);
    else if (!insert_plan(plan))
      continue;
    pg::wake_at_commit();
    return read_plan(plan.name).value_or(plan);
  }
}

Plan unschedule_plan(const std::string& name) {
  find_plan(name, "remove");
  auto plan = lock_plan(name);
  if (!plan) return find_plan(name, "remove");
  modify_state("DELETE FROM snapback.plan AS p WHERE p.plan = $1", {name});
  pg::wake_at_commit();
  return *plan;
}

bool worker_is_loaded() {
  const char* preloaded = pg::call([] { return GetConfigOption("shared_preload_libraries", true, false); });
  return preloaded != nullptr && std::string(preloaded).find("pg_snapback") != std::string::npos;
}

std::vector<std::string> plan_warnings(const Plan& plan) {
  std::vector<std::string> warnings;
  if (plan.suspended)
    warnings.push_back("suspended: the plan was made in another database, of which this one is a copy; backup_schedule('" + plan.name + "', enabled => true) takes it over");
  else if (!worker_is_loaded())
    warnings.push_back("the background worker is not there to run it: add pg_snapback to shared_preload_libraries, or let pg_cron call backup_run_due() every minute");
  if (role_id(plan.owner) == InvalidOid) warnings.push_back("its owner, role \"" + plan.owner + "\", does not exist any more");
  return warnings;
}

}  // namespace snapback::service
