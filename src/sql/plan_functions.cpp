// backup_schedule, backup_unschedule, backup_prune.
#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/server.hpp"
#include "service/plans.hpp"
#include "service/retention.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

namespace {

Cell number_cell(const std::optional<int>& value) { return value ? Cell(std::to_string(*value)) : Cell(); }

// The columns of backup_plan_info.
std::vector<Cell> plan_info_row(const service::Plan& plan, const std::vector<service::Seconds>& next_due) {
  std::vector<std::string> times;
  for (auto moment : next_due) times.push_back(format_utc(moment * 1000000));
  return {plan.name,
          plan.schedule,
          plan.timezone,
          pg::array_literal(times),
          plan.tables ? Cell(pg::array_literal(*plan.tables)) : Cell(),
          number_cell(plan.keep.days),
          number_cell(plan.keep.last),
          number_cell(plan.keep.daily),
          number_cell(plan.keep.weekly),
          number_cell(plan.keep.monthly),
          number_cell(plan.keep.yearly),
          plan.verify,
          plan.reverify,
          plan.max_age,
          plan.lock_budget,
          plan.catch_up,
          plan.overlap,
          std::to_string(plan.retries),
          plan.encrypt ? boolean_cell(*plan.encrypt) : Cell(),
          plan.location,
          boolean_cell(plan.enabled),
          boolean_cell(plan.suspended),
          plan.owner,
          plan.created_at,
          plan.changed_at,
          pg::array_literal(service::plan_warnings(plan))};
}

}  // namespace

SNAPBACK_FUNCTION(backup_schedule) {
  service::PlanChange change;
  change.name = required_text(fcinfo, 0, "plan");
  change.schedule = text_argument(fcinfo, 1);
  change.tables = text_list(fcinfo, 2, "tables");
  change.timezone = text_argument(fcinfo, 3);
  change.keep_days = int_argument(fcinfo, 4);
  change.keep_last = int_argument(fcinfo, 5);
  change.keep_daily = int_argument(fcinfo, 6);
  change.keep_weekly = int_argument(fcinfo, 7);
  change.keep_monthly = int_argument(fcinfo, 8);
  change.keep_yearly = int_argument(fcinfo, 9);
  change.verify = text_argument(fcinfo, 10);
  change.reverify = text_argument(fcinfo, 11);
  change.max_age = text_argument(fcinfo, 12);
  change.lock_budget = text_argument(fcinfo, 13);
  change.catch_up = text_argument(fcinfo, 14);
  change.overlap = text_argument(fcinfo, 15);
  change.retries = int_argument(fcinfo, 16);
  change.encrypt = bool_argument(fcinfo, 17);
  change.location = text_argument(fcinfo, 18);
  change.enabled = bool_argument(fcinfo, 19);
  pg::refuse_read_only("backup_schedule", false);
  auto plan = service::schedule_plan(change);
  bool runs = plan.enabled && !plan.suspended && plan.next_due;
  std::vector<service::Seconds> times;
  if (runs) {
    times = service::next_due_times(plan, *plan.next_due, 2);
    times.insert(times.begin(), *plan.next_due);
  }
  return composite_result(fcinfo, plan_info_row(plan, times));
}

SNAPBACK_FUNCTION(backup_unschedule) {
  pg::refuse_read_only("backup_unschedule", false);
  return composite_result(fcinfo, plan_info_row(service::unschedule_plan(required_text(fcinfo, 0, "plan")), {}));
}

SNAPBACK_FUNCTION(backup_prune) {
  bool dry_run = bool_argument(fcinfo, 1).value_or(true);
  if (!dry_run) pg::refuse_read_only("backup_prune", false);
  std::vector<std::vector<Cell>> rows;
  for (auto& line : service::prune_backups(text_argument(fcinfo, 0), !dry_run))
    rows.push_back({line.backup_id, line.keep ? "keep" : "delete", line.reason, boolean_cell(line.applied)});
  return set_result(fcinfo, rows);
}

}  // namespace snapback::sql
