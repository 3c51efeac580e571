#include "service/runs.hpp"

#include <vector>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "pg/politeness.hpp"
#include "pg/server.hpp"
#include "pg/settings.hpp"
#include "service/rights.hpp"
#include "service/run_call.hpp"
#include "service/schedule.hpp"

namespace snapback::service {

namespace {

// Runs queued by the transaction in progress.
struct Queued {
  std::int64_t run_id;
  int nest_level;
};

// Kept until the process ends, as in service/pending.cpp.
std::vector<Queued>& queued_runs() {
  static auto* list = new std::vector<Queued>;
  return *list;
}

CurrentRun& this_run() {
  static auto* run = new CurrentRun;
  return *run;
}

// The workers are there before the transaction is committed, so that a lack of them is an error of the transaction; each waits for its end and finds no row if it is rolled back.
void start_queued() {
  for (auto& queued : queued_runs()) {
    pg::WorkerTask task{MyDatabaseId, pg::call([] { return GetTopTransactionId(); }), queued.run_id};
    if (!pg::start_worker("pg_snapback_run_main", "pg_snapback run", task))
      throw snapback::error(sqlstate::configuration_limit_exceeded, "no process is free for run " + std::to_string(queued.run_id),
                            "All background workers that max_worker_processes allows are in use.", "Try again later, or raise max_worker_processes.");
  }
}

void run_transaction_ended(XactEvent event, void*) {
  if (queued_runs().empty()) return;
  if (event == XACT_EVENT_PRE_PREPARE)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot PREPARE a transaction that started a run"),
                    errdetail("Its worker starts when the transaction commits in this session.")));
  if (event == XACT_EVENT_PRE_COMMIT) pg::boundary([] { start_queued(); });
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) queued_runs().clear();
}

void run_subtransaction_ended(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (queued_runs().empty()) return;
  int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_COMMIT_SUB)
    for (auto& queued : queued_runs()) queued.nest_level = std::min(queued.nest_level, level - 1);
  if (event == SUBXACT_EVENT_ABORT_SUB) std::erase_if(queued_runs(), [&](const Queued& queued) { return queued.nest_level >= level; });
}

// Bookkeeping is the extension's, whoever called.
pg::RunAs as_bookkeeper() { return pg::RunAs(BOOTSTRAP_SUPERUSERID, SECURITY_LOCAL_USERID_CHANGE); }

Json parse_arguments(const std::string& text) {
  Json json = Json::parse(pg::utf8_text(text), nullptr, false);
  if (!json.is_object())
    throw snapback::error(sqlstate::invalid_parameter_value, "argument \"args\" must be a JSON object", "", "For example '{\"label\": \"from the console\"}'.");
  return json;
}

// What a run does, as its row has it.
struct ClaimedRun {
  std::string kind, role, search_path;
  Json arguments;
  std::string lock_budget;  // of its plan; empty: none
};

std::optional<ClaimedRun> claim(std::int64_t run_id) {
  auto rows = pg::modify(R"(
      UPDATE snapback.run SET state = 'running', started_at = pg_catalog.clock_timestamp(), pid = pg_catalog.pg_backend_pid(), finished_at = NULL, message = NULL
       WHERE run_id = $1::bigint AND (state = 'queued' OR (state = 'crashed' AND started_at IS NULL))
      RETURNING kind, role_name, search_path, arguments, plan, due)",
                         {std::to_string(run_id)});
  if (rows.empty()) return std::nullopt;
  auto& row = rows[0];
  this_run() = {run_id, row[4].value_or(""), row[5].value_or("")};
  ClaimedRun run{*row[0], *row[1], row[2].value_or(""), Json::parse(pg::utf8_text(*row[3])), ""};
  if (!current_run().plan.empty())
    for (auto& plan : pg::query("SELECT lock_budget FROM snapback.plan WHERE plan = $1", {current_run().plan})) run.lock_budget = *plan[0];
  return run;
}

// What came of it, for its row.
struct Outcome {
  std::string state = "succeeded", sqlstate, message;
  Json result;
};

pg::Cell cell(const std::string& text) { return text.empty() ? pg::Cell() : pg::Cell(text); }

// rows, bytes and backup of the results, which differ from function to function
struct Figures {
  pg::Cell rows, bytes, backup_id;
};

