#include "pg/values/scalar_readers.hpp"

#include <charconv>
#include <system_error>

namespace snapback::pg::values {

namespace {

template <class Number>
bool parse_whole(std::string_view text, Number& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// from_chars also takes "inf" and "nan", which the server spells in its own ways
bool starts_as_number(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `count` digits at `at`; the text is long enough.
inline bool digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    const auto digit = static_cast<unsigned>(text[i] - '0');
    if (digit > 9) return false;
    value = value * 10 + static_cast<int>(digit);
  }
  return true;
}

constexpr std::int64_t microseconds_per_second = 1000000;

}  // namespace

bool parse_integer(std::string_view text, std::int16_t& value) { return parse_whole(text, value); }
bool parse_integer(std::string_view text, std::int32_t& value) { return parse_whole(text, value); }
bool parse_integer(std::string_view text, std::int64_t& value) { return parse_whole(text, value); }
bool parse_float(std::string_view text, float& value) { return starts_as_number(text) && parse_whole(text, value); }
bool parse_float(std::string_view text, double& value) { return starts_as_number(text) && parse_whole(text, value); }

bool parse_hex(std::string_view text, unsigned char* bytes) {
  if (text.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    *bytes++ = static_cast<unsigned char>(high << 4 | low);
  }
  return true;
}

bool parse_uuid(std::string_view text, unsigned char* bytes) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  return parse_hex(text.substr(0, 8), bytes) && parse_hex(text.substr(9, 4), bytes + 4) && parse_hex(text.substr(14, 4), bytes + 6) &&
         parse_hex(text.substr(19, 4), bytes + 8) && parse_hex(text.substr(24, 12), bytes + 10);
}

bool parse_date(std::string_view text, std::int32_t& days) {
  int year, month, day;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !digits(text, 0, 4, year) || !digits(text, 5, 2, month) ||
      !digits(text, 8, 2, day))
    return false;
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (day > lengths[month - 1] + (month == 2 && leap ? 1 : 0)) return false;
  const int y = month <= 2 ? year - 1 : year;
  const int era = y / 400, year_of_era = y - era * 400;
  const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 730425;
  return true;
}

bool parse_timestamp(std::string_view text, bool zone, std::int64_t& microseconds) {
  if (zone) {
    if (text.size() < 3 || text.substr(text.size() - 3) != "+00") return false;
    text.remove_suffix(3);
  }
  std::int32_t days;
  int hour, minute, second, fraction = 0;
  if (text.size() < 19 || text[10] != ' ' || text[13] != ':' || text[16] != ':' || !parse_date(text.substr(0, 10), days) ||
      !digits(text, 11, 2, hour) || !digits(text, 14, 2, minute) || !digits(text, 17, 2, second))
    return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  if (text.size() > 19) {
    const std::size_t count = text.size() - 20;
    if (text[19] != '.' || count < 1 || count > 6 || !digits(text, 20, count, fraction)) return false;
    for (std::size_t i = count; i < 6; ++i) fraction *= 10;
  }
  microseconds = (days * std::int64_t{86400} + hour * 3600 + minute * 60 + second) * microseconds_per_second + fraction;
  return true;
}

int fraction_digits(std::string_view text) {
  if (text.find_first_of("eE") != std::string_view::npos) return 1 << 20;
  const auto point = text.find('.');
  if (point == std::string_view::npos) return 0;
  int count = 0;
  for (std::size_t i = point + 1; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) ++count;
  return count;
}

}  // namespace snapback::pg::values
