// Texts to values of the server's own types, for the usual shapes only: each returns false for anything else, which then goes through the type's input function.
// None raises.
#pragma once

#include <cstdint>
#include <string_view>

namespace snapback::pg::values {

bool parse_integer(std::string_view text, std::int16_t& value);
bool parse_integer(std::string_view text, std::int32_t& value);
bool parse_integer(std::string_view text, std::int64_t& value);
bool parse_float(std::string_view text, float& value);
bool parse_float(std::string_view text, double& value);
bool parse_uuid(std::string_view text, unsigned char* bytes);
bool parse_hex(std::string_view digits, unsigned char* bytes);

// 2026-11-21, years 1 to 9999; days since 2000-01-01.
bool parse_date(std::string_view text, std::int32_t& days);
// 2026-11-21 02:00:00.123456, with +00 behind when `zone`; microseconds since 2000-01-01.
bool parse_timestamp(std::string_view text, bool zone, std::int64_t& microseconds);

// Digits behind the decimal point; a large number when there may be others hidden in an exponent.
int fraction_digits(std::string_view text);

}  // namespace snapback::pg::values
