#include "core/plan/length_of_time.hpp"

#include <gtest/gtest.h>

namespace snapback {
namespace {

TEST(LengthOfTime, Parsed) {
  EXPECT_EQ(parse_length_of_time("30 days"), 30 * 86400);
  EXPECT_EQ(parse_length_of_time("1 day"), 86400);
  EXPECT_EQ(parse_length_of_time("90seconds"), 90);
  EXPECT_EQ(parse_length_of_time("5 minutes"), 300);
  EXPECT_EQ(parse_length_of_time("12 hours"), 12 * 3600);
  EXPECT_EQ(parse_length_of_time("2 weeks"), 14 * 86400);
  EXPECT_EQ(parse_length_of_time("6 months"), 180 * 86400);
  EXPECT_EQ(parse_length_of_time("1000 years"), std::int64_t{365000} * 86400);
}

TEST(LengthOfTime, Refused) {
  for (const char* text : {"", "30", "days", "0 days", "-1 days", "1  day", "1 day ", "1.5 days", "one day", "30 Days", "1001 years", "999999999999 years", "9999999999999 seconds", "1 fortnight", "s", "1 s"})
    EXPECT_FALSE(parse_length_of_time(text)) << text;
}

}  // namespace
}  // namespace snapback
