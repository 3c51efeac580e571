#include "pg/values/scalars.hpp"

extern "C" {
#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
}

namespace snapback::pg::values {

namespace {

struct DigitPairs {
  char text[200];
  constexpr DigitPairs() : text{} {
    for (int i = 0; i < 100; ++i) {
      text[2 * i] = static_cast<char>('0' + i / 10);
      text[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
  }
};
constexpr DigitPairs pairs;

inline char* put2(char* out, unsigned value) {
  memcpy(out, pairs.text + 2 * value, 2);
  return out + 2;
}

inline char* put4(char* out, unsigned value) { return put2(put2(out, value / 100), value % 100); }

// Days since 2000-01-01 to a date of the proleptic Gregorian calendar; only for years 1 to 9999 (Howard Hinnant's algorithm, eras of 400 years).
inline char* put_civil(char* out, std::int32_t days) {
  constexpr std::int32_t to_march_of_year_0 = 730425;  // days from 0000-03-01 to 2000-01-01
  const auto z = static_cast<unsigned>(days + to_march_of_year_0);
  const unsigned era = z / 146097;
  const unsigned day_of_era = z - era * 146097;
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned m = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * m + 2) / 5 + 1;
  const unsigned month = m < 10 ? m + 3 : m - 9;
  const unsigned year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  out = put4(out, year);
  *out++ = '-';
  out = put2(out, month);
  *out++ = '-';
  return put2(out, day);
}

constexpr std::int32_t first_day = -730119;  // 0001-01-01
constexpr std::int32_t last_day = 2921939;   // 9999-12-31

}  // namespace

char* put_float4(char* out, float value) { return out + float_to_shortest_decimal_bufn(value, out); }
char* put_float8(char* out, double value) { return out + double_to_shortest_decimal_bufn(value, out); }

bool put_date(char*& out, std::int32_t days) {
  if (days < first_day || days > last_day) return false;
  out = put_civil(out, days);
  return true;
}

char* put_time(char* out, std::int64_t microseconds) {
  const auto seconds = static_cast<unsigned>(microseconds / USECS_PER_SEC);
  auto fraction = static_cast<unsigned>(microseconds % USECS_PER_SEC);
  out = put2(out, seconds / 3600);
  *out++ = ':';
  out = put2(out, seconds / 60 % 60);
  *out++ = ':';
  out = put2(out, seconds % 60);
  if (fraction != 0) {
    *out++ = '.';
    out = put2(put4(out, fraction / 100), fraction % 100);
    while (out[-1] == '0') --out;
  }
  return out;
}

bool put_timestamp(char*& out, std::int64_t microseconds) {
  if (microseconds < first_day * USECS_PER_DAY || microseconds >= (last_day + 1) * USECS_PER_DAY) return false;
  std::int64_t day = microseconds / USECS_PER_DAY, time = microseconds % USECS_PER_DAY;
  if (time < 0) {
    time += USECS_PER_DAY;
    --day;
  }
  out = put_civil(out, static_cast<std::int32_t>(day));
  *out++ = ' ';
  out = put_time(out, time);
  return true;
}

char* put_uuid(char* out, const unsigned char* bytes) {
  constexpr char hex[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = hex[bytes[i] >> 4];
    *out++ = hex[bytes[i] & 15];
  }
  return out;
}

// The layout of a numeric on disk (numeric.c of the server): a header of 16 bits, for the long form a weight of 16 bits, then digits in base 10000.
namespace {

struct NumericParts {
  std::uint16_t header;
  bool special, negative;
  int weight, scale;
  std::size_t digits_at;
};

inline NumericParts numeric_parts(const char* body) {
  NumericParts parts{};
  memcpy(&parts.header, body, 2);
  switch (parts.header & 0xC000) {
    case 0xC000:
      parts.special = true;
      break;
    case 0x8000:
      parts.negative = (parts.header & 0x2000) != 0;
      parts.scale = (parts.header & 0x1F80) >> 7;
      parts.weight = (parts.header & 0x0040) != 0 ? static_cast<int>(parts.header & 0x003F) - 64 : parts.header & 0x003F;
      parts.digits_at = 2;
      break;
    default: {
      std::int16_t weight;
      memcpy(&weight, body + 2, 2);
      parts.negative = (parts.header & 0xC000) == 0x4000;
      parts.scale = parts.header & 0x3FFF;
      parts.weight = weight;
      parts.digits_at = 4;
    }
  }
  return parts;
}

}  // namespace

std::size_t numeric_room(const char* body) {
  const NumericParts parts = numeric_parts(body);
  return static_cast<std::size_t>(parts.weight > 0 ? parts.weight : 0) * 4 + static_cast<std::size_t>(parts.scale) + 16;
}

char* put_numeric(char* out, const char* body, std::size_t size) {
  const NumericParts parts = numeric_parts(body);
  if (parts.special) {
    const char* text = (parts.header & 0xF000) == 0xC000 ? "NaN" : (parts.header & 0xF000) == 0xD000 ? "Infinity" : "-Infinity";
    const std::size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
  }
  const int count = static_cast<int>((size - parts.digits_at) / 2);
  const char* digits = body + parts.digits_at;
  auto digit = [&](int i) -> unsigned {
    if (i < 0 || i >= count) return 0;
    std::int16_t value;
    memcpy(&value, digits + 2 * i, 2);
    return static_cast<unsigned>(value);
  };
  if (parts.negative) *out++ = '-';
  int next = 0;
  if (parts.weight < 0) {
    next = parts.weight + 1;
    *out++ = '0';
  } else {
    out = put_integer(out, digit(0));
    for (next = 1; next <= parts.weight; ++next) out = put4(out, digit(next));
  }
  if (parts.scale > 0) {
    *out++ = '.';
    char* const end = out + parts.scale;
    while (out < end) out = put4(out, digit(next++));
    out = end;
  }
  return out;
}

}  // namespace snapback::pg::values
