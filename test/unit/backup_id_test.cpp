#include "core/backup_id.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/error.hpp"

namespace snapback {
namespace {

constexpr std::int64_t moment = 1795226400;  // 2026-11-21T02:00:00Z
const std::string id = "backup_20261121T020000Z_9f3c01ab";

template <typename Call>
error raised(Call call) {
  try {
    call();
  } catch (const error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was raised";
  return error("00000", "nothing was raised");
}

TEST(BackupId, Made) {
  EXPECT_EQ(make_backup_id(moment, 0x9f3c01ab), id);
  EXPECT_EQ(make_backup_id(0, 0), "backup_19700101T000000Z_00000000");
  EXPECT_EQ(make_backup_id(253402300799, 0xffffffff), "backup_99991231T235959Z_ffffffff");
  for (std::int64_t seconds : {std::int64_t{-1}, std::int64_t{253402300800}, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})
    EXPECT_STREQ(raised([&] { make_backup_id(seconds, 0); }).sqlstate(), "XX000") << seconds;
}

TEST(BackupId, Form) {
  EXPECT_TRUE(is_backup_id(id));
  EXPECT_TRUE(is_backup_id("backup_20240229T235959Z_00000000"));
  for (const char* text : {"", "backup_", "latest", "Backup_20261121T020000Z_9f3c01ab", "backup_20261121T020000Z_9f3c01aB", "backup_20261121T020000Z_9f3c01a",
                           "backup_20261121T020000Z_9f3c01ab0", "backup_20261121 020000Z_9f3c01ab", "backup_20261121T020000Z-9f3c01ab",
                           "backup_20261321T020000Z_9f3c01ab", "backup_20260021T020000Z_9f3c01ab", "backup_20261100T020000Z_9f3c01ab",
                           "backup_20261131T020000Z_9f3c01ab", "backup_20230229T020000Z_9f3c01ab", "backup_21000229T020000Z_9f3c01ab",
                           "backup_20261121T240000Z_9f3c01ab", "backup_20261121T026000Z_9f3c01ab", "backup_20261121T020060Z_9f3c01ab",
                           "backup_19691231T235959Z_9f3c01ab", "backup_2026112:T020000Z_9f3c01ab", "backup_20261121T020000Z_9f3c01ag"})
    EXPECT_FALSE(is_backup_id(text)) << text;
}

TEST(BackupId, TimeThereAndBack) {
  EXPECT_EQ(backup_id_time(id), moment);
  for (std::int64_t seconds = 0; seconds < 253402300800; seconds += 86400 * 97 + 12345) EXPECT_EQ(backup_id_time(make_backup_id(seconds, 7)), seconds);
  EXPECT_STREQ(raised([] { backup_id_time("backup_2026"); }).sqlstate(), "XX000");
}

TEST(Resolve, WholeIdAndPrefix) {
  const std::vector<std::string> known = {"backup_20261120T020000Z_00000001", id, "backup_20261121T030000Z_9f3c01ab"};
  EXPECT_EQ(resolve_backup_id(id, known), id);
  EXPECT_EQ(resolve_backup_id("backup_20261120", known), known[0]);
  EXPECT_EQ(resolve_backup_id("backup_20261121T02", known), id);
  EXPECT_EQ(resolve_backup_id("b", {id}), id);
}

TEST(Resolve, Invalid) {
  for (const char* text : {"", "latest", "backup_x", "/", "../../etc/passwd", "backup_2026/..", "backup_2026\n", "backup_2026%", " backup_2026", "BACKUP_2026",
                           "backup_20261121T020000Z_9f3c01ab0", "backup_20261121T020000Z_9f3c01ab.json.zst", "backup_20261399T020000Z_9f3c01ab"}) {
    const error e = raised([&] { resolve_backup_id(text, {id}); });
    EXPECT_STREQ(e.sqlstate(), "22023") << text;
    EXPECT_EQ(e.message(), "invalid backup id \"" + printable(text) + "\"");
    EXPECT_NE(e.hint().find("backup_20261121T020000Z_9f3c01ab"), std::string::npos);
  }
  const error e = raised([] { resolve_backup_id(std::string_view("backup_\0", 8), {id}); });
  EXPECT_EQ(e.message(), "invalid backup id \"backup_\\x00\"");
}

TEST(Resolve, Unknown) {
  for (const char* text : {"backup_2025", "backup_20261121T020000Z_9f3c01ac"}) {
    const error e = raised([&] { resolve_backup_id(text, {id}); });
    EXPECT_STREQ(e.sqlstate(), "42704");
    EXPECT_EQ(e.message(), "backup \"" + std::string(text) + "\" does not exist");
  }
  EXPECT_STREQ(raised([] { resolve_backup_id("b", {}); }).sqlstate(), "42704");
}

TEST(Resolve, Ambiguous) {
  std::vector<std::string> known;
  for (int i = 1; i <= 7; ++i) {
    known.push_back(make_backup_id(moment + i, 1));
    if (i == 1) continue;
    const error e = raised([&] { resolve_backup_id("backup_2026", known); });
    EXPECT_STREQ(e.sqlstate(), "22023");
    EXPECT_EQ(e.message(), "backup id \"backup_2026\" is ambiguous");
    if (i == 2) {
      EXPECT_EQ(e.detail(), "It is the beginning of " + known[1] + " and " + known[0] + ".");
    }
    if (i == 5) {
      EXPECT_EQ(e.detail().find("more"), std::string::npos);
    }
    if (i == 7) {
      EXPECT_EQ(e.detail(), "It is the beginning of " + known[6] + ", " + known[5] + ", " + known[4] + ", " + known[3] + ", " + known[2] + " and 2 more.");
    }
    EXPECT_FALSE(e.hint().empty());
  }
}

TEST(Printable, ControlCharactersAndLength) {
  EXPECT_EQ(printable("Física"), "Física");
  EXPECT_EQ(printable("a\n\x7F\x1B"), "a\\x0A\\x7F\\x1B");
  EXPECT_EQ(printable(std::string(80, 'a')), std::string(80, 'a'));
  EXPECT_EQ(printable(std::string(81, 'a')), std::string(80, 'a') + "...");
  // neither an escape nor a character is cut
  EXPECT_EQ(printable(std::string(78, 'a') + "\n"), std::string(78, 'a') + "...");
  EXPECT_EQ(printable(std::string(79, 'a') + "é"), std::string(79, 'a') + "...");
  EXPECT_EQ(printable(std::string(78, 'a') + "é"), std::string(78, 'a') + "é");
  EXPECT_EQ(printable(std::string(77, 'a') + "\xF0\x9F\x92\xBE"), std::string(77, 'a') + "...");
  // no valid UTF-8 is passed on as it is
  EXPECT_EQ(printable("\x80\xE9\xE9"), "\x80\xE9\xE9");
  EXPECT_EQ(printable("\xC3"), "\xC3");
}

TEST(Utc, Written) {
  EXPECT_EQ(format_utc(moment * 1000000), "2026-11-21T02:00:00.000000Z");
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_utc(951782400123456), "2000-02-29T00:00:00.123456Z");
  EXPECT_EQ(format_utc(253402300799999999), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_utc(253402300800000000), "10000-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_utc(std::numeric_limits<std::int64_t>::min()), "-290308-12-21T19:59:05.224192Z");
  EXPECT_EQ(format_utc(std::numeric_limits<std::int64_t>::max()), "294247-01-10T04:00:54.775807Z");
}

TEST(Utc, ReadBack) {
  std::int64_t value = 0;
  for (std::int64_t us = -62135596800000000; us < 253402300800000000; us += 98765432109877) {
    ASSERT_TRUE(parse_utc(format_utc(us), value)) << us;
    ASSERT_EQ(value, us);
  }
  EXPECT_TRUE(parse_utc("2026-11-21T02:00:00Z", value));
  EXPECT_EQ(value, moment * 1000000);
  EXPECT_TRUE(parse_utc("2026-11-21T02:00:00.5Z", value));
  EXPECT_EQ(value, moment * 1000000 + 500000);
}

TEST(Utc, Malformed) {
  std::int64_t value = 42;
  for (const char* text : {"", "Z", "2026-11-21T02:00:00", "2026-11-21T02:00:00.Z", "2026-11-21T02:00:00.1234567Z", "2026-11-21T02:00:00.12a456Z",
                           "2026-11-21 02:00:00Z", "2026-11-21T02:00:00+00", "2026-02-29T02:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T02:00:60Z",
                           "2026-11-21T02:60:00Z", "2026-13-21T02:00:00Z", "2026-11-00T02:00:00Z", "2026-00-10T02:00:00Z", "2026-11-32T02:00:00Z",
                           "2026-11-21T02:00:00,5Z", "x026-11-21T02:00:00Z", "2026-11-21T02:00:00ZZ", "10000-01-01T00:00:00.000000Z"})
    EXPECT_FALSE(parse_utc(text, value)) << text;
  EXPECT_EQ(value, 42);
}

}  // namespace
}  // namespace snapback
