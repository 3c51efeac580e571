// Plans: making, changing, reading them (docs/operations.md, "Plans").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/retention.hpp"
#include "pg/pg.hpp"

namespace snapback::service {

using Seconds = std::int64_t;  // since 1970 UTC

// A row of snapback.plan.
struct Plan {
  std::string name, owner, schedule, timezone;
  std::optional<std::vector<std::string>> tables;
  RetentionRules keep;
  std::string verify, reverify;
  std::optional<std::string> max_age;  // interval; none: by the schedule; "0": no limit
  std::string lock_budget, catch_up, overlap;
  int retries = 0;
  std::optional<bool> encrypt;
  std::optional<std::string> location;
  bool enabled = false;
  bool suspended = false;  // made in a database of which this one is a copy
  std::optional<Seconds> next_due, last_due, next_reverify;
  Seconds created = 0;
  std::string created_at, changed_at;  // as the session writes them
};

// What backup_schedule() was given; none: leave it as it is.
struct PlanChange {
  std::string name;
  std::optional<std::string> schedule, timezone;
  std::optional<std::vector<std::string>> tables;
  std::optional<int> keep_days, keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly;
  std::optional<std::string> verify, reverify, max_age, lock_budget, catch_up, overlap;
  std::optional<int> retries;
  std::optional<bool> encrypt;
  std::optional<std::string> location;
  std::optional<bool> enabled;
};

// Makes or changes a plan. Raises 22023 for wrong settings, 42501 for the plan of another role or tables that the current user may not read, 42P01 for tables that are not there.
Plan schedule_plan(const PlanChange& change);
// Removes a plan and returns it as it was. Raises 42704, 42501.
Plan unschedule_plan(const std::string& name);

// Whether the server was started with our background worker (shared_preload_libraries), which runs plans without being asked.
bool worker_is_loaded();

// All plans of the database, whoever's, by name.
std::vector<Plan> read_plans();
// One plan, whoever's; none when there is no such plan.
std::optional<Plan> read_plan(const std::string& name);
// One plan that the current user may act for. Raises 42704, 42501.
Plan find_plan(const std::string& name, const char* action);
// Whether the current user may see and change the plan: superusers and members of the owner.
bool may_act_for(const Plan& plan);

// The next `count` due times after `moment`. Raises 22023 when schedule or zone are not valid any more.
std::vector<Seconds> next_due_times(const Plan& plan, Seconds moment, int count);
// The next time after `moment` at which kept backups are to be read again; none: never.
std::optional<Seconds> next_reverify_time(const Plan& plan, Seconds moment);

// What whoever looks at the plan should know.
std::vector<std::string> plan_warnings(const Plan& plan);

Seconds now_seconds();

}  // namespace snapback::service
