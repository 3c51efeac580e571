// Files that do not open as backups any more: what was not hit by the damage is read as it was written, what was hit is told, and nothing else comes out.
#include "core/format/salvage.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "core/format/file_search.hpp"
#include "format_support.hpp"

namespace snapback {
namespace {

using test::make_table;
using test::raised_text;
using test::StringFile;
using test::Table;

Json schema_of(const std::vector<Table>& tables) {
  Json schema{{"tables", Json::array()}};
  for (const Table& table : tables) schema["tables"].push_back(Json{{"schema", table.head.at("schema")}, {"name", table.head.at("name")}, {"kind", table.head.value("kind", "table")}});
  return schema;
}

// A backup of several tables, small frames, one of them without rows and one with a row that is cut over frames.
struct Original {
  std::vector<Table> tables;
  std::string file;
  Manifest manifest;
  std::map<std::string, std::string> texts;  // of the rows, by table

  explicit Original(std::size_t structure_text = 0) {
    // so long that its rows are cut, and nowhere the same, for frames of one content are as good as each other
    std::string long_title;
    for (int i = 0; long_title.size() < 1500; ++i) long_title += std::to_string(i * i);
    tables = {make_table("people", 40), make_table("letters", 90, "letter"), make_table("empty", 0), make_table("long", 1, long_title), make_table("last", 40)};
    tables.push_back({test::make_head("parts"), {}});
    tables.back().head["kind"] = "partitioned table";
    test::MemoryFile out;
    NoInterrupts interrupts;
    EncoderOptions options = test::small_frames(300, 700);
    if (structure_text != 0) options.structure_text = structure_text;
    BackupWriter writer(out, options, interrupts);
    writer.begin(test::test_backup(), schema_of(tables).dump());
    RowFrameEncoder encoder(writer, options);
    for (const Table& table : tables) {
      writer.begin_table(table.head);
      for (const auto& row : table.rows) {
        test::write_row(encoder, row);
        auto& text = texts[table.head.at("name")];
        text += (text.empty() ? "" : ",\n") + row.text;
      }
      encoder.finish();
      writer.end_table();
    }
    writer.finish();
    file = out.data;
    manifest = writer.manifest();
  }

  const TableEntry& table(const std::string& name) const {
    return *std::find_if(manifest.tables.begin(), manifest.tables.end(), [&](const TableEntry& entry) { return entry.name() == name; });
  }

