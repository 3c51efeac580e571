#include "core/plan/cron.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "moments.hpp"

namespace snapback {
namespace {

using test::at;
using test::shown;

// A zone made of its clock changes: from `moment` on local time is `offset` ahead.
class MadeZone final : public TimeZone {
 public:
  struct Change {
    std::int64_t moment, offset;
  };
  MadeZone(std::int64_t first, std::vector<Change> changes) : first_(first), changes_(std::move(changes)) {}
  std::int64_t offset_at(std::int64_t moment) const override {
    std::int64_t offset = first_;
    for (auto& change : changes_)
      if (change.moment <= moment) offset = change.offset;
    return offset;
  }
  std::optional<std::int64_t> next_transition(std::int64_t moment) const override {
    for (auto& change : changes_)
      if (change.moment > moment) return change.moment;
    return std::nullopt;
  }

 private:
  std::int64_t first_;
  std::vector<Change> changes_;
};

MadeZone new_york() { return {-5 * 3600, {{at("2026-03-08T07:00"), -4 * 3600}, {at("2026-11-01T06:00"), -5 * 3600}}}; }
// in São Paulo the clocks changed at midnight
MadeZone sao_paulo() { return {-3 * 3600, {{at("2018-11-04T03:00"), -2 * 3600}, {at("2019-02-17T02:00"), -3 * 3600}}}; }
// Apia had no 30 December 2011
MadeZone apia() { return {-10 * 3600, {{at("2011-12-30T10:00"), 14 * 3600}}}; }
MadeZone lord_howe() { return {11 * 3600, {{at("2026-04-04T15:00"), 37800}, {at("2026-10-03T15:30"), 11 * 3600}}}; }

std::vector<std::string> next(const std::string& schedule, const std::string& after, int count, const TimeZone& zone = FixedZone()) {
  auto cron = CronSchedule::parse(schedule);
  std::vector<std::string> found;
  std::int64_t moment = at(after);
  for (int i = 0; i < count; ++i) {
    std::int64_t due = cron.next_after(moment, zone);
    EXPECT_GT(due, moment);
    EXPECT_EQ(cron.last_until(due, zone), due);
    EXPECT_EQ(cron.next_after(due - 1, zone), due);
    found.push_back(shown(moment = due));
  }
  return found;
}

error refused(const std::string& schedule) {
  try {
    CronSchedule::parse(schedule);
  } catch (const error& e) {
    EXPECT_STREQ(e.sqlstate(), sqlstate::invalid_parameter_value) << schedule;
    return e;
  }
  ADD_FAILURE() << schedule << " was accepted";
  return error("00000", "nothing was raised");
}

using Moments = std::vector<std::string>;

TEST(Cron, Fields) {
  EXPECT_EQ(next("0 2 * * *", "2026-11-21T02:00", 2), (Moments{"2026-11-22T02:00", "2026-11-23T02:00"}));
  EXPECT_EQ(next("0 3 * * 0", "2026-11-22T00:00", 2), (Moments{"2026-11-22T03:00", "2026-11-29T03:00"}));
  EXPECT_EQ(next("0 3 * * 7", "2026-11-22T00:00", 1), next("0 3 * * SUN", "2026-11-22T00:00", 1));
  EXPECT_EQ(next("*/15 8-9 * * *", "2026-11-21T08:40", 4), (Moments{"2026-11-21T08:45", "2026-11-21T09:00", "2026-11-21T09:15", "2026-11-21T09:30"}));
  EXPECT_EQ(next("5,10-20/5\t1 1 jan-MAR/2 *", "2026-01-01T01:10", 4), (Moments{"2026-01-01T01:15", "2026-01-01T01:20", "2026-03-01T01:05", "2026-03-01T01:10"}));
  EXPECT_EQ(next("0 0 * * fri-sun", "2026-11-19T00:00", 4), (Moments{"2026-11-20T00:00", "2026-11-21T00:00", "2026-11-22T00:00", "2026-11-27T00:00"}));
  EXPECT_EQ(next("0 0 * * sun-sun", "2026-11-19T00:00", 2), (Moments{"2026-11-22T00:00", "2026-11-29T00:00"}));
  EXPECT_EQ(next("0 0 * * 5-7/2", "2026-11-19T00:00", 2), (Moments{"2026-11-20T00:00", "2026-11-22T00:00"}));
  EXPECT_EQ(next("59 23 31 12 *", "1969-12-31T23:58", 2), (Moments{"1969-12-31T23:59", "1970-12-31T23:59"}));
}

TEST(Cron, Macros) {
  EXPECT_EQ(next("@hourly", "2026-11-21T02:00", 1), Moments{"2026-11-21T03:00"});
  EXPECT_EQ(next("@Daily", "2026-11-21T02:00", 1), Moments{"2026-11-22T00:00"});
  EXPECT_EQ(next("@midnight", "2026-11-21T02:00", 1), Moments{"2026-11-22T00:00"});
  EXPECT_EQ(next("@weekly", "2026-11-16T02:00", 1), Moments{"2026-11-22T00:00"});
  EXPECT_EQ(next("@monthly", "2026-11-21T02:00", 1), Moments{"2026-12-01T00:00"});
  EXPECT_EQ(next("@yearly", "2026-11-21T02:00", 1), Moments{"2027-01-01T00:00"});
  EXPECT_EQ(next("@annually", "2026-11-21T02:00", 1), Moments{"2027-01-01T00:00"});
}

TEST(Cron, DaysOfMonthAndWeek) {
  // both restricted: either; one of them beginning with *: both
  EXPECT_EQ(next("0 0 13 * 5", "2026-11-06T00:00", 3), (Moments{"2026-11-13T00:00", "2026-11-20T00:00", "2026-11-27T00:00"}));
  EXPECT_EQ(next("0 0 1 * 5", "2026-11-27T00:00", 2), (Moments{"2026-12-01T00:00", "2026-12-04T00:00"}));
  EXPECT_EQ(next("0 0 */13 * 5", "2026-11-01T00:00", 2), (Moments{"2026-11-27T00:00", "2027-01-01T00:00"}));
  EXPECT_EQ(next("0 0 29 2 *", "2026-01-01T00:00", 2), (Moments{"2028-02-29T00:00", "2032-02-29T00:00"}));
  EXPECT_EQ(next("0 0 29 2 *", "2097-01-01T00:00", 1), Moments{"2104-02-29T00:00"});
  EXPECT_EQ(next("0 0 31 * *", "2026-11-01T00:00", 2), (Moments{"2026-12-31T00:00", "2027-01-31T00:00"}));
}

TEST(Cron, SkippedLocalTimesComeAtTheNextMoment) {
  EXPECT_EQ(next("30 2 * * *", "2026-03-07T12:00", 2, new_york()), (Moments{"2026-03-08T07:00", "2026-03-09T06:30"}));
  // several skipped ones are one
  EXPECT_EQ(next("*/20 2-3 * * *", "2026-03-08T06:00", 3, new_york()), (Moments{"2026-03-08T07:00", "2026-03-08T07:20", "2026-03-08T07:40"}));
  EXPECT_EQ(next("@daily", "2018-11-03T12:00", 2, sao_paulo()), (Moments{"2018-11-04T03:00", "2018-11-05T02:00"}));
  EXPECT_EQ(next("0 12 30 12 *", "2011-12-01T00:00", 1, apia()), Moments{"2011-12-30T10:00"});
  EXPECT_EQ(next("15 2 * * *", "2026-10-03T00:00", 1, lord_howe()), Moments{"2026-10-03T15:30"});
}

TEST(Cron, RepeatedLocalTimesComeOnce) {
  EXPECT_EQ(next("30 1 * * *", "2026-10-31T12:00", 2, new_york()), (Moments{"2026-11-01T05:30", "2026-11-02T06:30"}));
  EXPECT_EQ(next("30 1 * * *", "2026-11-01T06:10", 1, new_york()), Moments{"2026-11-02T06:30"});
  EXPECT_EQ(next("*/30 * * * *", "2026-11-01T05:00", 3, new_york()), (Moments{"2026-11-01T05:30", "2026-11-01T07:00", "2026-11-01T07:30"}));
  EXPECT_EQ(next("30 23 * * *", "2019-02-16T12:00", 2, sao_paulo()), (Moments{"2019-02-17T01:30", "2019-02-18T02:30"}));
  EXPECT_EQ(next("45 1 * * *", "2026-04-04T12:00", 2, lord_howe()), (Moments{"2026-04-04T14:45", "2026-04-05T15:15"}));
}

TEST(Cron, LastUntil) {
  auto weekdays = CronSchedule::parse("0 2 * * 1-5");
  FixedZone utc;
  EXPECT_EQ(shown(weekdays.last_until(at("2026-11-22T01:00"), utc)), "2026-11-20T02:00");
  EXPECT_EQ(shown(weekdays.last_until(at("2026-11-23T02:00"), utc)), "2026-11-23T02:00");
  EXPECT_EQ(shown(CronSchedule::parse("0 0 29 2 *").last_until(at("2026-11-23T02:00"), utc)), "2024-02-29T00:00");
  EXPECT_EQ(shown(CronSchedule::parse("* * * * *").last_until(at("2026-11-01T06:45"), new_york())), "2026-11-01T05:59");
}

TEST(Cron, WrongExpressionsNameTheField) {
  struct Case {
    const char *schedule, *message, *detail;
  };
  for (auto& c : std::vector<Case>{
           {"60 2 * * *", "invalid minute \"60\" in the schedule", "it takes 0 to 59"},
           {"x 2 * * *", "invalid minute \"x\" in the schedule", "first of five fields"},
           {"0 24 * * *", "invalid hour \"24\" in the schedule", "it takes 0 to 23"},
           {"0 2 0 * *", "invalid day of month \"0\" in the schedule", "it takes 1 to 31"},
           {"0 2 * 13 *", "invalid month \"13\" in the schedule", "jan to dec"},
           {"0 2 * january *", "invalid month \"january\" in the schedule", "fourth of five"},
           {"0 2 * * 8", "invalid day of week \"8\" in the schedule", "0 and 7 are Sunday"},
           {"0 2 * jan,mon *", "invalid month \"jan,mon\" in the schedule", ""},
           {"0 2,,3 * * *", "invalid hour \"2,,3\" in the schedule", ""},
           {"0 5-2 * * *", "invalid hour \"5-2\" in the schedule", "A range goes from the lower to the higher value."},
           {"0 5/2 * * *", "invalid hour \"5/2\" in the schedule", "A step follows * or a range."},
           {"*/0 2 * * *", "invalid minute \"*/0\" in the schedule", "A step is a number from 1."},
           {"*/x 2 * * *", "invalid minute \"*/x\" in the schedule", "A step is a number from 1."},
           {"1-2-3 2 * * *", "invalid minute \"1-2-3\" in the schedule", ""},
           {"*/2/3 2 * * *", "invalid minute \"*/2/3\" in the schedule", ""},
           {"0000 2 * * *", "invalid minute \"0000\" in the schedule", ""},
           {"0 2 * *", "invalid schedule \"0 2 * *\"", "It has 4 fields; a schedule has five"},
           {"0 2 * * * *", "invalid schedule \"0 2 * * * *\"", "It has 6 fields"},
           {"", "invalid schedule \"\"", "It has 0 fields"},
           {"@reboot", "invalid schedule \"@reboot\"", "or is @hourly, @daily"},
           {"0 0 30 2 *", "schedule \"0 0 30 2 *\" never comes", ""},
           {"0 0 31 4,6,9,11 *", "schedule \"0 0 31 4,6,9,11 *\" never comes", "fourth field"},
       }) {
    error e = refused(c.schedule);
    EXPECT_EQ(e.message(), c.message);
    EXPECT_NE(e.detail().find(c.detail), std::string::npos) << c.schedule << ": " << e.detail();
    EXPECT_FALSE(e.hint().empty());
  }
}

}  // namespace
}  // namespace snapback
