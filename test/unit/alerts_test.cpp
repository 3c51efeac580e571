#include "core/plan/alerts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/backup_id.hpp"
#include "moments.hpp"

namespace snapback {
namespace {

using test::at;

const FixedZone alerts_zone;

struct Made {
  CronSchedule schedule;
  PlanFacts facts;
  explicit Made(const std::string& text, const std::string& last_good = "") : schedule(CronSchedule::parse(text)) {
    facts.name = "p";
    facts.schedule = &schedule;
    facts.zone = &alerts_zone;
    facts.watched_since = at("2026-11-01T12:00:00");
    if (!last_good.empty()) facts.last_good = at(last_good);
  }
  std::string codes(const std::string& now) const {
    std::string list;
    for (auto& alert : plan_alerts(facts, at(now))) list += (list.empty() ? "" : " ") + alert.severity + ":" + alert.code;
    return list;
  }
};

TEST(Alerts, DailyPlanAfter25Hours) {
  Made plan("0 2 * * *", "2026-11-21T02:00:00");
  EXPECT_EQ(plan.codes("2026-11-22T03:00:00"), "");
  EXPECT_EQ(plan.codes("2026-11-22T03:00:01"), "critical:too_old");
  EXPECT_EQ(plan_alerts(plan.facts, at("2026-11-22T03:00:01"))[0].since, at("2026-11-22T03:00:00"));
  plan.facts.running = true;
  EXPECT_EQ(plan.codes("2026-11-22T09:00:00"), "") << "silent while its run is in progress";
  plan.facts.known_too_old = true;
  EXPECT_EQ(plan.codes("2026-11-22T09:00:00"), "critical:too_old") << "a run that may fail closes nothing";
}

TEST(Alerts, TheIntervalIsTheOneTheBackupStandsIn) {
  EXPECT_EQ(Made("0 2 * * 1-5", "2026-11-20T02:00:00").codes("2026-11-23T03:00:00"), "") << "a weekend is no alert";
  EXPECT_EQ(Made("0 2 * * 1-5", "2026-11-20T02:00:00").codes("2026-11-23T03:00:01"), "critical:too_old");
  EXPECT_EQ(Made("0 2 * * 1-5", "2026-11-23T02:00:10").codes("2026-11-24T03:00:11"), "critical:too_old");
  EXPECT_EQ(Made("0 3 * * 0", "2026-11-15T03:00:05").codes("2026-11-22T04:00:05"), "");
  EXPECT_EQ(Made("0 3 * * 0", "2026-11-15T03:00:05").codes("2026-11-22T04:00:06"), "critical:too_old");
  // taken by hand in the afternoon, it is good for as long
  EXPECT_EQ(Made("0 2 * * *", "2026-11-21T14:00:00").codes("2026-11-22T15:00:00"), "");
}

TEST(Alerts, MaxAge) {
  Made plan("0 2 * * *", "2026-11-21T02:00:00");
  plan.facts.max_age = 3600;
  EXPECT_EQ(plan.codes("2026-11-21T03:00:00"), "");
  EXPECT_EQ(plan.codes("2026-11-21T03:00:01"), "critical:too_old");
  plan.facts.unlimited_age = true;
  EXPECT_EQ(plan.codes("2027-11-21T03:00:01"), "");
}

TEST(Alerts, APlanWithoutABackup) {
  Made plan("0 2 * * *");
  EXPECT_EQ(plan.codes("2026-11-02T13:00:00"), "");
  EXPECT_EQ(plan.codes("2026-11-02T13:00:01"), "critical:too_old");
  EXPECT_EQ(plan_alerts(plan.facts, at("2026-11-02T13:00:01"))[0].message, "plan \"p\" has no good backup");
  plan.facts.active = false;
  EXPECT_EQ(plan.codes("2026-12-02T13:00:01"), "") << "disabled and suspended plans are silent";
}

TEST(Alerts, FailuresAndMissedSlots) {
  Made plan("0 2 * * *", "2026-11-21T02:00:00");
  plan.facts.failed_since = at("2026-11-21T05:00:00");
  plan.facts.failure = "disk full";
  plan.facts.missed_since = at("2026-11-21T06:00:00");
  plan.facts.missed = 2;
  auto alerts = plan_alerts(plan.facts, at("2026-11-21T07:00:00"));
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].code, "run_failed");
  EXPECT_EQ(alerts[0].message, "the last run of plan \"p\" failed: disk full");
  EXPECT_EQ(alerts[0].since, *plan.facts.failed_since);
  EXPECT_EQ(alerts[1].message, "plan \"p\" missed 2 due times");
  plan.facts.missed = 1;
  EXPECT_EQ(plan_alerts(plan.facts, at("2026-11-21T07:00:00"))[1].message, "plan \"p\" missed 1 due time");
}

