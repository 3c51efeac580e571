#include "service/schedule.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "core/plan/due.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/identity.hpp"
#include "pg/settings.hpp"
#include "pg/wake_table.hpp"
#include "service/plans.hpp"
#include "service/rights.hpp"
#include "service/reverification.hpp"
#include "service/runs.hpp"
#include "service/state.hpp"
#include "service/watching.hpp"

namespace snapback::service {

namespace {

std::string moment_text(Moment moment) {
  return *pg::query("SELECT pg_catalog.to_timestamp($1::bigint)::text", {std::to_string(moment)})[0][0];
}

// The run that a plan asks for: backup_create with its settings, as its owner.
RunRequest request_for(const Plan& plan) {
  RunRequest request;
  request.kind = "create";
  request.role = plan.owner;
  request.plan = plan.name;
  request.arguments["label"] = pg::shown_utf8(plan.name);
  if (plan.tables) request.arguments["tables"] = Json::array();
  if (plan.tables)
    for (auto& table : *plan.tables) request.arguments["tables"].push_back(pg::shown_utf8(table));
  request.arguments["verify"] = plan.verify;
  if (plan.encrypt && *plan.encrypt) request.arguments["encrypt"] = true;
  return request;
}

// What the tables say about the plan's slot in progress and its runs that are alive.
void read_runs(const std::string& name, DuePlan& due) {
  due.busy = query_state("SELECT 1 FROM snapback.run WHERE plan = $1 AND kind = 'create' AND state IN ('queued', 'running') LIMIT 1", {name}).size() > 0;
  auto rows = query_state(R"(
      SELECT pg_catalog.floor(EXTRACT(epoch FROM s.due))::bigint, r.attempt, r.state, pg_catalog.floor(EXTRACT(epoch FROM r.finished_at))::bigint, r.message, s.late
        FROM snapback.slot s JOIN snapback.run r ON r.run_id = s.run_id
       WHERE s.plan = $1 AND s.state = 'running' ORDER BY s.due DESC LIMIT 1)",
                          {name});
  if (rows.empty()) return;
  auto& row = rows[0];
  OpenSlot open;
  open.due = std::stoll(*row[0]);
  open.attempt = std::stoi(*row[1]);
  open.alive = *row[2] == "queued" || *row[2] == "running";
  open.ended_at = row[3] ? std::stoll(*row[3]) : 0;
  open.gave_way = *row[2] == "gave_way";
  open.why = (open.gave_way ? "" : *row[2] + ": ") + row[4].value_or("no reason is known");
  open.late = *row[5] == "t";
  due.open = open;
}

DuePlan describe(const Plan& plan) {
  DuePlan due;
  due.next_due = *plan.next_due;
  due.catch_up = plan.catch_up == "once";
  due.wait_for_end = plan.overlap == "wait";
  due.retries = plan.retries;
  due.next_after = [&plan](Moment moment) { return next_due_times(plan, moment, 1).at(0); };
  due.is_decided = [&plan](Moment moment) {
    return !query_state("SELECT 1 FROM snapback.slot WHERE plan = $1 AND due = pg_catalog.to_timestamp($2::bigint)", {plan.name, std::to_string(moment)}).empty();
  };
  read_runs(plan.name, due);
  return due;
}

void start(const Plan& plan, const RunStart& start) {
  auto request = request_for(plan);
  request.due = moment_text(start.due);
  request.attempt = start.attempt;
  if (start.attempt == 1) {
    // the slot first: whoever inserts it runs it, and nobody else ever does
    auto rows = modify_state("INSERT INTO snapback.slot (plan, due, state, late) VALUES ($1, $2::timestamptz, 'running', $3::boolean) ON CONFLICT DO NOTHING RETURNING 1",
                             {plan.name, request.due, start.late ? "true" : "false"});
    if (rows.empty()) return;
  }
  auto run_id = queue_run(request);
  modify_state("UPDATE snapback.slot SET run_id = $3::bigint, decided_at = pg_catalog.clock_timestamp() WHERE plan = $1 AND due = $2::timestamptz",
               {plan.name, request.due, std::to_string(run_id)});
}

void record(const Plan& plan, const SlotDecision& slot) {
  modify_state(R"(
      INSERT INTO snapback.slot AS s (plan, due, state, reason) VALUES ($1, pg_catalog.to_timestamp($2::bigint), $3, $4)
      ON CONFLICT (plan, due) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, decided_at = EXCLUDED.decided_at WHERE s.state = 'running')",
               {plan.name, std::to_string(slot.due), slot.state, slot.reason.empty() ? pg::Cell() : pg::Cell(slot.reason)});
}

