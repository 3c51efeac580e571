// backup_start, backup_run, backup_run_due, backup_cancel, snapback.history, snapback.run_crashed.
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/server.hpp"
#include "service/record.hpp"
#include "service/runs.hpp"
#include "service/schedule.hpp"
#include "sql/arguments.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace snapback::sql {

namespace {

std::string jsonb_argument(FunctionCallInfo fcinfo, int index, const char* name) {
  if (PG_ARGISNULL(index)) throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must not be null");
  return pg::call([&] { return JsonbToCString(nullptr, &PG_GETARG_JSONB_P(index)->root, 0); });
}

std::int64_t run_argument(FunctionCallInfo fcinfo, int index) {
  if (PG_ARGISNULL(index)) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"run_id\" must not be null");
  return PG_GETARG_INT64(index);
}

}  // namespace

SNAPBACK_FUNCTION(backup_start) {
  std::string action = required_text(fcinfo, 0, "action");
  std::string arguments = jsonb_argument(fcinfo, 1, "args");
  pg::refuse_read_only("backup_start", false);
  return composite_result(fcinfo, service::describe_run(service::start_run(action, arguments)));
}

SNAPBACK_FUNCTION(backup_cancel) {
  std::int64_t run_id = run_argument(fcinfo, 0);
  pg::refuse_read_only("backup_cancel", false);
  service::cancel_run(run_id);
  return composite_result(fcinfo, service::describe_run(run_id));
}

SNAPBACK_FUNCTION(backup_run) {
  std::string plan = required_text(fcinfo, 0, "plan");
  pg::refuse_read_only("backup_run", false);
  return composite_result(fcinfo, service::describe_run(service::run_plan(plan)));
}

SNAPBACK_FUNCTION(backup_run_due) {
  bool raise = bool_argument(fcinfo, 0).value_or(false);
  pg::refuse_read_only("backup_run_due", false);
  std::vector<std::vector<Cell>> rows;
  for (auto run_id : service::run_due(raise)) rows.push_back(service::describe_run(run_id));
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(history) {
  return set_result(fcinfo, service::read_history());
}

SNAPBACK_FUNCTION(run_crashed) {
  return BoolGetDatum(service::has_crashed(run_argument(fcinfo, 0)));
}

}  // namespace snapback::sql
