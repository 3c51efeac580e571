#include "core/plan/retention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/backup_id.hpp"
#include "moments.hpp"

namespace snapback {
namespace {

using test::microseconds_at;

const FixedZone retention_zone;
const FixedZone sao_paulo(-3 * 3600);

StoredBackup backup(const std::string& moment, const std::string& plan = "daily") {
  StoredBackup made;
  made.created = microseconds_at(moment);
  made.id = moment;
  made.plan = plan;
  made.own = made.good = made.verified = made.counts = made.wide = true;
  return made;
}

using Plans = std::map<std::string, RetentionPlan>;

Plans plan(RetentionRules rules, const TimeZone& zone = retention_zone, const std::string& name = "daily") { return {{name, {rules, &zone}}}; }

// "id: reason" of what is kept, "-id: reason" of what is not.
std::vector<std::string> decided(const std::vector<StoredBackup>& backups, const Plans& plans, const std::string& now) {
  std::vector<std::string> lines;
  auto decisions = decide_retention(backups, plans, microseconds_at(now));
  EXPECT_EQ(decisions.size(), backups.size());
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    EXPECT_EQ(decisions[i].id, backups[i].id);
    lines.push_back((decisions[i].keep ? "" : "-") + decisions[i].id + ": " + decisions[i].reason);
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Retention, Days) {
  RetentionRules rules;
  rules.days = 30;
  EXPECT_EQ(decided({backup("2026-11-22T02:00"), backup("2026-10-23T02:01"), backup("2026-10-23T02:00")}, plan(rules), "2026-11-22T02:00"),
            (Lines{"2026-11-22T02:00: last good one, day 1 of 30", "2026-10-23T02:01: day 30 of 30", "-2026-10-23T02:00: no rule of its plan keeps it"}));
}

TEST(Retention, Last) {
  RetentionRules rules;
  rules.last = 4;
  Lines lines = decided({backup("2026-10-18T03:00"), backup("2026-10-25T03:00"), backup("2026-11-01T03:00"), backup("2026-11-08T03:00"), backup("2026-11-15T03:00")}, plan(rules),
                        "2026-11-16T00:00");
  EXPECT_EQ(lines, (Lines{"-2026-10-18T03:00: no rule of its plan keeps it", "2026-10-25T03:00: last 4 of 4", "2026-11-01T03:00: last 3 of 4", "2026-11-08T03:00: last 2 of 4",
                          "2026-11-15T03:00: last good one, last 1 of 4"}));
}

TEST(Retention, CalendarPeriodsInThePlansZone) {
  RetentionRules rules;
  rules.daily = 2;
  // 02:00 UTC is still the day before in São Paulo
  std::vector<StoredBackup> list = {backup("2026-11-21T02:00"), backup("2026-11-21T04:00"), backup("2026-11-22T02:00"), backup("2026-11-22T04:00")};
  EXPECT_EQ(decided(list, plan(rules), "2026-11-22T05:00"),
            (Lines{"-2026-11-21T02:00: no rule of its plan keeps it", "2026-11-21T04:00: daily 2 of 2", "-2026-11-22T02:00: no rule of its plan keeps it",
                   "2026-11-22T04:00: last good one, daily 1 of 2"}));
  EXPECT_EQ(decided(list, plan(rules, sao_paulo), "2026-11-22T05:00"),
            (Lines{"-2026-11-21T02:00: no rule of its plan keeps it", "-2026-11-21T04:00: no rule of its plan keeps it", "2026-11-22T02:00: daily 2 of 2",
                   "2026-11-22T04:00: last good one, daily 1 of 2"}));
}

TEST(Retention, WeeksMonthsYears) {
  RetentionRules rules;
  rules.weekly = 2;
  rules.monthly = 2;
  rules.yearly = 3;
  // Sunday 22 November ends the week of Monday 16; days without a backup do not count
  EXPECT_EQ(decided({backup("2026-11-22T03:00"), backup("2026-11-16T03:00"), backup("2026-11-15T03:00"), backup("2026-11-09T03:00"), backup("2026-10-31T03:00"), backup("2026-09-30T03:00"),
                     backup("2025-12-31T03:00"), backup("2025-01-01T03:00"), backup("2022-06-01T03:00"), backup("2021-06-01T03:00")},
                    plan(rules), "2026-11-22T05:00"),
            (Lines{"2026-11-22T03:00: last good one, weekly 1 of 2, monthly 1 of 2, yearly 1 of 3", "-2026-11-16T03:00: no rule of its plan keeps it", "2026-11-15T03:00: weekly 2 of 2",
                   "-2026-11-09T03:00: no rule of its plan keeps it", "2026-10-31T03:00: monthly 2 of 2", "-2026-09-30T03:00: no rule of its plan keeps it",
                   "2025-12-31T03:00: yearly 2 of 3", "-2025-01-01T03:00: no rule of its plan keeps it", "2022-06-01T03:00: yearly 3 of 3",
                   "-2021-06-01T03:00: no rule of its plan keeps it"}));
}

TEST(Retention, WhatIsNeverDeleted) {
  RetentionRules rules;
  rules.last = 1;
  auto pinned = backup("2026-01-01T02:00"), foreign = backup("2026-01-02T02:00"), damaged = backup("2026-01-03T02:00");
  pinned.pinned = true;
  foreign.own = foreign.counts = false;
  damaged.good = damaged.counts = false;
  EXPECT_EQ(decided({pinned, foreign, damaged, backup("2026-01-04T02:00"), backup("2026-01-05T02:00")}, plan(rules), "2026-11-22T00:00"),
            (Lines{"2026-01-01T02:00: pinned", "2026-01-02T02:00: not taken by this database", "2026-01-03T02:00: not good: look at it, then delete it",
                   "-2026-01-04T02:00: no rule of its plan keeps it", "2026-01-05T02:00: last good one, last 1 of 1"}));
  // however old the newest is
  rules = {};
  rules.days = 1;
  EXPECT_EQ(decided({backup("2020-01-01T02:00")}, plan(rules), "2026-11-22T00:00"), Lines{"2020-01-01T02:00: last good one"});
}

TEST(Retention, WhatDoesNotCountProtectsNothing) {
  RetentionRules rules;
  rules.last = 2;
  auto unverified = backup("2026-11-20T02:00"), uncommitted = backup("2026-11-21T02:00");
  unverified.verified = unverified.counts = uncommitted.counts = false;
  EXPECT_EQ(decided({uncommitted, unverified, backup("2026-11-19T02:00"), backup("2026-11-18T02:00"), backup("2026-11-17T02:00")}, plan(rules), "2026-11-22T00:00"),
            (Lines{"-2026-11-21T02:00: counts for no rule of its plan", "2026-11-20T02:00: not verified: backup_verify() makes it count", "2026-11-19T02:00: last good one, last 1 of 2",
                   "2026-11-18T02:00: last 2 of 2", "-2026-11-17T02:00: no rule of its plan keeps it"}));
}

TEST(Retention, TheLastOfAllTablesOutlivesNewerNarrowOnes) {
  auto narrow = backup("2026-11-21T02:00", "");
  narrow.wide = false;
  narrow.expires = microseconds_at("2026-11-21T03:00");
  auto wide = backup("2026-11-20T02:00", "");
  wide.expires = microseconds_at("2026-11-20T03:00");
  auto older = backup("2026-11-19T02:00", "");
  older.expires = microseconds_at("2026-11-19T03:00");
  EXPECT_EQ(decided({narrow, wide, older}, {}, "2026-11-22T00:00"),
            (Lines{"2026-11-21T02:00: last good one", "2026-11-20T02:00: last good one of all tables", "-2026-11-19T02:00: expired 2026-11-19"}));
}

TEST(Retention, PlansDoNotShareAndManualOnesExpire) {
  RetentionRules one;
  one.last = 1;
  Plans plans = {{"a", {one, &retention_zone}}, {"b", {one, &retention_zone}}};
  auto by_hand = backup("2026-11-10T02:00", ""), forever = backup("2026-11-09T02:00", ""), orphan = backup("2026-11-08T02:00", "gone");
  by_hand.expires = microseconds_at("2026-12-10T02:00");
  orphan.expires = microseconds_at("2026-11-21T02:00");
  EXPECT_EQ(decided({backup("2026-11-12T02:00", "a"), backup("2026-11-11T02:00", "b"), backup("2026-11-10T12:00", "a"), by_hand, forever, orphan}, plans, "2026-11-22T00:00"),
            (Lines{"2026-11-12T02:00: last good one, last 1 of 1", "2026-11-11T02:00: last 1 of 1", "-2026-11-10T12:00: no rule of its plan keeps it", "2026-11-10T02:00: until 2026-12-10",
                   "2026-11-09T02:00: does not expire", "-2026-11-08T02:00: expired 2026-11-21"}));
}

TEST(Retention, TheOrderOfTheListDoesNotMatter) {
  RetentionRules rules;
  rules.last = 2;
  rules.daily = 3;
  rules.days = 2;
  std::vector<StoredBackup> list;
  for (int day = 1; day <= 9; ++day)
    for (const char* time : {"T01:00", "T13:00"}) list.push_back(backup("2026-11-0" + std::to_string(day) + time));
  list.push_back(backup("2026-11-09T13:00"));
  list.back().id = "second of the same moment";
  auto sorted = decided(list, plan(rules), "2026-11-09T14:00");
  std::sort(sorted.begin(), sorted.end());
  for (int turn = 0; turn < 20; ++turn) {
    std::rotate(list.begin(), list.begin() + 7, list.end());
    auto again = decided(list, plan(rules), "2026-11-09T14:00");
    std::sort(again.begin(), again.end());
    EXPECT_EQ(again, sorted);
  }
  EXPECT_EQ(std::count_if(sorted.begin(), sorted.end(), [](auto& line) { return line[0] != '-'; }), 6);
}

TEST(Retention, Expiry) {
  RetentionRules rules;
  EXPECT_TRUE(rules.keeps_nothing());
  EXPECT_FALSE(expiry_of(rules, 0));
  rules.days = 30;
  EXPECT_EQ(expiry_of(rules, 1000), 1000 + std::int64_t{30} * 86400 * 1000000);
  rules.weekly = 1;
  EXPECT_FALSE(expiry_of(rules, 1000));
}

}  // namespace
}  // namespace snapback
