#include "core/plan/reverify.hpp"

#include <algorithm>

#include "core/backup_id.hpp"
#include "core/error.hpp"

namespace snapback {

Reverify Reverify::parse(std::string_view text) {
  Reverify result;
  result.text = text;
  if (text == "never") return result;
  const auto space = text.find(' ');
  std::string level(text.substr(0, space));
  std::string schedule(space == std::string_view::npos ? std::string_view("@weekly") : text.substr(space + 1));
  if (level != "files" && level != "restore") {
    const bool letters = !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string_view::npos;
    if (text.empty() || letters)
      throw error(sqlstate::invalid_parameter_value, "invalid reverify \"" + printable(text) + "\"",
                  "It is \"never\", or a level (files or restore), a schedule, or a level and a schedule.",
                  "Weekly, the newest backup by restoring it: 'restore @weekly'.");
    level = "files";
    schedule = text;
  }
  result.schedule = CronSchedule::parse(schedule);
  result.newest_by_restore = level == "restore";
  result.text = level + " " + schedule;
  return result;
}

std::vector<DueVerification> due_verifications(const Reverify& reverify, const TimeZone& zone, std::vector<KeptBackup> backups, std::int64_t now) {
  std::vector<DueVerification> due;
  if (!reverify.schedule || backups.empty()) return due;
  const std::int64_t slot = reverify.schedule->last_until(now, zone);
  const std::string newest = std::max_element(backups.begin(), backups.end(), [](const KeptBackup& a, const KeptBackup& b) { return a.created < b.created; })->id;
  std::stable_sort(backups.begin(), backups.end(), [](const KeptBackup& a, const KeptBackup& b) { return a.verified < b.verified; });
  for (const KeptBackup& backup : backups)
    if (backup.verified < slot) due.push_back({backup.id, reverify.newest_by_restore && backup.id == newest ? "restore" : "files"});
  return due;
}

}  // namespace snapback
