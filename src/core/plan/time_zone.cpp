#include "core/plan/time_zone.hpp"

#include <algorithm>

namespace snapback {

std::int64_t TimeZone::to_moment(std::int64_t local) const {
  // no zone was ever further from UTC than this
  constexpr std::int64_t furthest = 17 * 3600;
  std::int64_t begin = local - furthest;
  for (;;) {
    std::int64_t moment = local - offset_at(begin);
    auto end = next_transition(begin);
    // a local time before the first one that this offset shows was skipped
    if (!end || moment < *end) return std::max(moment, begin);
    begin = *end;
  }
}

}  // namespace snapback
