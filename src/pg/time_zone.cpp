#include "pg/time_zone.hpp"

#include "core/backup_id.hpp"
#include "pg/call.hpp"

extern "C" {
#include "pgtime.h"
}

namespace snapback::pg {

ServerTimeZone::ServerTimeZone(const std::string& name) {
  zone_ = call([&] {
    pg_tz* found = name.size() > TZ_STRLEN_MAX ? nullptr : pg_tzset(name.c_str());
    // a zone with leap seconds has other seconds than the server's clock
    return found != nullptr && pg_tz_acceptable(found) ? found : nullptr;
  });
  if (zone_ == nullptr)
    throw snapback::error(sqlstate::invalid_parameter_value, "time zone \"" + printable(name) + "\" does not exist", "",
                          "Time zones have names like America/Sao_Paulo or UTC; SELECT name FROM pg_timezone_names lists them.");
}

std::string ServerTimeZone::name() const { return pg_get_timezone_name(zone_); }

// pg_localtime and pg_next_dst_boundary only compute, they raise nothing

std::int64_t ServerTimeZone::offset_at(std::int64_t moment) const {
  const pg_time_t time = moment;
  const pg_tm* local = pg_localtime(&time, zone_);
  return local == nullptr ? 0 : local->tm_gmtoff;
}

std::optional<std::int64_t> ServerTimeZone::next_transition(std::int64_t moment) const {
  const pg_time_t time = moment;
  pg_time_t boundary = 0;
  long before = 0, after = 0;
  int before_is_dst = 0, after_is_dst = 0;
  if (pg_next_dst_boundary(&time, &before, &before_is_dst, &boundary, &after, &after_is_dst, zone_) != 1) return std::nullopt;
  return boundary;
}

std::string session_time_zone() { return pg_get_timezone_name(session_timezone); }

}  // namespace snapback::pg
