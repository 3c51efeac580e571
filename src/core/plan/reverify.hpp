// When the kept backups of a plan are read again, and how thoroughly.
#pragma once

#include <optional>
#include <string>
#include <string_view>

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

}  // namespace snapback
