#include "core/plan/length_of_time.hpp"

#include <algorithm>

namespace snapback {

std::optional<std::int64_t> parse_length_of_time(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  constexpr Unit units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}, {"week", 7 * 86400}, {"month", 30 * 86400}, {"year", 365 * 86400}};
  constexpr std::int64_t longest = std::int64_t{1000} * 365 * 86400;
  std::size_t digits = 0;
  std::int64_t count = 0;
  for (; digits < text.size() && digits < 12 && text[digits] >= '0' && text[digits] <= '9'; ++digits) count = count * 10 + (text[digits] - '0');
  std::string_view unit = text.substr(digits);
  if (!unit.empty() && unit[0] == ' ') unit.remove_prefix(1);
  if (!unit.empty() && unit.back() == 's') unit.remove_suffix(1);
  for (const Unit& known : units)
    if (unit == known.name && count > 0 && count <= longest / known.seconds) return count * known.seconds;
  return std::nullopt;
}

}  // namespace snapback
