// Identifiers of backups: backup_<UTC yyyymmddThhmmssZ>_<8 hex>.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snapback {

inline constexpr std::size_t backup_id_length = 32;

// Seconds since 1970 UTC and 32 random bits to an id. Years 1970 to 9999.
std::string make_backup_id(std::int64_t unix_seconds, std::uint32_t random);

// True when text has exactly the form of an id (a real date included).
bool is_backup_id(std::string_view text);

// Seconds since 1970 UTC named by a well-formed id.
std::int64_t backup_id_time(std::string_view id);

// What a caller wrote (a whole id or an unambiguous prefix of one) to the id it names among `known`.
// Raises 22023 when the text cannot be a prefix of an id (a '/', '..', control characters, empty), 42704 when none matches,
// 22023 with the candidates in DETAIL when several do. The text is quoted in messages with control characters escaped.
std::string resolve_backup_id(std::string_view text, const std::vector<std::string>& known);

// A text for an error message: control characters as \xHH, at most 80 bytes (cut at a character), the rest as "...".
std::string printable(std::string_view text);

// ISO 8601 in UTC with microseconds: 2026-11-21T02:00:00.000000Z.
std::string format_utc(std::int64_t unix_microseconds);
// The reverse; false when malformed.
bool parse_utc(std::string_view text, std::int64_t& unix_microseconds);

}  // namespace snapback
