// Random damage to a larger backup: every case is found, with the sidecar and without; what is named is what was hit; the other tables
// are read as they were; and no text that differs from what was written is ever handed out.
// SNAPBACK_NIGHTLY takes 2,000 cases in a file of some MB in place of a few hundred in a small one.
#include <cstdlib>
#include <random>
#include <set>

#include "format_support.hpp"

namespace snapback {
namespace {

using test::make_table;
using test::open_backup;
using test::small_frames;
using test::Table;
using test::write_backup;

bool nightly() {
  const char* value = std::getenv("SNAPBACK_NIGHTLY");
  return value != nullptr && *value != '\0';
}

class Damager {
 public:
  explicit Damager(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_); }

  // The bytes after one accident; `what` says which. Never the bytes that were given.
  std::string damage(const std::string& whole, std::string& what) {
    for (;;) {
      std::string bytes = attempt(whole, what);
      if (bytes != whole) return bytes;
    }
  }

 private:
  struct Range {
    std::size_t at, size;
  };

  // Small ones and large ones alike.
  Range range(std::size_t size) {
    const std::size_t length = 1 + below(std::size_t{1} << below(15));
    const std::size_t used = std::min(length, size / 3);
    return {below(size - used), used};
  }

  std::string attempt(const std::string& whole, std::string& what) {
    std::string bytes = whole;
    const Range one = range(whole.size()), two = range(whole.size());
    what = std::to_string(one.at) + "+" + std::to_string(one.size) + " ";
    switch (below(9)) {
      case 0:
        what += "a bit flipped";
        bytes[one.at] = static_cast<char>(bytes[one.at] ^ (1 << below(8)));
        return bytes;
      case 1:
        what += "a byte replaced";
        bytes[one.at] = static_cast<char>(below(256));
        return bytes;
      case 2:
        what += "random bytes";
        for (std::size_t i = 0; i < one.size; ++i) bytes[one.at + i] = static_cast<char>(below(256));
        return bytes;
      case 3:
        what += "zeros";
        return bytes.replace(one.at, one.size, one.size, '\0');
      case 4:
        what += "cut off";
        return bytes.substr(0, one.at);
      case 5:
        what += "cut out";
        return bytes.erase(one.at, one.size);
      case 6:
        what += "doubled";
        return bytes.insert(one.at, whole, one.at, one.size);
      case 7:
        what += "written over another place";
        return bytes.replace(std::min(two.at, whole.size() - one.size), one.size, whole, one.at, one.size);
      default: {
        // as long as each other, and apart
        const std::size_t half = whole.size() / 2, size = std::min(one.size, half / 2);
        const std::size_t first = below(half - size), second = half + below(whole.size() - half - size);
        what = std::to_string(first) + " and " + std::to_string(second) + "+" + std::to_string(size) + " swapped";
        return bytes.replace(first, size, whole, second, size).replace(second, size, whole, first, size);
      }
    }
  }