TEST(Alerts, VerificationThatEndedInAnError) {
  Made plan("0 2 * * *", "2026-11-21T02:00:00");
  plan.facts.unverified_since = at("2026-11-21T05:00:00");
  plan.facts.unverified = "backup_1";
  plan.facts.unverified_why = "permission denied";
  auto alerts = plan_alerts(plan.facts, at("2026-11-21T07:00:00"));
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].severity + " " + alerts[0].code, "warning verify_failed");
  EXPECT_EQ(alerts[0].message, "backup \"backup_1\" of plan \"p\" could not be verified: permission denied");
  EXPECT_EQ(alerts[0].since, *plan.facts.unverified_since);
  plan.facts.active = false;
  EXPECT_EQ(plan.codes("2026-11-21T07:00:00"), "");
}

std::string storage(StorageFacts facts) {
  std::string list;
  for (auto& alert : storage_alerts(facts, 0)) list += (list.empty() ? "" : " ") + alert.severity + ":" + alert.code;
  return list;
}

TEST(Alerts, Storage) {
  EXPECT_EQ(storage({1000, 1000, 500, false, false}), "");
  EXPECT_EQ(storage({999, 1000, 0, false, false}), "warning:space_low");
  EXPECT_EQ(storage({999, 0, 500, false, false}), "warning:space_low") << "below twice the last backup";
  EXPECT_EQ(storage({1, 0, 0, true, true}), "warning:inside_data_directory");
  EXPECT_EQ(storage({1, 0, 0, false, true}), "info:same_disk");
  EXPECT_EQ(storage_alerts({std::uint64_t{3} << 30, std::uint64_t{20} << 30, 0, false, false}, 0)[0].message, "3072 MB are free in the storage, fewer than 20 GB");
}

TEST(Alerts, OpenAndClose) {
  Alert one{"warning", "run_failed", "a", "", 1, "", ""}, two{"warning", "run_failed", "b", "", 1, "", ""}, damaged{"critical", "damaged", "a", "backup_1", 1, "", ""};
  Alert other = damaged;
  other.subject = "backup_2";
  auto changes = compare_alerts({one, damaged}, {two, damaged, other});
  ASSERT_EQ(changes.opened.size(), 2u);
  EXPECT_EQ(changes.opened[0].plan, "b");
  EXPECT_EQ(changes.opened[1].subject, "backup_2");
  ASSERT_EQ(changes.closed.size(), 1u);
  EXPECT_EQ(changes.closed[0].plan, "a");
}

TEST(Alerts, WhenToLookAgain) {
  Made daily("0 2 * * *", "2026-11-21T02:00:00"), weekly("0 3 * * 0", "2026-11-15T03:00:00"), late("0 2 * * *", "2026-11-10T02:00:00"), off("@hourly", "2026-11-21T02:00:00");
  off.facts.active = false;
  EXPECT_EQ(next_age_limit({weekly.facts, daily.facts, late.facts, off.facts}, at("2026-11-21T12:00:00")), at("2026-11-22T03:00:01"));
  EXPECT_EQ(next_age_limit({late.facts, off.facts}, at("2026-11-21T12:00:00")), std::nullopt);
}

TEST(Alerts, LengthsInWords) {
  Made plan("*/5 * * * *", "2026-11-21T02:00:00");
  EXPECT_EQ(plan_alerts(plan.facts, at("2026-11-21T03:20:00"))[0].message, "the newest good backup of plan \"p\" is 80 minutes old");
  EXPECT_EQ(plan_alerts(plan.facts, at("2026-11-21T12:20:00"))[0].message, "the newest good backup of plan \"p\" is 10 hours old");
  EXPECT_EQ(plan_alerts(plan.facts, at("2026-11-25T12:20:00"))[0].message, "the newest good backup of plan \"p\" is 4 days old");
}

}  // namespace
}  // namespace snapback
