// For tests only: due times of a schedule, by the server's time zones.
#ifdef PG_SNAPBACK_TESTING

#include "core/plan/cron.hpp"
#include "pg/time_zone.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

// (schedule text, timezone text, after text, count integer): moments in seconds since 1970, the result with commas.
SNAPBACK_FUNCTION(cron_due) {
  auto schedule = CronSchedule::parse(required_text(fcinfo, 0, "schedule"));
  pg::ServerTimeZone zone(required_text(fcinfo, 1, "timezone"));
  std::int64_t moment = std::stoll(required_text(fcinfo, 2, "after"));
  std::string due;
  for (int i = 0; i < int_argument(fcinfo, 3).value_or(1); ++i) {
    moment = schedule.next_after(moment, zone);
    due += (i == 0 ? "" : ",") + std::to_string(moment);
  }
  return text_result(fcinfo, due);
}

}  // namespace snapback::sql

#endif