// One plan, decided and written down in the transaction in progress; when to look again.
Moment decide_plan(const std::string& name) {
  // one decider at a time in a database
  pg::lock_until_commit(run_table(), 0);
  pg::limit_lock_waits(bookkeeping_patience);
  auto plan = read_plan(name);
  if (!plan || !plan->enabled || plan->suspended || !plan->next_due) return std::numeric_limits<Moment>::max();
  auto decision = decide(describe(*plan), now_seconds());
  for (auto& slot : decision.slots) record(*plan, slot);
  if (decision.start) start(*plan, *decision.start);
  if (decision.next_due != *plan->next_due)
    modify_state("UPDATE snapback.plan SET last_due = CASE WHEN $2::bigint > $3::bigint THEN next_due ELSE last_due END, next_due = pg_catalog.to_timestamp($2::bigint) WHERE plan = $1",
                 {name, std::to_string(decision.next_due), std::to_string(*plan->next_due)});
  return decision.wake;
}

// Kept backups that are to be read again, one run after the other: the end of each comes here again. When to look next.
Moment decide_reverification(const std::string& name) {
  pg::lock_until_commit(run_table(), 0);
  auto plan = read_plan(name);
  if (!plan || !plan->enabled || plan->suspended || !plan->next_reverify) return std::numeric_limits<Moment>::max();
  if (*plan->next_reverify > now_seconds()) return *plan->next_reverify;
  if (!query_state("SELECT 1 FROM snapback.run WHERE plan = $1 AND kind = 'verify' AND state IN ('queued', 'running') LIMIT 1", {name}).empty()) return now_seconds() + 60;
  for (auto& due : verifications_due(*plan)) {
    // a verification that ends in an error leaves the backup as it was: once is enough
    if (!query_state("SELECT 1 FROM snapback.run WHERE plan = $1 AND kind = 'verify' AND arguments ->> 'backup_id' = $2 AND queued_at >= pg_catalog.to_timestamp($3::bigint) LIMIT 1",
                     {name, due.id, std::to_string(*plan->next_reverify)})
             .empty())
      continue;
    RunRequest request;
    request.kind = "verify";
    request.role = plan->owner;
    request.plan = plan->name;
    request.arguments = {{"backup_id", due.id}, {"level", due.level}};
    queue_run(request);
    return now_seconds() + 60;
  }
  reverification_done(*plan);
  return next_reverify_time(*plan, now_seconds()).value_or(std::numeric_limits<Moment>::max());
}

// An error of one step of a worker ends here, after the abort: it is in the log, and the next step goes on.
bool survives(const std::string& what, const std::function<void()>& step) {
  std::string state, message;
  try {
    pg::in_transaction(step);
    return true;
  } catch (pg::error& e) {
    state = e.sqlstate();
    message = e.message();
  } catch (const snapback::error& e) {
    state = e.sqlstate();
    message = e.message();
  }
  // somebody has our tables, most likely a DROP EXTENSION
  if (state == sqlstate::lock_not_available) return false;
  pg::call([&] { ereport(WARNING, (errmsg("pg_snapback could not decide %s: %s", what.c_str(), message.c_str()), errdetail("SQLSTATE %s.", state.c_str()))); });
  return false;
}

