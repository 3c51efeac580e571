// Which stored backups are kept (docs/operations.md, "How long backups are kept").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/plan/retention.hpp"
#include "service/repository.hpp"

namespace snapback::service {

struct PruneLine {
  std::string backup_id;
  bool keep = true;
  std::string reason;
  bool applied = false;  // a deletion that takes effect when the transaction commits
};

// Every backup, newest first, or those of one plan, with what becomes of it; with `apply` what is not kept is deleted at commit.
// Raises 42704 for an unknown plan, 42501 when the current user may not delete one of them.
std::vector<PruneLine> prune_backups(const std::optional<std::string>& plan, bool apply);

// What every good backup is followed by: deletes, at commit, what no rule keeps, whoever took it, for the rules are the database's and not the caller's.
// Returns a warning for the result when that was not possible; only cancels and the like are raised.
std::string prune_after_backup(Repository& repository);

// Fills in when the listed backups expire by the plans as they are now.
void set_expiry(std::vector<BackupInfo>& backups);

// The "keep" object that a plan's backups carry, for when the plan is gone.
Json retention_to_json(const RetentionRules& rules, const std::string& timezone);

// Whether the backup is one to go back to: of this database, good, verified, of committed data, no safety backup.
bool counts_as_good(const BackupInfo& backup);
// The moment it shows, in microseconds since 1970 UTC.
std::int64_t created_microseconds(const BackupInfo& backup);
inline std::int64_t created_seconds(const BackupInfo& backup) { return created_microseconds(backup) / 1000000; }

// pg_snapback.keep_manual in seconds; none: forever.
std::optional<std::int64_t> manual_keeping();

}  // namespace snapback::service
