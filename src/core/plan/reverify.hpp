// When the kept backups of a plan are read again, and how thoroughly.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan/cron.hpp"

namespace snapback {

struct Reverify {
  // "never"; or "files" (every kept backup's digests) or "restore" (besides, the newest one is restored beside the tables and rolled back), or a schedule, or
  // a level and a schedule. Without a schedule weekly, without a level files. Raises 22023.
  static Reverify parse(std::string_view text);

  std::optional<CronSchedule> schedule;  // none: never
  bool newest_by_restore = false;
  std::string text;  // written out: "files @weekly"
};

// A good backup of a plan as re-verification sees it; moments in seconds since 1970 UTC.
struct KeptBackup {
  std::string id;
  std::int64_t created = 0;
  std::int64_t verified = 0;  // when it was last looked at; 0: never
};

struct DueVerification {
  std::string id;
  std::string level;  // files, or restore
};

// Which of a plan's good backups (any order) have not been looked at since the last time they were to be, oldest look first; with newest_by_restore the newest of
// them by restoring it.
std::vector<DueVerification> due_verifications(const Reverify& reverify, const TimeZone& zone, std::vector<KeptBackup> backups, std::int64_t now);

}  // namespace snapback
