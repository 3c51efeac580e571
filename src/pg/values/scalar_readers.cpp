#include "pg/values/scalar_readers.hpp"

#include <charconv>
#include <cstring>
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

// Values of hexadecimal digits, -1 for everything else.
struct HexValues {
  signed char of[256];
  constexpr HexValues() : of{} {
    for (int i = 0; i < 256; ++i) of[i] = -1;
    for (int i = 0; i < 10; ++i) of['0' + i] = static_cast<signed char>(i);
    for (int i = 0; i < 6; ++i) of['a' + i] = of['A' + i] = static_cast<signed char>(10 + i);
  }
};
constexpr HexValues hex_values;

inline int hex_digit(char c) { return hex_values.of[static_cast<unsigned char>(c)]; }

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
  int wrong = 0;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int value = hex_digit(text[i]) << 4 | hex_digit(text[i + 1]);
    wrong |= value;
    *bytes++ = static_cast<unsigned char>(value);
  }
  return wrong >= 0;
}

bool parse_uuid(std::string_view text, unsigned char* bytes) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  constexpr unsigned char places[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  int wrong = 0;
  for (const unsigned char place : places) {
    const int value = hex_digit(text[place]) << 4 | hex_digit(text[place + 1u]);
    wrong |= value;
    *bytes++ = static_cast<unsigned char>(value);
  }
  return wrong >= 0;
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

// The layout on disk that scalars.cpp reads, in its short form: 63 decimal digits never need another. The digits are those of make_result() in numeric.c: none that is 0 at
// either end.
bool parse_numeric(std::string_view text, int precision, int scale, char* body, std::size_t& size) {
  if (text.empty() || text.size() > 63) return false;
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = *p == '-';
  if (negative) ++p;
  const char* const whole = p;
  while (p != end && *p >= '0' && *p <= '9') ++p;
  int whole_digits = static_cast<int>(p - whole), fraction = 0;
  if (whole_digits == 0) return false;
  if (p != end) {
    if (*p != '.') return false;
    fraction = static_cast<int>(end - p) - 1;
    if (fraction == 0) return false;
    for (const char* q = p + 1; q != end; ++q)
      if (*q < '0' || *q > '9') return false;
  }
  int significant = whole_digits;
  for (const char* q = whole; q != p && *q == '0'; ++q) --significant;
  if (scale >= 0 && (fraction > scale || scale > 63 || significant > precision - scale)) return false;

  // decimal digits by their place: place 0 is the first behind the point
  std::int16_t digits[40];
  int count = 0;
  const int first = (whole_digits + 3) / 4 - 1;  // weight of the first digit in base 10000
  const char* q = whole;
  int value = 0;
  for (int left = whole_digits; left > 0; --left) {
    value = value * 10 + (*q++ - '0');
    if (left % 4 == 1) {
      digits[count++] = static_cast<std::int16_t>(value);
      value = 0;
    }
  }
  if (fraction > 0) ++q;
  for (int i = 0; i < fraction || i % 4 != 0; ++i) {
    value = value * 10 + (i < fraction ? *q++ - '0' : 0);
    if (i % 4 == 3) {
      digits[count++] = static_cast<std::int16_t>(value);
      value = 0;
    }
  }
  int start = 0, weight = first;
  while (start < count && digits[start] == 0) {
    ++start;
    --weight;
  }
  while (count > start && digits[count - 1] == 0) --count;
  if (count == start) weight = 0;
  const bool minus = negative && count != start;
  const int shown = scale >= 0 ? scale : fraction;
  const auto header = static_cast<std::uint16_t>(0x8000 | (minus ? 0x2000 : 0) | shown << 7 | (weight < 0 ? 0x40 : 0) | (weight & 0x3F));
  std::memcpy(body, &header, sizeof header);
  std::memcpy(body + sizeof header, digits + start, static_cast<std::size_t>(count - start) * 2);
  size = sizeof header + static_cast<std::size_t>(count - start) * 2;
  return true;
}

std::size_t utf8_length(std::string_view text) {
  std::size_t continuations = 0, i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    // bytes 10xxxxxx: the highest bit is set, the next is not; the product sums their bits up (a population count is a call on processors of any age)
    continuations += static_cast<std::size_t>((((word & ~(word << 1)) >> 7 & 0x0101010101010101) * 0x0101010101010101) >> 56);
  }
  for (; i < text.size(); ++i) continuations += (text[i] & 0xC0) == 0x80;
  return text.size() - continuations;
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
