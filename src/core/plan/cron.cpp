#include "core/plan/cron.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "core/backup_id.hpp"
#include "core/error.hpp"

namespace snapback {
namespace {

// 29 February on a given day of the week: 28 years, 40 over a century without a leap day
constexpr std::int64_t horizon_days = 41 * 366;

struct Field {
  const char* name;
  const char* ordinal;
  int first, last;
  std::vector<std::string_view> names;  // of first, first + 1, ...
  const char* takes;
};

const std::array<Field, 5>& fields() {
  static const auto* all = new std::array<Field, 5>{{
      {"minute", "first", 0, 59, {}, "0 to 59"},
      {"hour", "second", 0, 23, {}, "0 to 23"},
      {"day of month", "third", 1, 31, {}, "1 to 31"},
      {"month", "fourth", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}, "1 to 12 or jan to dec"},
      {"day of week", "fifth", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, "0 to 7 (0 and 7 are Sunday) or sun to sat"},
  }};
  return *all;
}

struct Macro {
  std::string_view name, expression;
};
constexpr Macro macros[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                            {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i)
    if (i == text.size() || separators.find(text[i]) != std::string_view::npos) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  return parts;
}

[[noreturn]] void invalid_field(const Field& field, std::string_view text, const std::string& why) {
  throw error(sqlstate::invalid_parameter_value, std::string("invalid ") + field.name + " \"" + printable(text) + "\" in the schedule",
              (why.empty() ? "" : why + " ") + "The " + field.name + " is the " + field.ordinal + " of five fields; it takes " + field.takes +
                  ", *, ranges (a-b), steps (*/2, a-b/2), and lists of these with commas.",
              "Every day at 02:00 is '0 2 * * *'.");
}

// A number of at most three digits.
std::optional<int> number(std::string_view text) {
  if (text.empty() || text.size() > 3) return std::nullopt;
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

int value_of(const Field& field, std::string_view whole, std::string_view text) {
  if (auto value = number(text); value && *value >= field.first && *value <= field.last) return *value;
  auto name = std::find(field.names.begin(), field.names.end(), lower(text));
  if (name == field.names.end()) invalid_field(field, whole, "");
  return field.first + static_cast<int>(name - field.names.begin());
}

// The values of one field, 7 for Sunday still apart from 0.
std::bitset<64> parse_field(const Field& field, std::string_view text) {
  std::bitset<64> values;
  for (std::string_view item : split(text, ",")) {
    auto step_parts = split(item, "/");
    if (step_parts.size() > 2) invalid_field(field, text, "");
    int first = field.first, last = field.last, step = 1;
    bool single = false;
    if (step_parts[0] == "*") {
      if (field.last == 7) last = 6;
    } else {
      auto ends = split(step_parts[0], "-");
      if (ends.size() > 2) invalid_field(field, text, "");
      first = last = value_of(field, text, ends[0]);
      single = ends.size() == 1;
      if (!single) last = value_of(field, text, ends[1]);
      // fri-sun
      if (!single && field.last == 7 && first > 0 && last == 0) last = 7;
      if (first > last) invalid_field(field, text, "A range goes from the lower to the higher value.");
    }
    if (step_parts.size() == 2) {
      auto given = number(step_parts[1]);
      if (single) invalid_field(field, text, "A step follows * or a range.");
      if (!given || *given == 0) invalid_field(field, text, "A step is a number from 1.");
      step = *given;
    }
    for (int value = first; value <= last; value += step) values.set(static_cast<std::size_t>(value));
  }
  return values;
}

template <std::size_t size>
std::bitset<size> narrow(const std::bitset<64>& values) {
  std::bitset<size> result;
  for (std::size_t i = 0; i < size; ++i) result[i] = values[i];
  return result;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) { return value >= 0 ? value / by : -((-value + by - 1) / by); }

}  // namespace

CronSchedule CronSchedule::parse(std::string_view text) {
  std::string expression = lower(text);
  for (const Macro& macro : macros)
    if (expression == macro.name) expression = macro.expression;
  std::vector<std::string_view> parts;
  for (std::string_view part : split(expression, " \t"))
    if (!part.empty()) parts.push_back(part);
  if (parts.size() != 5)
    throw error(sqlstate::invalid_parameter_value, "invalid schedule \"" + printable(text) + "\"",
                "It has " + std::to_string(parts.size()) + (parts.size() == 1 ? " field" : " fields") +
                    "; a schedule has five: minute, hour, day of month, month, day of week; or is @hourly, @daily, @weekly, @monthly or @yearly.",
                "Every day at 02:00 is '0 2 * * *'.");
  CronSchedule schedule;
  schedule.minutes_ = narrow<60>(parse_field(fields()[0], parts[0]));
  schedule.hours_ = narrow<24>(parse_field(fields()[1], parts[1]));
  schedule.days_ = narrow<32>(parse_field(fields()[2], parts[2]));
  schedule.months_ = narrow<13>(parse_field(fields()[3], parts[3]));
  auto weekdays = parse_field(fields()[4], parts[4]);
  if (weekdays[7]) weekdays.set(0);
  schedule.weekdays_ = narrow<7>(weekdays);
  schedule.any_day_ = parts[2][0] == '*';
  schedule.any_weekday_ = parts[4][0] == '*';
  if (!schedule.next_local(0))
    throw error(sqlstate::invalid_parameter_value, "schedule \"" + printable(text) + "\" never comes",
                "No month that it names (fourth field) has a day of month that it names (third field).", "The last days of all months are 28, 29, 30 and 31.");
  return schedule;
}

bool CronSchedule::fits_day(int day, int weekday) const {
  bool by_day = days_[static_cast<std::size_t>(day)], by_weekday = weekdays_[static_cast<std::size_t>(weekday)];
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

// The first local time at or after `from` that the expression names; whole minutes.
std::optional<std::int64_t> CronSchedule::next_local(std::int64_t from) const {
  const std::int64_t first_day = floor_divide(from, day_seconds);
  for (std::int64_t day = first_day; day <= first_day + horizon_days; ++day) {
    const std::chrono::sys_days days{std::chrono::days{day}};
    const std::chrono::year_month_day date{days};
    if (!months_[static_cast<unsigned>(date.month())]) {
      // on to the last day of this month
      day = std::chrono::sys_days{date.year() / date.month() / std::chrono::last}.time_since_epoch().count();
      continue;
    }
    if (!fits_day(static_cast<int>(static_cast<unsigned>(date.day())), static_cast<int>(std::chrono::weekday{days}.c_encoding()))) continue;
    const std::int64_t begin = std::max(from, day * day_seconds) - day * day_seconds;
    const std::int64_t first_minute = (begin + 59) / 60;
    for (std::int64_t minute = first_minute; minute < 24 * 60; ++minute) {
      const auto hour = static_cast<std::size_t>(minute / 60);
      if (!hours_[hour]) {
        minute = minute / 60 * 60 + 59;
        continue;
      }
      if (minutes_[static_cast<std::size_t>(minute % 60)]) return day * day_seconds + minute * 60;
    }
  }
  return std::nullopt;
}

std::int64_t CronSchedule::next_after(std::int64_t moment, const TimeZone& zone) const {
  std::int64_t from = zone.to_local(moment);
  for (;;) {
    // parse() has seen that there is always one
    const std::int64_t local = next_local(from).value();
    const std::int64_t due = zone.to_moment(local);
    if (due > moment) return due;
    from = local + 60;
  }
}

std::int64_t CronSchedule::last_until(std::int64_t moment, const TimeZone& zone) const {
  std::int64_t step = 3600;
  while (next_after(moment - step, zone) > moment) step *= 2;
  std::int64_t due = next_after(moment - step, zone);
  for (std::int64_t next = due; next <= moment; next = next_after(next, zone)) due = next;
  return due;
}

}  // namespace snapback
