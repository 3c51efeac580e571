// Values of the server's own types to text, each as its output function writes it under pg::TextForms, without its cost. Every function writes to `out`, which
// must have the room named, and returns the end; none raises.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>

#include "pg/pg.hpp"

namespace snapback::pg::values {

inline constexpr std::size_t integer_room = 24;
inline constexpr std::size_t float_room = 32;
inline constexpr std::size_t date_room = 16;
inline constexpr std::size_t time_room = 16;
inline constexpr std::size_t timestamp_room = 48;
inline constexpr std::size_t uuid_room = 36;

template <class Integer>
inline char* put_integer(char* out, Integer value) {
  return std::to_chars(out, out + integer_room, value).ptr;
}

// Shortest text that reads back as the same bits; the value must be finite.
char* put_float4(char* out, float value);
char* put_float8(char* out, double value);

// False (nothing written) for infinities and years outside 1 to 9999, which the server's own function writes.
bool put_date(char*& out, std::int32_t days);
bool put_timestamp(char*& out, std::int64_t microseconds);
// Times of the day, 24:00:00 included.
char* put_time(char* out, std::int64_t microseconds);

char* put_uuid(char* out, const unsigned char* bytes);

// A numeric's detoasted body (without the varlena header).
std::size_t numeric_room(const char* body);
char* put_numeric(char* out, const char* body, std::size_t size);

}  // namespace snapback::pg::values