Figures figures_of(const std::string& kind, const Json& result) {
  Figures figures;
  if (!result.is_array() || result.empty()) return figures;
  const Json& first = result[0];
  auto number = [](const Json& json, const char* key) { return json.contains(key) && json[key].is_number_integer() ? json[key].get<std::int64_t>() : 0; };
  if (kind == "create") figures = {std::to_string(number(first, "rows")), std::to_string(number(first, "stored_bytes")), first.value("id", "")};
  if (kind == "verify") figures = {std::to_string(number(first, "rows")), pg::Cell(), first.value("backup_id", "")};
  if (kind == "delete") figures = {pg::Cell(), std::to_string(number(first, "stored_bytes")), first.value("id", "")};
  if (kind == "restore") {
    std::int64_t rows = 0;
    for (auto& table : result) rows += number(table, "inserted") + number(table, "updated");
    figures = {std::to_string(rows), pg::Cell(), first.value("backup_id", "")};
  }
  return figures;
}

// The slot of a run that will not be tried again. Those of runs that failed are left to who decides about retries (service/schedule.cpp).
void close_slot(std::int64_t run_id) {
  pg::modify(R"(
      UPDATE snapback.slot s SET state = CASE WHEN r.state = 'cancelled' THEN 'skipped' WHEN s.late THEN 'late' ELSE 'ran' END,
             reason = CASE WHEN r.state = 'cancelled' THEN 'cancelled' END, decided_at = pg_catalog.clock_timestamp()
        FROM snapback.run r WHERE r.run_id = $1::bigint AND s.run_id = r.run_id AND s.state = 'running')",
             {std::to_string(run_id)});
}

void write_outcome(std::int64_t run_id, const std::string& kind, const Outcome& outcome) {
  if (!OidIsValid(run_table())) return;
  auto figures = figures_of(kind, outcome.result);
  // one result is shown as it is, a set of them as an array
  const Json& shown = outcome.result.is_array() && outcome.result.size() == 1 && kind != "restore" && kind != "prune" ? outcome.result[0] : outcome.result;
  pg::modify(R"(
      UPDATE snapback.run SET state = $2, finished_at = pg_catalog.clock_timestamp(), rows = $3::bigint, bytes = $4::bigint, backup_id = $5, sqlstate = $6, message = $7, result = $8::jsonb
       WHERE run_id = $1::bigint)",
             {std::to_string(run_id), outcome.state, figures.rows, figures.bytes, figures.backup_id, cell(outcome.sqlstate), cell(outcome.message),
              shown.is_null() ? pg::Cell() : pg::Cell(pg::shown_text(shown.dump()))});
  if (outcome.state == "succeeded" || outcome.state == "cancelled") close_slot(run_id);
}

// Again and again while somebody holds our tables; not for ever.
void write_patiently(std::int64_t run_id, const std::string& kind, const Outcome& outcome) {
  for (int i = 0;; ++i) {
    try {
      pg::in_transaction([&] {
        pg::fault_point("run.work_ended");
        pg::limit_lock_waits(bookkeeping_patience);
        if (Oid table = run_table(); OidIsValid(table)) pg::hold_liveness(table, run_id);
        write_outcome(run_id, kind, outcome);
        if (OidIsValid(run_table())) forget_old_runs();
      });
      return;
    } catch (pg::error& e) {
      if (e.sqlstate() != sqlstate::lock_not_available || i >= 100) throw;
    }
  }
}

Oid role_of(const std::string& name) {
  Oid role = pg::call([&] { return get_role_oid(name.c_str(), true); });
  if (!OidIsValid(role))
    throw snapback::error(sqlstate::undefined_object, "role \"" + name + "\" does not exist", "The run was to work with its rights.", "Give the plan another owner, or start the run as another role.");
  return role;
}

// The work, in a transaction with the role's rights to its very end: what is deferred to the commit is the role's as well. A restore is marked as done by the same commit.
Outcome work(std::int64_t run_id, const ClaimedRun& run) {
  Outcome outcome;
  std::optional<pg::RunAs> role;
  pg::in_transaction([&] {
    if (Oid table = run_table(); OidIsValid(table)) pg::lock_until_commit(table, run_id);
    auto call = make_run_call(run.kind, run.arguments);
    pg::call([&] { (void)set_config_option("search_path", run.search_path.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false); });
    if (!run.lock_budget.empty()) pg::be_polite(run.lock_budget);
    role.emplace(role_of(run.role), SECURITY_LOCAL_USERID_CHANGE);
    auto rows = pg::modify_as_is(call.sql, call.values);
    outcome.result = Json::parse(pg::utf8_text(rows.at(0).at(0).value_or("[]")));
    if (run.kind != "restore") return;
    auto bookkeeper = as_bookkeeper();
    write_outcome(run_id, run.kind, outcome);
  });
  return outcome;
}

Outcome failure(const std::string& sqlstate, const std::string& message) {
  Outcome outcome;
  bool gave_way = sqlstate == sqlstate::lock_not_available && !current_run().plan.empty();
  outcome.state = gave_way ? "gave_way" : sqlstate == sqlstate::query_canceled ? "cancelled" : "failed";
  outcome.sqlstate = sqlstate;
  outcome.message = message;
  return outcome;
}

