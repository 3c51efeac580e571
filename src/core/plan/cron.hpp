// Schedules in the notation of cron: minute, hour, day of month, month, day of week.
//
// Each field is *, a number, a range a-b, either with a step (*/2, 8-18/3), or a list of these; months and days of the week have English names of three
// letters. Sunday is 0 or 7. When both day fields are restricted, a day that fits either of them counts, as in cron; a field that begins with * is not
// restricted, and then the day has to fit both. @hourly, @daily (@midnight), @weekly, @monthly and @yearly (@annually) stand for whole expressions.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/plan/time_zone.hpp"

namespace snapback {

class CronSchedule {
 public:
  // Raises 22023 naming the field and what it takes, also for an expression that never comes (30 February).
  static CronSchedule parse(std::string_view text);

  // The first due moment after `moment` (seconds since 1970 UTC). A local time that a clock change skips is due at the next moment that exists, one that
  // a change repeats is due once, at its first moment.
  std::int64_t next_after(std::int64_t moment, const TimeZone& zone) const;
  // The last due moment at or before `moment`.
  std::int64_t last_until(std::int64_t moment, const TimeZone& zone) const;

 private:
  bool fits_day(int day, int weekday) const;
  std::optional<std::int64_t> next_local(std::int64_t from) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;      // 1..31
  std::bitset<13> months_;    // 1..12
  std::bitset<7> weekdays_;   // 0 = Sunday
  bool any_day_ = false;      // day of month begins with *
  bool any_weekday_ = false;  // day of week begins with *
};

}  // namespace snapback
