// Runs: work done by a worker of its own, its row in snapback.run, and how a worker goes about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/format/manifest.hpp"
#include "pg/spi.hpp"
#include "pg/worker.hpp"

namespace snapback::service {

// How long a worker's bookkeeping waits for a lock on the extension's tables, in milliseconds; less than deadlock_timeout.
inline constexpr long bookkeeping_patience = 300;

struct RunRequest {
  std::string kind;                  // create, verify, restore, prune, delete
  std::string role;                  // whose rights it has
  std::optional<std::string> plan;
  std::optional<std::string> due;    // the plan's slot, as text of a timestamptz
  int attempt = 1;
  Json arguments = Json::object();   // of the function backup_<kind>, by name
  std::string search_path;           // by which names in the arguments are looked up
};

// Adds the row, as superuser; the worker starts when the transaction commits, and not when it rolls back. Returns run_id. The commit raises 53400 when no worker is free.
std::int64_t queue_run(const RunRequest& request);

// backup_start: checks action and arguments first, by the caller's role. Raises 22023, 42501, 22P02.
std::int64_t start_run(const std::string& action, const std::string& arguments);

// Cancels a run that has not ended. Raises 42704 for an unknown one, 42501 for somebody else's.
void cancel_run(std::int64_t run_id);

// The columns of backup_run_info.
pg::Row describe_run(std::int64_t run_id);

// Whether a run whose row said queued or running a moment ago has lost its process; a run just queued is given a minute to get one. One that has ended since has not crashed.
bool has_crashed(std::int64_t run_id);

// Rows whose worker is gone become "crashed"; returns how many.
int note_crashed_runs();

// Removes runs and slots older than pg_snapback.history_days, the newest success of each plan excepted.
void forget_old_runs();

// All that a run's worker does: waits for the starter's commit, claims the row, works, writes down what came of it. Errors of the work end here.
void perform_run(const pg::WorkerTask& task);

// What the current process is doing as a run; 0: nothing, it serves a client.
struct CurrentRun {
  std::int64_t run_id = 0;
  std::string plan, due;
};
const CurrentRun& current_run();

// Once, when the library is loaded.
void register_run_callbacks();

// Quoted name of the schema that the extension is in; empty where it is not.
std::string extension_schema();

// OID of snapback.run; InvalidOid where the extension is not there (any more).
Oid run_table();

}  // namespace snapback::service
