// Files that earlier versions wrote stay readable: those in test/fuzz/corpus/backup_reader are kept as the version that made them left them.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "format_support.hpp"

namespace snapback {
namespace {

TEST(FormatCompatibility, ReadsAndVerifiesEveryKeptFile) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TEST_SOURCE_DIR "/fuzz/corpus/backup_reader")) {
    if (entry.path().extension() != ".zst") continue;
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string file{std::istreambuf_iterator<char>(in), {}};
    NoInterrupts interrupts;
    BackupReader reader = test::open_backup(file);
    EXPECT_TRUE(reader.check_files("", interrupts).empty()) << entry.path();
    EXPECT_TRUE(reader.check_content({}, interrupts).empty()) << entry.path();
    EXPECT_EQ(reader.manifest().backup, test::test_backup());
    EXPECT_EQ(test::schema_of(reader), test::test_schema());
  }
  EXPECT_GE(files, 4u);
}

}  // namespace
}  // namespace snapback