  // Where its frames with rows lie in the file.
  std::pair<std::uint64_t, std::uint64_t> place_of(const std::string& name) const {
    const TableEntry& entry = table(name);
    const FrameEntry& last = manifest.frames[entry.first_frame + entry.frame_count - 1];
    return {manifest.frames[entry.first_frame].offset, last.offset + last.size};
  }
};

// What a reader of a damaged file gives: the tables that are whole, each with the text that was written. `lost`: all others.
struct Outcome {
  bool opened = false;
  std::set<std::string> whole, lost;
};

Outcome read_damaged(const Original& original, const std::string& file) {
  Outcome outcome;
  NoInterrupts interrupts;
  std::optional<BackupReader> reader;
  try {
    reader.emplace(std::make_unique<StringFile>(file), interrupts);
  } catch (const error& e) {
    // the version in the manifest's header may have become a higher one
    EXPECT_TRUE(std::string(e.sqlstate()) == sqlstate::data_corrupted || std::string(e.sqlstate()) == sqlstate::feature_not_supported) << e.message();
    return outcome;
  }
  outcome.opened = true;
  EXPECT_EQ(reader->manifest().backup.at("id"), test::test_backup().at("id"));
  EXPECT_EQ(reader->manifest().tables.size(), original.tables.size()) << "every table is known by its name";
  for (std::size_t i = 0; i < reader->manifest().tables.size(); ++i) {
    const TableEntry& table = reader->manifest().tables[i];
    try {
      std::string text;
      const auto source = reader->table_text(i, interrupts);
      for (std::string_view piece = source->next(); !piece.empty(); piece = source->next()) text += piece;
      const auto written = original.texts.find(table.name());
      EXPECT_EQ(text, written == original.texts.end() ? "" : written->second) << table.name() << " has rows that were not written";
      EXPECT_FALSE(reader->is_lost(i));
      outcome.whole.insert(table.name());
    } catch (const error& e) {
      EXPECT_STREQ(e.sqlstate(), sqlstate::data_corrupted) << e.message();
      outcome.lost.insert(table.name());
    }
  }
  return outcome;
}

const std::vector<std::string> with_rows = {"people", "letters", "long", "last"};

TEST(Salvage, ReadsAWholeFileAsItIs) {
  const Original original;
  NoInterrupts interrupts;
  BackupReader reader(std::make_unique<StringFile>(original.file), interrupts);
  EXPECT_EQ(reader.salvaged(), "");
  EXPECT_FALSE(reader.is_lost(0));
}

TEST(Salvage, FindsWhatLiesBehindInsertedAndMissingBytes) {
  const Original original;
  for (const std::string& hit : with_rows) {
    const TableEntry& table = original.table(hit);
    for (std::size_t frame : {table.first_frame, table.first_frame + table.frame_count / 2, table.first_frame + table.frame_count - 1}) {
      // separators are all alike: one is as good as another
      if (!original.manifest.frames[frame].has_rows) ++frame;
      const std::uint64_t at = original.manifest.frames[frame].offset + 5;
      std::string longer = original.file, shorter = original.file;
      longer.insert(at, "some bytes");
      shorter.erase(at, 1);
      for (const std::string& file : {longer, shorter}) {
        const Outcome outcome = read_damaged(original, file);
        EXPECT_EQ(outcome.lost, std::set<std::string>{hit}) << "at " << at;
      }
    }
  }
}

TEST(Salvage, FindsWhatLiesBetweenTwoSuchPlaces) {
  const Original original;
  std::string file = original.file;
  file.insert(original.place_of("last").first + 1, "more bytes here");
  file.erase(original.place_of("people").first + 5, 7);
  EXPECT_EQ(read_damaged(original, file).lost, (std::set<std::string>{"people", "last"}));
}

TEST(Salvage, ReadsEverythingWhereOnlyTheEndIsDamaged) {
  const Original original;
  const std::uint64_t end = original.manifest.frames.back().offset + original.manifest.frames.back().size;
  // the seek table, a longer file, the manifest, all of it gone
  std::string table = original.file, longer = original.file + "x", manifest = original.file;
  table[table.size() - 12] ^= 1;
  manifest[end + 60] ^= 1;
  for (const std::string& file : {table, longer, manifest, original.file.substr(0, end), original.file.substr(0, end + 30)}) {
    const Outcome outcome = read_damaged(original, file);
    EXPECT_TRUE(outcome.opened);
    EXPECT_EQ(outcome.lost, std::set<std::string>{});
  }
}

TEST(Salvage, ReadsTheTablesInFrontOfACut) {
  for (const std::size_t structure_text : {0, 64}) {
    const Original original(structure_text);
    for (std::uint64_t size = original.place_of("people").second; size < original.file.size(); size += 97) {
      const Outcome outcome = read_damaged(original, original.file.substr(0, size));
      ASSERT_TRUE(outcome.opened) << size;
      for (const std::string& name : with_rows) {
        // the line behind its rows proves a table, and stands in the next frame
        const std::uint64_t behind = original.place_of(name).second;
        if (size < behind) {
          EXPECT_TRUE(outcome.lost.count(name)) << name << " of " << size;
        }
        if (size > behind + 400) {
          EXPECT_TRUE(outcome.whole.count(name)) << name << " of " << size;
        }
      }
    }
    for (std::uint64_t size = 0; size < original.manifest.frames[0].size; size += 31) EXPECT_FALSE(read_damaged(original, original.file.substr(0, size)).opened);
  }
}

TEST(Salvage, ReadsWhatIsWholeWhenTheManifestIsGoneAndMoreIsDamaged) {
  for (const std::size_t structure_text : {0, 64}) {
    const Original original(structure_text);
    const std::string tiled = original.file.substr(0, original.manifest.frames.back().offset + original.manifest.frames.back().size);
    for (const std::string& hit : with_rows) {
      const auto [begin, end] = original.place_of(hit);
      std::string flipped = tiled, shorter = tiled, doubled = tiled;
      flipped[(begin + end) / 2] ^= 4;
      shorter.erase(begin + 3, 40);
      doubled.insert(begin, tiled.substr(begin, end - begin));
      for (const std::string& file : {flipped, shorter, doubled}) {
        const Outcome outcome = read_damaged(original, file);
        EXPECT_TRUE(outcome.opened);
        EXPECT_TRUE(outcome.lost.count(hit)) << hit;
        for (const std::string& other : with_rows)
          if (original.place_of(other).second < begin) {
            EXPECT_TRUE(outcome.whole.count(other)) << other << " stands before " << hit;
          }
      }
    }
    // a whole table twice is that table; where its end and the next one's beginning are gone, both are lost
    const auto [begin, end] = original.place_of("letters");
    std::string gone = tiled;
    gone.erase(end, original.place_of("long").first - end);
    const Outcome outcome = read_damaged(original, gone);
    EXPECT_TRUE(outcome.lost.count("letters") && outcome.lost.count("long"));
    EXPECT_TRUE(outcome.whole.count("people") && outcome.whole.count("last"));
  }
}

TEST(Salvage, PassesOverAHeadThatIsNone) {
  const Original original;
  const FrameEntry& before = original.manifest.frames[original.table("letters").first_frame - 1];
  const std::uint64_t end = original.manifest.frames.back().offset + original.manifest.frames.back().size;
  std::string text = test::decompress_all(original.file.substr(before.offset, before.size));
  const std::size_t at = text.find("\"columns\"");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 9, "\"colours\"");
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 1));
  const std::string file = original.file.substr(0, before.offset) + frame + original.file.substr(before.offset + before.size, end - before.offset - before.size);
  EXPECT_EQ(read_damaged(original, file).lost, std::set<std::string>{"letters"});
}

