// Time zones as plans need them: what the clocks on the wall show. pg/time_zone.hpp has those of the server.
#pragma once

#include <cstdint>
#include <optional>

namespace snapback {

inline constexpr std::int64_t day_seconds = 86400;

// Moments are seconds since 1970 UTC; local times are the same count of what the clock shows, as if it were UTC.
class TimeZone {
 public:
  virtual ~TimeZone() = default;
  // Seconds that local time is ahead of UTC at `moment`.
  virtual std::int64_t offset_at(std::int64_t moment) const = 0;
  // The first moment after `moment` from which another offset may be in force; none when there is no more.
  virtual std::optional<std::int64_t> next_transition(std::int64_t moment) const = 0;

  std::int64_t to_local(std::int64_t moment) const { return moment + offset_at(moment); }
  // The moment at which the clocks show `local`: the first one where a clock change repeats it, and the moment of the change where one skips it.
  // Does not go down as `local` goes up.
  std::int64_t to_moment(std::int64_t local) const;
};

// The same offset at all times.
class FixedZone final : public TimeZone {
 public:
  explicit FixedZone(std::int64_t offset = 0) : offset_(offset) {}
  std::int64_t offset_at(std::int64_t) const override { return offset_; }
  std::optional<std::int64_t> next_transition(std::int64_t) const override { return std::nullopt; }

 private:
  std::int64_t offset_;
};

}  // namespace snapback