  std::mt19937 random_;
};

NoInterrupts no_interrupts;

std::string title(std::mt19937& random, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += "0123456789abcdefghijklmnopqrstuv"[random() % 32];
  return text;
}

Table random_table(const std::string& name, int rows, std::mt19937& random, std::size_t common) {
  Table table = make_table(name, 0);
  for (int i = 0; i < rows; ++i) {
    const std::size_t size = i % 97 == 96 ? 75 * common : common;  // some rows are cut over frames
    table.rows.push_back({"{\"id\":" + std::to_string(i) + ",\"title\":\"" + title(random, size) + "\"}", "[" + std::to_string(i) + "]"});
  }
  return table;
}

struct Backup {
  std::string file, sha256;
  Manifest manifest;
  std::vector<std::string> texts;  // of every frame
};

// Common rows have a value of `common` bytes.
Backup make_backup(int scale, std::size_t common, const EncoderOptions& options) {
  std::mt19937 random(20261122);
  Backup backup;
  backup.file = write_backup({random_table("a", 600 * scale, random, common), make_table("empty", 0), random_table("b", 300 * scale, random, common),
                              random_table("c", 1, random, common), random_table("d", 200 * scale, random, common)},
                             options, &backup.manifest);
  backup.sha256 = to_hex(sha256_of(backup.file));
  BackupReader reader = open_backup(backup.file);
  for (std::size_t i = 0; i < backup.manifest.frames.size(); ++i) backup.texts.emplace_back(reader.frame_text(i));
  return backup;
}

// Frames whose bytes are no longer what they were.
std::set<std::size_t> hit_frames(const Backup& backup, const std::string& bytes) {
  std::set<std::size_t> hit;
  for (std::size_t i = 0; i < backup.manifest.frames.size(); ++i) {
    const FrameEntry& frame = backup.manifest.frames[i];
    if (bytes.compare(frame.offset, frame.size, backup.file, frame.offset, frame.size) != 0) hit.insert(i);
  }
  return hit;
}

bool belongs(const TableEntry& table, std::size_t frame) { return frame >= table.first_frame && frame < table.first_frame + table.frame_count; }

// Every hit frame has its problem, with the table and the rows that the frame holds.
void expect_named(const Backup& backup, const std::set<std::size_t>& hit, const std::vector<Problem>& problems) {
  if (problems.size() >= 100) return;  // the report is full
  for (const std::size_t frame : hit) {
    const auto problem = std::find_if(problems.begin(), problems.end(), [&](const Problem& p) { return p.frame_index == static_cast<long>(frame); });
    ASSERT_NE(problem, problems.end()) << "frame " << frame << " is not named";
    for (std::size_t t = 0; t < backup.manifest.tables.size(); ++t) {
      const TableEntry& table = backup.manifest.tables[t];
      if (!belongs(table, frame)) continue;
      std::uint64_t before = 0;
      for (std::size_t f = table.first_frame; f < frame; ++f) before += backup.manifest.frames[f].rows;
      const FrameEntry& entry = backup.manifest.frames[frame];
      ASSERT_EQ(problem->table_index, static_cast<long>(t));
      if (!entry.has_rows) continue;
      ASSERT_EQ(problem->first_row, entry.continues ? before - 1 : before);
      ASSERT_EQ(problem->last_row, entry.continues ? before - 1 : before + entry.rows - 1);
    }
  }
}

// Reading as a restore reads: a table without a hit frame comes whole; another ends in an error before anything that was not written.
void expect_read(const Backup& backup, const std::set<std::size_t>& hit, BackupReader& reader) {
  for (std::size_t t = 0; t < backup.manifest.tables.size(); ++t) {
    const TableEntry& table = backup.manifest.tables[t];
    const bool damaged = std::any_of(hit.begin(), hit.end(), [&](std::size_t frame) { return belongs(table, frame); });
    std::size_t frame = table.first_frame;
    const std::string raised = test::raised_text([&] {
      auto source = reader.table_text(t, no_interrupts);
      for (std::string_view text = source->next(); !text.empty(); text = source->next()) ASSERT_EQ(text, backup.texts[frame++]);
    });
    if (damaged)
      ASSERT_EQ(raised.substr(0, 6), "XX001:");
    else
      ASSERT_EQ(raised + std::to_string(frame), std::to_string(table.first_frame + table.frame_count));
  }
}

void expect_found(const Backup& backup, int cases) {
  ASSERT_GT(backup.manifest.frames.size(), 40u);
  Damager damager(1);
  int opened = 0;
  for (int i = 0; i < cases; ++i) {
    std::string what;
    const std::string bytes = damager.damage(backup.file, what);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + what);
    try {
      BackupReader reader = open_backup(bytes);
      ++opened;
      const auto with_sidecar = reader.check_files(backup.sha256, no_interrupts);
      ASSERT_FALSE(with_sidecar.empty());
      const auto content = reader.check_content({}, no_interrupts);
      ASSERT_FALSE(content.empty());
      // it opened, so manifest and seek table are those that were written, and every frame has its place
      ASSERT_EQ(bytes.size(), backup.file.size());
      const auto hit = hit_frames(backup, bytes);
      expect_named(backup, hit, with_sidecar);
      expect_named(backup, hit, content);
      expect_read(backup, hit, reader);
    } catch (const error& e) {
      ASSERT_STREQ(e.sqlstate(), sqlstate::data_corrupted) << e.message();
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(opened, cases / 5);
  testing::Test::RecordProperty("cases", cases);
  testing::Test::RecordProperty("bytes", static_cast<int>(backup.file.size()));
  testing::Test::RecordProperty("opened", opened);
}

TEST(RandomDamage, IsFoundNamedAndNeverRead) { expect_found(make_backup(nightly() ? 20 : 1, 40, small_frames(1500, 1000)), nightly() ? 2000 : 400); }

// Frames that a thread reads while the one before is worked on.
TEST(RandomDamage, IsFoundInFramesThatAreReadAhead) { expect_found(make_backup(1, 2000, small_frames(66'000, 140'000)), nightly() ? 2000 : 100); }

}  // namespace
}  // namespace snapback
