// Texts to values of the server's own types, for the usual shapes only: each returns false for anything else, which then goes through the type's input function.
// None raises.
#pragma once

#include <cstddef>
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

// A numeric of at most 63 characters without exponent. The body (what follows the varlena header) goes to `body`, which has room for numeric_body_room bytes. `precision` and
// `scale` are those of the type modifier, or -1; nothing is rounded.
inline constexpr std::size_t numeric_body_room = 2 + 2 * 40;
bool parse_numeric(std::string_view text, int precision, int scale, char* body, std::size_t& size);

// Characters of valid UTF-8.
std::size_t utf8_length(std::string_view text);

// Digits behind the decimal point; a large number when there may be others hidden in an exponent.
int fraction_digits(std::string_view text);

}  // namespace snapback::pg::values
