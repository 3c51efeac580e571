// Taking a backup.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/retention.hpp"
#include "pg/pg.hpp"
#include "pg/progress.hpp"
#include "service/repository.hpp"

namespace snapback::service {

// How long a backup is to be kept; written into it, so that a copy of the file carries it.
struct BackupKeeping {
  std::string plan;                     // the plan that makes it; empty: it is made by hand
  RetentionRules rules;                 // of the plan
  std::string timezone;                 // of the plan
  std::optional<std::int64_t> seconds;  // made by hand: from now; none: pg_snapback.keep_manual
  bool pin = false;                     // forever
};

struct BackupRequest {
  std::optional<std::vector<std::string>> tables;
  std::vector<std::string> exclude;
  std::string label;
  std::string verify = "files";  // files, content, restore
  std::string kind = "manual";   // manual, before, scheduled
  BackupKeeping keep;
};

// Chooses, locks, reads and proves, and prunes what is not to be kept any longer. Returns the backup as a list shows it. Raises whatever stands in the way; then nothing is left behind.
BackupInfo create_backup(const BackupRequest& request);

struct BackupContents {
  std::vector<Oid> tables;  // locked by the caller, in OID order
  std::vector<Oid> unlock;  // locks of lock_together(…, AccessShareLock) that are given back as soon as the rows are read
  std::string label, kind;
  std::string verify = "files";
  BackupKeeping keep;
  bool wide = false, uncommitted = false;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();  // of the call, waiting for locks included
};

// The same for tables that are locked already, under the active snapshot; TextForms in force. What a restore takes its safety backup with.
BackupInfo write_backup(Repository& repository, const BackupContents& contents, pg::Progress& progress);

}  // namespace snapback::service