// The one place of a worker where an error ends: its transaction is aborted by then.
Outcome attempt(std::int64_t run_id, const ClaimedRun& run) {
  try {
    return work(run_id, run);
  } catch (pg::error& e) {
    return failure(e.sqlstate(), e.message());
  } catch (const snapback::error& e) {
    return failure(e.sqlstate(), e.message());
  } catch (const std::bad_alloc&) {
    return failure(sqlstate::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    return failure(sqlstate::internal_error, e.what());
  }
}

// "running", "crashed", or "queued" when it has waited for longer than any worker takes to begin; empty for every other state, and for a run that is gone.
std::string state_without_end(std::int64_t run_id) {
  auto rows = pg::query("SELECT state FROM snapback.run WHERE run_id = $1::bigint AND (state IN ('running', 'crashed') OR state = 'queued' AND queued_at < pg_catalog.clock_timestamp() - '1 minute'::interval)",
                        {std::to_string(run_id)});
  return rows.empty() ? "" : *rows[0][0];
}

// Whether a worker holds the run's lock.
bool is_alive(std::int64_t run_id) {
  return !pg::query("SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'object' AND granted AND mode = 'ExclusiveLock' AND database = $1::oid AND classid = $2::oid AND objid = $3::oid",
                    {std::to_string(MyDatabaseId), std::to_string(run_table()), std::to_string(static_cast<Oid>(run_id))}).empty();
}

}  // namespace

std::string extension_schema() {
  auto rows = pg::query("SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
                        "WHERE e.extname = 'pg_snapback'");
  return rows.empty() ? "" : *rows[0][0];
}

Oid run_table() {
  return pg::call([] {
    Oid schema = get_namespace_oid("snapback", true);
    return OidIsValid(schema) ? get_relname_relid("run", schema) : InvalidOid;
  });
}

const CurrentRun& current_run() { return this_run(); }

void register_run_callbacks() {
  RegisterXactCallback(run_transaction_ended, nullptr);
  RegisterSubXactCallback(run_subtransaction_ended, nullptr);
}

std::int64_t queue_run(const RunRequest& request) {
  auto bookkeeper = as_bookkeeper();
  auto rows = pg::modify(R"(
      INSERT INTO snapback.run (kind, plan, due, attempt, role_name, arguments, search_path)
      VALUES ($1, $2, $3::timestamptz, $4::integer, $5, $6::jsonb, $7) RETURNING run_id)",
                         {request.kind, request.plan, request.due, std::to_string(request.attempt), request.role, pg::server_text(request.arguments.dump()), request.search_path});
  std::int64_t run_id = std::stoll(*rows[0][0]);
  queued_runs().push_back({run_id, GetCurrentTransactionNestLevel()});
  return run_id;
}

std::int64_t start_run(const std::string& action, const std::string& arguments) {
  RunRequest request;
  if (action != "create" && action != "verify" && action != "restore" && action != "prune" && action != "delete")
    throw snapback::error(sqlstate::invalid_parameter_value, "unknown action \"" + printable(action) + "\"", "", "The actions are create, verify, restore, prune and delete.");
  // what a table's owner's code starts here would go on with nobody looking
  if (InSecurityRestrictedOperation())
    throw snapback::error(sqlstate::insufficient_privilege, "cannot start a run within a security-restricted operation");
  request.kind = action;
  request.arguments = parse_arguments(arguments);
  request.role = pg::role_name(GetUserId());
  check_run_call(action, request.arguments, request.role);
  request.search_path = pg::call([] { return GetConfigOption("search_path", false, false); });
  return queue_run(request);
}

