#include "core/plan/reverify.hpp"

#include <gtest/gtest.h>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "moments.hpp"

namespace snapback {
namespace {

using test::at;

TEST(Reverify, Parsed) {
  EXPECT_EQ(Reverify::parse("never").text, "never");
  EXPECT_FALSE(Reverify::parse("never").schedule);
  EXPECT_EQ(Reverify::parse("files").text, "files @weekly");
  EXPECT_FALSE(Reverify::parse("files").newest_by_restore);
  EXPECT_EQ(Reverify::parse("restore").text, "restore @weekly");
  EXPECT_TRUE(Reverify::parse("restore").newest_by_restore);
  EXPECT_EQ(Reverify::parse("@monthly").text, "files @monthly");
  EXPECT_EQ(Reverify::parse("0 4 * * 6").text, "files 0 4 * * 6");
  EXPECT_EQ(Reverify::parse("restore 0 4 * * 6").text, "restore 0 4 * * 6");
  EXPECT_EQ(Reverify::parse(Reverify::parse("restore 0 4 * * 6").text).text, "restore 0 4 * * 6");
  for (const char* text : {"", "often", "content", "never @weekly", "files weekly", "restore ", "0 4 * *"}) {
    try {
      Reverify::parse(text);
      ADD_FAILURE() << text;
    } catch (const error& e) {
      EXPECT_STREQ(e.sqlstate(), sqlstate::invalid_parameter_value) << text;
    }
  }
}

std::string due(const std::string& reverify, const std::vector<KeptBackup>& backups, const std::string& now) {
  std::string list;
  for (auto& one : due_verifications(Reverify::parse(reverify), FixedZone(), backups, at(now))) list += (list.empty() ? "" : " ") + one.id + ":" + one.level;
  return list;
}

// Sunday 2026-11-22 is the last weekly time
const std::vector<KeptBackup> kept = {{"new", at("2026-11-23T02:00"), at("2026-11-23T02:01")},
                                      {"middle", at("2026-11-21T02:00"), at("2026-11-21T02:01")},
                                      {"old", at("2026-11-10T02:00"), at("2026-11-15T00:05")},
                                      {"never", at("2026-11-09T02:00"), 0}};

TEST(Reverify, Due) {
  EXPECT_EQ(due("files", kept, "2026-11-23T12:00"), "never:files old:files middle:files");
  EXPECT_EQ(due("restore", kept, "2026-11-23T12:00"), "never:files old:files middle:files") << "the newest was looked at since";
  EXPECT_EQ(due("restore", kept, "2026-11-29T00:00"), "never:files old:files middle:files new:restore");
  EXPECT_EQ(due("@daily", kept, "2026-11-23T12:00"), "never:files old:files middle:files");
  EXPECT_EQ(due("@monthly", kept, "2026-11-23T12:00"), "never:files");
  EXPECT_EQ(due("never", kept, "2027-11-23T12:00"), "");
  EXPECT_EQ(due("files", {}, "2027-11-23T12:00"), "");
}

}  // namespace
}  // namespace snapback