void raise_failure(const pg::Row& run) {
  std::string state = run[4].value_or(sqlstate::internal_error);
  throw snapback::error(state.c_str(), "run " + *run[0] + " of plan \"" + run[1].value_or("") + "\" " + *run[2] + (run[3] ? ": " + *run[3] : ""), "",
                        "SELECT * FROM backup_runs WHERE run_id = " + *run[0] + " has all about it.");
}

}  // namespace

std::int64_t run_plan(const std::string& name) {
  auto plan = read_plan(name);
  if (!plan)
    throw snapback::error(sqlstate::undefined_object, "plan \"" + name + "\" does not exist", "", "The plans are listed by: SELECT * FROM backup_plans.");
  if (!may_act_for(*plan) && !may_operate_everything())
    throw snapback::error(sqlstate::insufficient_privilege, "permission denied to run plan \"" + name + "\"", "It belongs to role \"" + plan->owner + "\".",
                          "A superuser can grant the right to run all plans: SELECT backup_grant('role', 'operate').");
  return queue_run(request_for(*plan));
}

std::vector<std::int64_t> run_due(bool raise) {
  std::string before = *query_state("SELECT COALESCE(pg_catalog.max(run_id), 0) FROM snapback.run")[0][0];
  if (!pg::run_worker("pg_snapback_decide_main", "pg_snapback decider", {MyDatabaseId, InvalidTransactionId, 0}))
    throw snapback::error(sqlstate::configuration_limit_exceeded, "no process is free to decide what is due",
                          "All background workers that max_worker_processes allows are in use.", "Try again later, or raise max_worker_processes.");
  std::vector<std::int64_t> runs;
  for (;;) {
    auto rows = query_state("SELECT run_id, plan, state, message, sqlstate FROM " + extension_schema() + ".backup_runs WHERE run_id > $1::bigint AND due IS NOT NULL ORDER BY run_id", {before});
    bool ended = std::all_of(rows.begin(), rows.end(), [](const pg::Row& row) { return *row[2] != "queued" && *row[2] != "running"; });
    if (!ended) {
      pg::nap(100);
      continue;
    }
    for (auto& row : rows) {
      if (raise && *row[2] != "succeeded") raise_failure(row);
      runs.push_back(std::stoll(*row[0]));
    }
    return runs;
  }
}

void announce_alerts() {
  (void)survives("alerts", [] {
    pg::limit_lock_waits(bookkeeping_patience);
    if (OidIsValid(run_table())) (void)refresh_alerts();
  });
}

void decide_plans() {
  pg::report_activity("deciding what is due");
  Moment wake = std::numeric_limits<Moment>::max();
  std::vector<std::string> names;
  bool installed = false;
  bool well = survives("what is due", [&] {
    installed = OidIsValid(run_table());
    if (!installed) return;
    pg::limit_lock_waits(bookkeeping_patience);
    (void)note_crashed_runs();
    for (auto& row : query_state("SELECT plan FROM snapback.plan ORDER BY next_due, plan")) names.push_back(*row[0]);
  });
  // switched on again, the launcher looks everywhere
  if (!pg::settings.enabled) return;
  for (auto& name : names)
    if (!survives("plan \"" + name + "\"", [&] { wake = std::min(wake, decide_plan(name)); })) well = false;
  for (auto& name : names)
    if (!survives("verifications of plan \"" + name + "\"", [&] { wake = std::min(wake, decide_reverification(name)); })) well = false;
  if (installed && !survives("alerts", [&] { wake = std::min(wake, refresh_alerts().value_or(std::numeric_limits<Moment>::max())); })) well = false;
  if (!well) wake = std::min(wake, now_seconds() + 60);
  pg::settle_wake(MyDatabaseId, !installed || wake == std::numeric_limits<Moment>::max() ? std::nullopt : std::optional<std::int64_t>(wake));
}

}  // namespace snapback::service