void cancel_run(std::int64_t run_id) {
  std::string role, state, id = std::to_string(run_id);
  bool operate = may_operate_everything();
  {
    auto bookkeeper = as_bookkeeper();
    auto rows = pg::query("SELECT role_name, state FROM snapback.run WHERE run_id = $1::bigint", {id});
    if (rows.empty()) throw snapback::error(sqlstate::undefined_object, "run " + id + " does not exist", "", "The runs are listed by: SELECT * FROM backup_runs.");
    role = *rows[0][0];
  }
  Oid owner = pg::call([&] { return get_role_oid(role.c_str(), true); });
  if (!operate && !(OidIsValid(owner) && pg::call([&] { return static_cast<bool>(has_privs_of_role(GetUserId(), owner)); })))
    throw snapback::error(sqlstate::insufficient_privilege, "permission denied to cancel run " + id, "It belongs to role \"" + role + "\".",
                          "A superuser can grant the right to all runs: SELECT backup_grant('role', 'operate').");
  auto bookkeeper = as_bookkeeper();
  auto rows = pg::modify("UPDATE snapback.run SET state = 'cancelled', finished_at = pg_catalog.clock_timestamp(), sqlstate = '57014', message = 'cancelled before it began' "
                         "WHERE run_id = $1::bigint AND state = 'queued' RETURNING run_id",
                         {id});
  if (!rows.empty()) {
    close_slot(run_id);
    return;
  }
  pg::query("SELECT pg_catalog.pg_cancel_backend(r.pid) FROM snapback.run r WHERE r.run_id = $1::bigint AND r.state = 'running' AND EXISTS ("
            "SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = r.pid AND l.locktype = 'object' AND l.granted AND l.database = $2::oid AND l.classid = $3::oid AND l.objid = $4::oid)",
            {id, std::to_string(MyDatabaseId), std::to_string(run_table()), std::to_string(static_cast<Oid>(run_id))});
}

pg::Row describe_run(std::int64_t run_id) {
  auto bookkeeper = as_bookkeeper();
  return pg::query("SELECT * FROM " + extension_schema() + ".backup_runs WHERE run_id = $1::bigint", {std::to_string(run_id)}).at(0);
}

bool has_crashed(std::int64_t run_id) {
  auto bookkeeper = as_bookkeeper();
  std::string before = state_without_end(run_id);
  if (before.empty() || pg::in_recovery() || is_alive(run_id)) return false;
  pg::fault_point("run.process_missed");
  // read again, for a worker writes its end before it lets go; compared, for one that has begun since had no lock yet when that was looked for
  std::string after = state_without_end(run_id);
  return !after.empty() && (after == before || after == "crashed");
}

int note_crashed_runs() {
  auto bookkeeper = as_bookkeeper();
  Oid table = run_table();
  int crashed = 0;
  for (auto& row : pg::query("SELECT run_id FROM snapback.run WHERE state = 'running' OR (state = 'queued' AND queued_at < pg_catalog.clock_timestamp() - '1 minute'::interval) ORDER BY run_id")) {
    std::int64_t run_id = std::stoll(*row[0]);
    if (run_id == current_run().run_id || !pg::lock_lost(table, run_id)) continue;
    auto changed = pg::modify("UPDATE snapback.run SET state = 'crashed', finished_at = pg_catalog.clock_timestamp(), sqlstate = '57P01', "
                              "message = CASE WHEN started_at IS NULL THEN 'its process was never started' ELSE 'its process ended without a result' END "
                              "WHERE run_id = $1::bigint AND state IN ('queued', 'running') RETURNING run_id",
                              {*row[0]});
    crashed += static_cast<int>(changed.size());
  }
  return crashed;
}

void forget_old_runs() {
  if (pg::settings.history_days == 0) return;
  auto bookkeeper = as_bookkeeper();
  std::string days = std::to_string(pg::settings.history_days);
  pg::modify(R"(
      DELETE FROM snapback.run r WHERE r.finished_at < pg_catalog.now() - pg_catalog.make_interval(days => $1::integer)
         AND r.run_id NOT IN (SELECT pg_catalog.max(n.run_id) FROM snapback.run n WHERE n.state = 'succeeded' AND n.plan IS NOT NULL GROUP BY n.plan))",
             {days});
  pg::modify("DELETE FROM snapback.slot WHERE due < pg_catalog.now() - pg_catalog.make_interval(days => $1::integer) AND state <> 'running'", {days});
}

void perform_run(const pg::WorkerTask& task) {
  std::int64_t run_id = task.argument;
  pg::report_activity("run " + std::to_string(run_id));
  bool alive = false;
  pg::in_transaction([&] {
    pg::fault_point("run.worker_begun");
    Oid table = run_table();
    alive = OidIsValid(table);
    if (!alive) return;
    pg::hold_liveness(table, run_id);
    pg::wait_for_transaction(task.starter);
  });
  if (!alive) return;
  std::optional<ClaimedRun> run;
  pg::in_transaction([&] {
    pg::limit_lock_waits(60000);
    if (OidIsValid(run_table())) run = claim(run_id);
  });
  if (!run) return;
  pg::report_activity("run " + std::to_string(run_id) + ": " + run->kind + (current_run().plan.empty() ? "" : ", plan " + current_run().plan));
  auto outcome = attempt(run_id, *run);
  pg::stop_being_polite();
  if (run->kind != "restore" || outcome.state != "succeeded") write_patiently(run_id, run->kind, outcome);
  // a retry, or a slot that waited for this run
  if (!current_run().plan.empty())
    decide_plans();
  else
    announce_alerts();
}

}  // namespace snapback::service
