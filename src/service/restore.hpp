// Bringing a backup, or some of its tables, back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/progress.hpp"
#include "service/repository.hpp"

namespace snapback::service {

struct RestoreRequest {
  std::string backup_id;  // or "latest"
  std::optional<std::vector<std::string>> tables;
  std::string mode = "replace";  // replace, missing, upsert
  std::string into_schema;       // empty: where the tables were
  bool dry_run = false, rehearse = false, safety_backup = true, allow_loss = false;
  std::string from_database;
};

struct RestoredTable {
  std::string schema, name;  // where the rows went
  std::string action;        // reloaded, created, unchanged, emptied, merged, skipped
  std::uint64_t inserted = 0, updated = 0, deleted = 0, unchanged = 0;
  std::optional<bool> proven;
  std::vector<std::string> notes;
};

struct RestoreOutcome {
  std::vector<RestoredTable> tables;
  bool applied = false;
  std::string backup_id, safety_backup_id;
};

// All or nothing, in the caller's transaction. Raises whatever stands in the way.
RestoreOutcome restore_backup(const RestoreRequest& request);

}  // namespace snapback::service
