// What drives plans: deciding what is due in this database and starting the runs. The launcher and backup_run_due() both come here, at any time and side by side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/worker.hpp"

namespace snapback::service {

// backup_run: queues a run of the plan now; no slot of it. Raises 42704, 42501.
std::int64_t run_plan(const std::string& plan);

// backup_run_due: has a worker decide what is due, waits for the runs it started, and returns their ids. With `raise` a run that did not succeed is raised with its own SQLSTATE.
// Raises 53400 when no worker is free.
std::vector<std::int64_t> run_due(bool raise);

// All that the deciding worker does, in transactions of its own, one for each plan: a plan that cannot be decided is logged and harms no other. Tells the launcher when to look again.
void decide_plans();

// The alerts only: recorded, logged and notified, in a transaction of its own; an error is a warning in the log.
void announce_alerts();

}  // namespace snapback::service
