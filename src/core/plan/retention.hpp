// Which backups are kept, and why. Pure: everything is handed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/time_zone.hpp"

namespace snapback {

// The rules of a plan, none where it has no such rule. A backup that any of them keeps is kept.
struct RetentionRules {
  std::optional<int> days;  // whatever is not older
  std::optional<int> last;  // the newest ones
  // the newest of each day, week (from Monday), month and year in the plan's zone, of as many as have one, counted from the newest
  std::optional<int> daily, weekly, monthly, yearly;

  bool keeps_nothing() const { return !days && !last && !daily && !weekly && !monthly && !yearly; }
  bool operator==(const RetentionRules&) const = default;
};

// A stored backup as retention sees it. Moments are microseconds since 1970 UTC here, because two backups of one second have an order.
struct StoredBackup {
  std::string id;
  std::int64_t created = 0;
  bool own = false;          // taken by this database
  bool good = false;         // whole, as far as is known
  bool verified = false;     // it was read back at least once
  bool counts = false;       // good, verified, of committed data and no safety backup: may serve a rule and be the last good one
  bool wide = false;         // of all tables
  bool pinned = false;
  std::string plan;          // empty: taken by hand
  std::optional<std::int64_t> expires;  // of a backup taken by hand, or whose plan is gone; none: it does not expire
};

struct RetentionPlan {
  RetentionRules rules;
  const TimeZone* zone = nullptr;  // lives as long as the call
};

struct RetentionDecision {
  std::string id;
  bool keep = true;
  std::string reason;  // "daily 3 of 30", "pinned", "expired 2026-11-21", ...
};

// One decision per backup, in the order of `backups` (any order). Of a plan that is not among `plans`, backups go by their own expiry, as those taken by hand do.
// Never deleted: what is not this database's own, is pinned or damaged, the newest backup of all that counts, and the newest of all tables that counts.
std::vector<RetentionDecision> decide_retention(const std::vector<StoredBackup>& backups, const std::map<std::string, RetentionPlan>& plans, std::int64_t now);

// Until when a backup made at `created` is kept under these rules, as far as that can be told ahead: only when it is kept for days alone.
std::optional<std::int64_t> expiry_of(const RetentionRules& rules, std::int64_t created);

}  // namespace snapback