TEST(Salvage, TakesATableThatStandsInTheFileTwiceOnce) {
  const Original original;
  const std::string tiled = original.file.substr(0, original.manifest.frames.back().offset + original.manifest.frames.back().size);
  // from the line that begins "letters" to the one that ends it
  const std::size_t letters = original.manifest.tables[1].first_frame, behind = letters + original.manifest.tables[1].frame_count;
  const std::uint64_t from = original.manifest.frames[letters - 1].offset, to = original.manifest.frames[behind].offset;
  std::string doubled = tiled, first_damaged;
  doubled.insert(to, tiled.substr(from, to - from));
  EXPECT_EQ(read_damaged(original, doubled).lost, std::set<std::string>{});
  first_damaged = doubled;
  first_damaged[original.manifest.frames[letters].offset + 20] ^= 1;
  EXPECT_EQ(read_damaged(original, first_damaged).lost, std::set<std::string>{});
}

TEST(Salvage, NothingComesFromRandomDamage) {
  const Original original(64);
  std::mt19937 random(20261122);  // NOLINT: the same cases every time
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  int opened = 0;
  for (int i = 0; i < 400; ++i) {
    std::string file = original.file;
    for (std::size_t damages = 1 + below(3); damages > 0; --damages) {
      const std::size_t at = below(file.size()), size = 1 + below(300);
      switch (below(5)) {
        case 0: file[at] = static_cast<char>(file[at] ^ (1 << below(8))); break;
        case 1: file.erase(at, size); break;
        case 2: file.insert(at, file.substr(below(file.size()), size)); break;
        case 3: file.resize(std::max<std::size_t>(at, 100)); break;
        default: std::swap_ranges(file.begin() + static_cast<long>(at), file.begin() + static_cast<long>(std::min(at + size, file.size())), file.begin()); break;
      }
    }
    opened += read_damaged(original, file).opened ? 1 : 0;
    if (HasFailure()) FAIL() << "case " << i;
  }
  EXPECT_GT(opened, 130);
}

