// Lengths of time as settings and arguments write them: '30 days', '12 hours', '2 weeks'.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace snapback {

// Seconds; none when the text is not a whole number above 0 and one of second, minute, hour, day, week, month (30 days), year (365 days), or longer than 1000
// years.
std::optional<std::int64_t> parse_length_of_time(std::string_view text);

}  // namespace snapback
