#include "core/plan/retention.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "core/backup_id.hpp"

namespace snapback {
namespace {

constexpr std::int64_t second = 1000000;
constexpr std::int64_t day_length = day_seconds * second;

std::int64_t local_day(std::int64_t moment, const TimeZone& zone) {
  const std::int64_t local = zone.to_local(moment / second);
  return local >= 0 ? local / day_seconds : -((-local + day_seconds - 1) / day_seconds);
}

// 1970-01-01 was a Thursday: day 4 begins the next week
std::int64_t week_of(std::int64_t day) { return (day + 3) / 7; }

std::chrono::year_month_day date_of(std::int64_t day) { return std::chrono::sys_days{std::chrono::days{day}}; }

std::int64_t month_of(std::int64_t day) {
  const auto date = date_of(day);
  return static_cast<int>(date.year()) * 12 + static_cast<std::int64_t>(static_cast<unsigned>(date.month()));
}

std::int64_t year_of(std::int64_t day) { return static_cast<int>(date_of(day).year()); }

std::string count_of(const char* rule, int position, int limit) {
  return std::string(rule) + " " + std::to_string(position) + " of " + std::to_string(limit);
}

std::string date_text(std::int64_t moment) { return format_utc(moment).substr(0, 10); }

// Newest first; backups of one moment in the order of their ids, so that the result does not depend on the order of the list.
bool newer(const StoredBackup& a, const StoredBackup& b) { return a.created != b.created ? a.created > b.created : a.id > b.id; }

class Decider {
 public:
  Decider(const std::vector<StoredBackup>& backups, std::int64_t now) : backups_(backups), now_(now), order_(backups.size()), reasons_(backups.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return newer(backups_[a], backups_[b]); });
  }

  void keep(std::size_t index, const std::string& reason) { (reasons_[index] += reasons_[index].empty() ? "" : ", ") += reason; }

  // The first that counts, and of all tables the first that counts.
  void keep_last_good() {
    bool any = false;
    for (std::size_t i : order_) {
      if (!backups_[i].counts || (any && !backups_[i].wide)) continue;
      keep(i, backups_[i].wide ? any ? "last good one of all tables" : "last good one" : "last good one");
      any = true;
      if (backups_[i].wide) return;
    }
  }

  void apply(const std::string& name, const RetentionPlan& plan) {
    const RetentionRules& rules = plan.rules;
    std::vector<std::size_t> mine;
    for (std::size_t i : order_)
      if (backups_[i].plan == name && backups_[i].counts) mine.push_back(i);
    for (std::size_t i = 0; i < mine.size(); ++i)
      if (rules.last && i < static_cast<std::size_t>(*rules.last)) keep(mine[i], count_of("last", static_cast<int>(i) + 1, *rules.last));
    by_period(mine, "daily", rules.daily, *plan.zone, [](std::int64_t day) { return day; });
    by_period(mine, "weekly", rules.weekly, *plan.zone, week_of);
    by_period(mine, "monthly", rules.monthly, *plan.zone, month_of);
    by_period(mine, "yearly", rules.yearly, *plan.zone, year_of);
    if (!rules.days) return;
    for (std::size_t i : order_) {
      if (backups_[i].plan != name) continue;
      const std::int64_t age = std::max<std::int64_t>(0, now_ - backups_[i].created);
      if (age < *rules.days * day_length) keep(i, count_of("day", static_cast<int>(age / day_length) + 1, *rules.days));
    }
  }

  const std::string& reason(std::size_t index) const { return reasons_[index]; }

 private:
  template <typename Period>
  void by_period(const std::vector<std::size_t>& mine, const char* rule, const std::optional<int>& limit, const TimeZone& zone, Period period) {
    if (!limit) return;
    std::optional<std::int64_t> previous;
    int count = 0;
    for (std::size_t i : mine) {
      const std::int64_t current = period(local_day(backups_[i].created, zone));
      if (previous == current) continue;
      if (++count > *limit) return;
      previous = current;
      keep(i, count_of(rule, count, *limit));
    }
  }

  const std::vector<StoredBackup>& backups_;
  std::int64_t now_;
  std::vector<std::size_t> order_;  // newest first
  std::vector<std::string> reasons_;
};

}  // namespace

std::vector<RetentionDecision> decide_retention(const std::vector<StoredBackup>& backups, const std::map<std::string, RetentionPlan>& plans, std::int64_t now) {
  Decider decider(backups, now);
  decider.keep_last_good();
  for (const auto& [name, plan] : plans) decider.apply(name, plan);
  std::vector<RetentionDecision> decisions;
  for (std::size_t i = 0; i < backups.size(); ++i) {
    const StoredBackup& backup = backups[i];
    const auto plan = plans.find(backup.plan);
    RetentionDecision decision{backup.id, true, decider.reason(i)};
    if (!backup.own) {
      decision.reason = "not taken by this database";
    } else if (backup.pinned) {
      decision.reason = "pinned";
    } else if (!backup.good) {
      decision.reason = "not good: look at it, then delete it";
    } else if (!backup.verified) {
      decision.reason = "not verified: backup_verify() makes it count";
    } else if (!decision.reason.empty()) {
      // a rule keeps it
    } else if (plan != plans.end() && !backup.plan.empty()) {
      decision.keep = false;
      decision.reason = backup.counts ? "no rule of its plan keeps it" : "counts for no rule of its plan";
    } else if (!backup.expires) {
      decision.reason = "does not expire";
    } else if (*backup.expires > now) {
      decision.reason = "until " + date_text(*backup.expires);
    } else {
      decision.keep = false;
      decision.reason = "expired " + date_text(*backup.expires);
    }
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

std::optional<std::int64_t> expiry_of(const RetentionRules& rules, std::int64_t created) {
  RetentionRules others = rules;
  others.days.reset();
  if (!rules.days || !others.keeps_nothing()) return std::nullopt;
  return created + *rules.days * day_length;
}

}  // namespace snapback