TEST(Salvage, RefusesWhatIsNoBackup) {
  const Original original;
  const std::uint64_t first = original.manifest.frames[0].size;
  std::string newer = test::decompress_all(original.file.substr(0, first));
  for (const std::string& text : {std::string("{\"format\":\"pg_snapback\",\"version\":2,\n\"backup\":{},\n"), std::string("{\"format\":\"pg_snapback\",\"version\":1,\n\"backup\":{,\n"),
                                  std::string("{\"format\":\"pg_snapback\",\"version\":1,\n\"backup\":[],\n\"schema\":{},\n\"tables\":[\n"),
                                  std::string("{\"format\":\"pg_snapback\",\"version\":1,\n\"backup\":{},\n\"tables\":[]")}) {
    std::string frame(ZSTD_compressBound(text.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 1));
    EXPECT_FALSE(read_damaged(original, frame).opened) << text;
    EXPECT_FALSE(read_damaged(original, frame + original.file.substr(first, 2000)).opened) << text;
  }
  EXPECT_FALSE(read_damaged(original, "").opened);
  EXPECT_FALSE(read_damaged(original, std::string(100'000, 'x')).opened);
  std::string magics;
  while (magics.size() < 60'000) magics += std::string("\x28\xB5\x2F\xFD\x60\xff\xff", 7);
  EXPECT_FALSE(read_damaged(original, magics).opened) << "what looks like frames everywhere";
}

TEST(Salvage, NamesWhatIsLost) {
  const Original original;
  std::string file = original.file;
  file.erase(original.place_of("letters").first + 1, 3);
  NoInterrupts interrupts;
  BackupReader reader(std::make_unique<StringFile>(file), interrupts);
  EXPECT_EQ(reader.salvaged(), raised_text([&] { test::open_backup(file); }).substr(7));
  const auto problems = reader.check_files("", interrupts);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].code, "unreadable");
  EXPECT_EQ(problems[0].message, reader.salvaged());
  EXPECT_EQ(problems[1].code, "frame_lost");
  EXPECT_EQ(problems[1].table_index, 1);
  EXPECT_EQ(problems[1].first_row, 0u);
  EXPECT_GT(problems[1].last_row, 0u);
  EXPECT_TRUE(reader.is_lost(1));
  EXPECT_FALSE(reader.is_lost(0));
}

TEST(Salvage, PassesOnReadErrorsOfTheDiskAndInterrupts) {
  const Original original;
  const std::string file = original.file.substr(0, original.file.size() - 40);
  NoInterrupts interrupts;
  auto input = std::make_unique<StringFile>(file);
  input->failing_state = sqlstate::io_error;
  input->failing_from = file.size() / 2;
  EXPECT_TRUE(raised_text([&] { BackupReader(std::move(input), interrupts); }).starts_with("58030"));
  struct Cancelled final : Interrupts {
    void check() override { throw std::runtime_error("cancelled"); }
  } cancelled;
  EXPECT_THROW(BackupReader(std::make_unique<StringFile>(file), cancelled), std::runtime_error);
}

TEST(FileSearch, FindsBytesAcrossTheBordersOfItsWindows) {
  std::string data(3 << 20, '.');
  NoInterrupts interrupts;
  for (const std::size_t at : {0, (1 << 20) - 2, (1 << 20) - 1, 1 << 20, (3 << 20) - 4}) data.replace(at, 4, "abcd");
  data.replace((1 << 20) - 2, 6, "abcd..");
  StringFile file(data);
  const auto all = find_all_bytes(file, "abcd", interrupts);
  EXPECT_EQ(all, (std::vector<std::uint64_t>{0, (1 << 20) - 2, (3 << 20) - 4}));
  EXPECT_EQ(find_bytes(file, "abcd", 1, interrupts), (1u << 20) - 2);
  EXPECT_EQ(find_bytes(file, "abcd", (3 << 20) - 3, interrupts), data.size());
  EXPECT_EQ(read_up_to(file, data.size() - 2, 10), "cd");
  EXPECT_EQ(read_up_to(file, data.size() + 2, 10), "");
}

}  // namespace
}  // namespace snapback
