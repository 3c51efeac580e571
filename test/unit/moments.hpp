// Moments as tests write them: "2026-03-08 02:30" or with seconds, in UTC.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "core/backup_id.hpp"

namespace snapback::test {

// In microseconds since 1970.
inline std::int64_t microseconds_at(const std::string& text) {
  std::int64_t moment = 0;
  EXPECT_TRUE(parse_utc(text + (text.size() == 16 ? ":00" : "") + ".000000Z", moment)) << text;
  return moment;
}

// In seconds since 1970.
inline std::int64_t at(const std::string& text) { return microseconds_at(text) / 1000000; }

// The same text back, to the minute or to the second.
inline std::string shown(std::int64_t moment) { return format_utc(moment * 1000000).substr(0, 16); }
inline std::string shown_to_the_second(std::int64_t moment) { return format_utc(moment * 1000000).substr(0, 19); }

}  // namespace snapback::test
