// The record of operations: a line in the log when one begins and one when it ends, and the history of those that were called by hand.
//
// Calls by hand cannot be written to a table: a failed call's transaction is rolled back, a GET's is read-only, a standby takes no rows, and a row written between two backups of one
// transaction would make the second one look as if it held uncommitted changes. So they go to a file of the data directory, pg_snapback/history.<database OID>, one line of JSON each,
// when their transaction ends. The view backup_runs shows both.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/format/manifest.hpp"
#include "pg/pg.hpp"

namespace snapback::service {

// What an operation has to say at its end.
struct Record {
  std::string backup_id;
  std::uint64_t rows = 0, bytes = 0;
};

// Runs `body` as operation `kind` (create, verify, restore, delete, prune), with its two log lines. By hand it is added to the history: as soon as the transaction ends; a restore that
// is rolled back by its caller as failed. What `body` raises is raised again.
void record_operation(const char* kind, const std::function<void(Record&)>& body);

// The calls by hand of this database that the current user may see, oldest first: the columns of backup_run_info. Their run_id is negative.
std::vector<std::vector<std::optional<std::string>>> read_history();

// Once, when the library is loaded.
void register_record_callbacks();

}  // namespace snapback::service
