#include "core/backup_id.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "core/error.hpp"

namespace snapback {
namespace {

// One character class per place: '0' a digit, 'x' a lower-case hex digit, everything else itself.
constexpr std::string_view id_pattern = "backup_00000000T000000Z_xxxxxxxx";
static_assert(id_pattern.size() == backup_id_length);

constexpr std::size_t printable_limit = 80;
constexpr std::size_t shown_candidates = 5;
constexpr std::int64_t seconds_per_day = 86400;
constexpr std::int64_t microseconds = 1000000;

struct Date {
  std::int64_t year;
  int month, day;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool fits_pattern(std::string_view text, std::string_view pattern) {
  if (text.size() > pattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (pattern[i]) {
      case '0':
        if (!is_digit(c)) return false;
        break;
      case 'x':
        if (!is_digit(c) && !(c >= 'a' && c <= 'f')) return false;
        break;
      default:
        if (c != pattern[i]) return false;
    }
  }
  return true;
}

int number_at(std::string_view text, std::size_t place, std::size_t digits) {
  int value = 0;
  for (std::size_t i = place; i < place + digits; ++i) value = value * 10 + (text[i] - '0');
  return value;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// Proleptic Gregorian calendar, days since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms");
// std::chrono::year ends at 32767, a timestamp does not.
Date date_of(std::int64_t days) {
  days += 719468;
  const std::int64_t era = floor_divide(days, 146097);
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

std::int64_t days_of(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = floor_divide(year, 400);
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

// False when there is no such date or time of day.
bool seconds_of(int year, int month, int day, int hour, int minute, int second, std::int64_t& out) {
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return false;
  const std::int64_t days = days_of(year, month, day);
  if (date_of(days).day != day) return false;
  out = days * seconds_per_day + hour * 3600 + minute * 60 + second;
  return true;
}

bool id_seconds(std::string_view text, std::int64_t& seconds) {
  return text.size() == backup_id_length && fits_pattern(text, id_pattern) &&
         seconds_of(number_at(text, 7, 4), number_at(text, 11, 2), number_at(text, 13, 2), number_at(text, 16, 2), number_at(text, 18, 2),
                    number_at(text, 20, 2), seconds) &&
         seconds >= 0;
}

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char buffer[96];
  const int size = std::snprintf(buffer, sizeof buffer, format, values...);
  return std::string(buffer, static_cast<std::size_t>(size));
}

}  // namespace

std::string make_backup_id(std::int64_t unix_seconds, std::uint32_t random) {
  const std::int64_t days = floor_divide(unix_seconds, seconds_per_day);
  const Date date = date_of(days);
  if (unix_seconds < 0 || date.year > 9999) throw error(sqlstate::internal_error, "no backup id can be made for a time outside the years 1970 to 9999");
  const int time = static_cast<int>(unix_seconds - days * seconds_per_day);
  return formatted("backup_%04d%02d%02dT%02d%02d%02dZ_%08x", static_cast<int>(date.year), date.month, date.day, time / 3600, time / 60 % 60, time % 60,
                   static_cast<unsigned>(random));
}

bool is_backup_id(std::string_view text) {
  std::int64_t seconds = 0;
  return id_seconds(text, seconds);
}

std::int64_t backup_id_time(std::string_view id) {
  std::int64_t seconds = 0;
  if (!id_seconds(id, seconds)) throw error(sqlstate::internal_error, "\"" + printable(id) + "\" is no backup id");
  return seconds;
}

std::string resolve_backup_id(std::string_view text, const std::vector<std::string>& known) {
  if (text.empty() || !fits_pattern(text, id_pattern) || (text.size() == backup_id_length && !is_backup_id(text)))
    throw error(sqlstate::invalid_parameter_value, "invalid backup id \"" + printable(text) + "\"", {},
                "A backup id looks like backup_20261121T020000Z_9f3c01ab; its beginning is enough where it names one backup only.");

  std::vector<std::string_view> matches;
  for (const std::string& id : known) {
    if (id == text) return id;
    if (std::string_view(id).substr(0, text.size()) == text) matches.push_back(id);
  }
  if (matches.empty())
    throw error(sqlstate::undefined_object, "backup \"" + printable(text) + "\" does not exist", {}, "The function backup_list() shows the backups there are.");
  if (matches.size() == 1) return std::string(matches.front());

  std::sort(matches.begin(), matches.end(), std::greater<>());
  std::string detail = "It is the beginning of ";
  const std::size_t shown = std::min(matches.size(), shown_candidates);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) detail += i + 1 == matches.size() ? " and " : ", ";
    detail += printable(matches[i]);
  }
  if (matches.size() > shown) detail += " and " + std::to_string(matches.size() - shown) + " more";
  throw error(sqlstate::invalid_parameter_value, "backup id \"" + printable(text) + "\" is ambiguous", detail + ".", "Write more of the id.");
}

std::string printable(std::string_view text) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    std::size_t length = 1;
    // a lead byte and what continues it stay together, also where the text is no valid UTF-8
    if (c >= 0xC0)
      while (length < 4 && i + length < text.size() && (static_cast<unsigned char>(text[i + length]) & 0xC0) == 0x80) ++length;
    const bool control = c < 0x20 || c == 0x7F;
    const std::string piece = control ? formatted("\\x%02X", static_cast<unsigned>(c)) : std::string(text.substr(i, length));
    if (out.size() + piece.size() > printable_limit) return out + "...";
    out += piece;
    i += length;
  }
  return out;
}

std::string format_utc(std::int64_t unix_microseconds) {
  const std::int64_t seconds = floor_divide(unix_microseconds, microseconds);
  const std::int64_t days = floor_divide(seconds, seconds_per_day);
  const Date date = date_of(days);
  const int time = static_cast<int>(seconds - days * seconds_per_day);
  return formatted("%04lld-%02d-%02dT%02d:%02d:%02d.%06dZ", static_cast<long long>(date.year), date.month, date.day, time / 3600, time / 60 % 60, time % 60,
                   static_cast<int>((unix_microseconds % microseconds + microseconds) % microseconds));
}

bool parse_utc(std::string_view text, std::int64_t& unix_microseconds) {
  constexpr std::string_view whole = "0000-00-00T00:00:00";
  if (text.size() <= whole.size() || text.back() != 'Z' || !fits_pattern(text.substr(0, whole.size()), whole)) return false;

  const std::string_view rest = text.substr(whole.size(), text.size() - whole.size() - 1);  // "" or ".ffffff"
  int fraction = 0;
  if (!rest.empty()) {
    if (rest.size() < 2 || !fits_pattern(rest, ".000000")) return false;
    for (std::size_t i = 1; i <= 6; ++i) fraction = fraction * 10 + (i < rest.size() ? rest[i] - '0' : 0);
  }
  std::int64_t seconds = 0;
  if (!seconds_of(number_at(text, 0, 4), number_at(text, 5, 2), number_at(text, 8, 2), number_at(text, 11, 2), number_at(text, 14, 2),
                  number_at(text, 17, 2), seconds))
    return false;
  unix_microseconds = seconds * microseconds + fraction;
  return true;
}

}  // namespace snapback
