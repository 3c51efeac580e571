// The server's time zones.
#pragma once

#include <string>

#include "core/plan/time_zone.hpp"
#include "pg/pg.hpp"

namespace snapback::pg {

class ServerTimeZone final : public TimeZone {
 public:
  // By name or POSIX description, as SET TimeZone takes them. Raises 22023 for an unknown one.
  explicit ServerTimeZone(const std::string& name);
  // As the server spells it.
  std::string name() const;

  std::int64_t offset_at(std::int64_t moment) const override;
  std::optional<std::int64_t> next_transition(std::int64_t moment) const override;

 private:
  pg_tz* zone_;  // of the server's cache, never freed
};

// The name of the session's zone.
std::string session_time_zone();

}  // namespace snapback::pg
