// Damage and forgery: whatever happened to a file, verification finds it and says where.
#include "core/format/document_check.hpp"
#include "format_support.hpp"

namespace snapback {
namespace {

using test::assemble;
using test::codes;
using test::frames_of;
using test::has_code;
using test::make_head;
using test::make_table;
using test::open_backup;
using test::raised_text;
using test::replace_frame;
using test::small_frames;
using test::StringFile;
using test::Table;
using test::write_backup;

NoInterrupts interrupts;

struct Written {
  Manifest manifest;
  std::string file;
  std::vector<std::string> frames;
};

Written written(const std::vector<Table>& tables, const EncoderOptions& options = small_frames()) {
  Written result;
  result.file = write_backup(tables, options, &result.manifest);
  result.frames = frames_of(result.file, result.manifest);
  return result;
}

std::string text_of(const Written& backup, std::size_t frame) { return test::decompress_all(backup.frames[frame]); }

std::vector<Problem> content_problems(const Written& backup) {
  const std::string file = assemble(backup.frames, backup.manifest);
  return open_backup(file).check_content({}, interrupts);
}

TEST(BackupCheck, FindsEveryFlippedByte) {
  const std::string file = write_backup({make_table("a", 8), make_table("b", 0), make_table("c", 1)});
  for (std::size_t at = 0; at < file.size(); ++at)
    for (const int bit : {1, 0x80}) {
      std::string bad = file;
      bad[at] = static_cast<char>(bad[at] ^ bit);
      bool files = false, content = false;
      const std::string opening = raised_text([&] {
        BackupReader reader = open_backup(bad);
        files = !reader.check_files("", interrupts).empty();
        content = !reader.check_content({}, interrupts).empty();
      });
      ASSERT_TRUE(!opening.empty() || files) << at;
      ASSERT_TRUE(!opening.empty() || content) << at;
    }
}

TEST(BackupCheck, FindsAFileThatIsNotTheRecordedOne) {
  const std::string file = write_backup({make_table("a", 8)});
  BackupReader reader = open_backup(file);
  EXPECT_TRUE(reader.check_files(to_hex(sha256_of(file)), interrupts).empty());
  EXPECT_EQ(codes(reader.check_files(to_hex(sha256_of("other")), interrupts)), std::vector<std::string>{"file_digest"});
  EXPECT_EQ(codes(reader.check_files("no digest", interrupts)), std::vector<std::string>{"file_digest"});
}

TEST(BackupCheck, NamesTheRowsOfADamagedFrame) {
  Written backup = written({make_table("z", 0), make_table("a", 30)});
  const TableEntry& table = backup.manifest.tables[1];
  const std::size_t frame = table.first_frame + 4;
  std::uint64_t before = 0;
  for (std::size_t i = table.first_frame; i < frame; ++i) before += backup.manifest.frames[i].rows;
  std::string bad = backup.file;
  bad[backup.manifest.frames[frame].offset + 12] ^= 1;
  BackupReader reader = open_backup(bad);
  for (const auto& problems : {reader.check_files("", interrupts), reader.check_content({}, interrupts)}) {
    ASSERT_EQ(codes(problems), std::vector<std::string>{"frame_digest"});
    EXPECT_EQ(problems[0].table_index, 1);
    EXPECT_EQ(problems[0].frame_index, static_cast<long>(frame));
    EXPECT_EQ(problems[0].first_row, before);
    EXPECT_EQ(problems[0].last_row, before + backup.manifest.frames[frame].rows - 1);
    EXPECT_EQ(problems[0].message, "frame " + std::to_string(frame) + " at offset " + std::to_string(backup.manifest.frames[frame].offset) +
                                       " of the backup is damaged: its SHA-256 does not match");
  }
  EXPECT_EQ(raised_text([&] { reader.frame_text(frame); }).substr(0, 6), "XX001:");
}

// Damage in several places is found in one go: the check goes on behind it.
TEST(BackupCheck, FindsAllDamagedFrames) {
  Table table = make_table("a", 30);
  table.rows.insert(table.rows.begin() + 10, {"{\"id\":100,\"title\":\"" + std::string(3000, 'x') + "\"}", "[100]"});
  Written backup = written({table, make_table("b", 30)});
  for (std::size_t first = 0; first < backup.manifest.frames.size(); ++first)
    for (std::size_t second = first + 1; second < backup.manifest.frames.size(); second += 3) {
      std::string bad = backup.file;
      for (const std::size_t frame : {first, second}) bad[backup.manifest.frames[frame].offset + 10] ^= 4;
      BackupReader reader = open_backup(bad);
      for (const auto& problems : {reader.check_files("", interrupts), reader.check_content({}, interrupts)}) {
        std::vector<long> found;
        for (const Problem& problem : problems)
          if (problem.code == "frame_digest") found.push_back(problem.frame_index);
        ASSERT_EQ(found, (std::vector<long>{static_cast<long>(first), static_cast<long>(second)}));
        ASSERT_EQ(problems.size(), 2u);
      }
    }
}

TEST(BackupCheck, NamesTheRowOfADamagedPieceOfALongRow) {
  Table table = make_table("a", 3);
  table.rows.push_back({"{\"id\":100,\"title\":\"" + std::string(3000, 'x') + "\"}", "[100]"});
  Written backup = written({table});
  const std::size_t last = backup.manifest.tables[0].first_frame + backup.manifest.tables[0].frame_count - 1;
  ASSERT_TRUE(backup.manifest.frames[last].continues);
  std::string bad = backup.file;
  bad[backup.manifest.frames[last].offset + 10] ^= 4;
  const auto problems = open_backup(bad).check_files("", interrupts);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].first_row, 3u);
  EXPECT_EQ(problems[0].last_row, 3u);
}

TEST(BackupCheck, StopsAtAHundredProblems) {
  Written backup = written({make_table("a", 1000)});
  ASSERT_GT(backup.manifest.frames.size(), 300u);
  std::string bad = backup.file;
  for (const FrameEntry& frame : backup.manifest.frames) bad[frame.offset + 10] ^= 4;
  BackupReader reader = open_backup(bad);
  EXPECT_EQ(reader.check_files(std::string(64, '0'), interrupts).size(), 100u);
  EXPECT_EQ(reader.check_content({}, interrupts).size(), 100u);
  const auto flood = [](std::size_t table, RowParser&, std::vector<Problem>& problems) {
    for (int i = 0; i < 300; ++i) problems.push_back({"value", "bad", static_cast<long>(table), -1, 0, 0});
  };
  EXPECT_EQ(open_backup(backup.file).check_content(flood, interrupts).size(), 100u);
}

TEST(BackupCheck, ReportsAFileThatGotShorterWhileItWasOpen) {
  const std::string file = write_backup({make_table("a", 8)});
  auto input = std::make_unique<StringFile>(file);
  StringFile* raw = input.get();
  BackupReader reader(std::move(input));
  raw->failing_state = sqlstate::data_corrupted;
  raw->failing_from = 300;
  EXPECT_EQ(codes(reader.check_files("", interrupts)), std::vector<std::string>{"truncated"});
  for (const Problem& problem : reader.check_content({}, interrupts)) EXPECT_EQ(problem.code, "truncated");
  EXPECT_FALSE(reader.check_content({}, interrupts).empty());
}

// From here on a forger recomputed every SHA-256.

TEST(BackupCheck, FindsARemovedRowWhoseDigestsWereAllRecomputed) {
  Written backup = written({make_table("a", 10)});
  TableEntry& table = backup.manifest.tables[0];
  const std::size_t index = table.first_frame;
  const std::string text = text_of(backup, index);
  const std::size_t cut = text.rfind(",\n");
  const Fingerprint removed = row_hash(std::string_view(text).substr(cut + 2));
  replace_frame(backup.frames, backup.manifest, index, text.substr(0, cut));
  backup.manifest.frames[index].fingerprint.subtract(removed);
  table.fingerprint.subtract(removed);
  table.stored_bytes = 0;
  for (std::size_t i = 0; i < table.frame_count; ++i)
    if (backup.manifest.frames[table.first_frame + i].has_rows) table.stored_bytes += backup.frames[table.first_frame + i].size();
  EXPECT_TRUE(has_code(content_problems(backup), "row_count"));
  // and with the counts adjusted in the manifest, the document says otherwise
  backup.manifest.frames[index].rows -= 1;
  table.row_count -= 1;
  table.logical_bytes -= text.size() - cut - 2;
  EXPECT_EQ(codes(content_problems(backup)), (std::vector<std::string>{"manifest", "document"}));
}

TEST(BackupCheck, FindsAChangedRow) {
  Written backup = written({make_table("a", 10)});
  const std::size_t index = backup.manifest.tables[0].first_frame + 2;
  std::string text = text_of(backup, index);
  text[text.find("title ") + 1] = 'I';
  replace_frame(backup.frames, backup.manifest, index, text);
  const auto problems = content_problems(backup);
  EXPECT_TRUE(has_code(problems, "fingerprint"));
  EXPECT_FALSE(has_code(problems, "row_count"));
}

TEST(BackupCheck, FindsKeysThatAreNotThoseOfTheRows) {
  for (const bool first : {true, false}) {
    Written backup = written({make_table("a", 10)});
    FrameEntry& frame = backup.manifest.frames[backup.manifest.tables[0].first_frame];
    (first ? frame.first_key : frame.last_key) = "[77]";
    EXPECT_EQ(codes(content_problems(backup)), std::vector<std::string>{"manifest"});
    // a key that was too long to keep
    (first ? frame.first_key : frame.last_key) = "";
    EXPECT_TRUE(content_problems(backup).empty());
  }
}

TEST(BackupCheck, DoesNotLookAtKeysItDoesNotKnowTheColumnsOf) {
  for (const Json& key : {Json(), Json(1), Json::array(), Json::array({1}), Json::array({"missing"})}) {
    Table table = make_table("a", 3);
    table.head["key"] = key;
    for (auto& row : table.rows) row.key = "[\"anything\"]";
    const bool unknown_column = key.is_array() && !key.empty() && key[0].is_string();
    EXPECT_EQ(codes(content_problems(written({table}))), unknown_column ? std::vector<std::string>{"manifest"} : std::vector<std::string>{}) << key;
  }
}

TEST(BackupCheck, ComparesKeysOfSeveralColumnsInTheirOrder) {
  Table table = make_table("a", 0);
  table.head["key"] = Json::array({"title", "id"});
  table.rows = {{R"({"id":1,"x":[{}],"title":"\u00e9"})", R"(["\u00e9",1])"}, {R"({"id":2,"x":null,"title":"b"})", R"(["b",2])"}};
  EXPECT_TRUE(content_problems(written({table})).empty());
  table.rows[1].key = R"([2,"b"])";
  EXPECT_EQ(codes(content_problems(written({table}))), std::vector<std::string>{"manifest"});
}

TEST(BackupCheck, FindsMalformedRowsAndGoesOn) {
  Written backup = written({make_table("a", 30), make_table("b", 30)});
  std::vector<std::uint64_t> rows;
  for (const std::size_t table : {0u, 1u}) {
    const std::size_t index = backup.manifest.tables[table].first_frame + 2;
    std::string text = text_of(backup, index);
    text.replace(text.find("\"title\""), 7, "\"tit\\e\"");
    replace_frame(backup.frames, backup.manifest, index, text);
    rows.push_back(backup.manifest.frames[backup.manifest.tables[table].first_frame].rows);
  }
  const auto problems = content_problems(backup);
  ASSERT_EQ(codes(problems), (std::vector<std::string>{"row", "row"}));
  for (const std::size_t table : {0u, 1u}) {
    EXPECT_EQ(problems[table].table_index, static_cast<long>(table));
    EXPECT_EQ(problems[table].first_row, rows[table]);
    EXPECT_EQ(problems[table].last_row, rows[table]);
    EXPECT_EQ(problems[table].message, "row " + std::to_string(rows[table]) + " of the backup is malformed: unknown escape in a string");
  }
}

TEST(BackupCheck, FindsASeparatorThatIsNone) {
  for (const char* text : {"\n", ",\n,\n", ", ", ",\n{\"id\":5},\n"}) {
    Written backup = written({make_table("a", 30)});
    replace_frame(backup.frames, backup.manifest, backup.manifest.tables[0].first_frame + 1, text);
    EXPECT_FALSE(content_problems(backup).empty()) << text;
  }
}

TEST(BackupCheck, FindsRowsThatAreNotUtf8) {
  for (const char* bytes : {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"}) {
    Written backup = written({make_table("a", 4, bytes)});
    EXPECT_TRUE(has_code(content_problems(backup), "frame_content")) << bytes;
  }
  // a character cut off at the end of a table
  Written backup = written({make_table("a", 1)});
  replace_frame(backup.frames, backup.manifest, backup.manifest.tables[0].first_frame, "{\"id\":0,\"title\":\"\"}\xc3");
  EXPECT_FALSE(content_problems(backup).empty());
}

TEST(BackupCheck, AcceptsACharacterCutOverFrames) {
  Table table = make_table("a", 0);
  std::string text = "{\"id\":1,\"title\":\"";
  while (text.size() < 4000) text += "€";
  table.rows.push_back({text + "\"}", "[1]"});
  for (const std::size_t cut : {400u, 401u, 402u}) EXPECT_TRUE(content_problems(written({table}, small_frames(100, cut))).empty());
}

TEST(BackupCheck, FindsFramesWhoseContentIsNotWhatTheManifestSays) {
  const auto with = [](auto&& change) {
    Written backup = written({make_table("a", 30)});
    const std::size_t index = backup.manifest.tables[0].first_frame;
    change(backup, index);
    backup.manifest.frames[index].size = backup.frames[index].size();
    backup.manifest.frames[index].sha256 = sha256_of(backup.frames[index]);
    std::uint64_t offset = 0;
    for (FrameEntry& frame : backup.manifest.frames) {
      frame.offset = offset;
      offset += frame.size;
    }
    return content_problems(backup);
  };
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.manifest.frames[i].text_size += 1; }), "frame_content"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.frames[i] += b.frames[i]; }), "frame_content"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.frames[i].back() ^= 1; }), "frame_content")) << "zstd's own checksum";
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.frames[i][0] = 'x'; }), "frame_content"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.frames[i] = std::string("\x50\x2a\x4d\x18\x08\0\0\0", 8) + "12345678"; }), "frame_content")) << "skippable";
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t) { b.manifest.tables[0].stored_bytes += 1; }), "manifest"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t) { b.manifest.tables[0].logical_bytes += 1; }), "manifest"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t) { b.manifest.tables[0].row_count += 1; }), "row_count"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t) { b.manifest.tables[0].fingerprint.low += 1; }), "fingerprint"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.manifest.frames[i].rows += 1; }), "row_count"));
  EXPECT_TRUE(has_code(with([](Written& b, std::size_t i) { b.manifest.frames[i].fingerprint.low += 1; }), "fingerprint"));
}

TEST(BackupCheck, FindsEmptyTablesWithCounts) {
  const auto with = [](auto&& change) {
    Written backup = written({make_table("a", 0)});
    change(backup.manifest.tables[0]);
    return content_problems(backup);
  };
  EXPECT_TRUE(with([](TableEntry&) {}).empty());
  EXPECT_TRUE(has_code(with([](TableEntry& table) { table.row_count = 1; }), "row_count"));
  EXPECT_TRUE(has_code(with([](TableEntry& table) { table.fingerprint.low = 1; }), "fingerprint"));
  EXPECT_TRUE(has_code(with([](TableEntry& table) { table.logical_bytes = 1; }), "manifest"));
  EXPECT_TRUE(has_code(with([](TableEntry& table) { table.stored_bytes = 1; }), "manifest"));
  EXPECT_TRUE(has_code(with([](TableEntry& table) { table.first_frame = 1; }), "manifest"));
}

TEST(BackupCheck, FindsAnyChangeOfTheDocumentAroundTheRows) {
  const Written backup = written({make_table("a", 5), make_table("b", 0)});
  for (std::size_t frame : {std::size_t{0}, backup.frames.size() - 1}) {
    const std::string text = text_of(backup, frame);
    const std::size_t schema = text.find("\"schema\":{"), schema_end = text.find("\n\"tables\"");
    for (std::size_t at = 0; at < text.size(); ++at) {
      // the schema stands in the document alone; its own syntax is all that can be checked
      if (frame == 0 && at >= schema + 9 && at + 1 < schema_end) continue;
      Written changed = backup;
      std::string bad = text;
      bad[at] = bad[at] == 'x' ? 'y' : 'x';
      replace_frame(changed.frames, changed.manifest, frame, bad);
      ASSERT_TRUE(has_code(content_problems(changed), "document")) << at;
    }
    for (const std::string& bad : {text.substr(0, text.size() - 1), text + " ", text.substr(1)}) {
      Written changed = backup;
      replace_frame(changed.frames, changed.manifest, frame, bad);
      EXPECT_TRUE(has_code(content_problems(changed), "document"));
    }
  }
}

TEST(BackupCheck, FindsATableThatWasRenamedInTheManifest) {
  Written backup = written({make_table("a", 5)});
  backup.manifest.tables[0].head = test::make_head("b");
  EXPECT_EQ(codes(content_problems(backup)), std::vector<std::string>{"document"});
}

TEST(BackupCheck, FindsASchemaThatIsNone) {
  for (const char* schema : {"[]", "{\"a\":}", "", "{}x", "{\"a\":\n1}"}) {
    Written backup = written({make_table("a", 5)});
    std::string text = text_of(backup, 0);
    const std::size_t start = text.find("\"schema\":") + 9;
    text.replace(start, text.find(",\n\"tables\"") - start, schema);
    replace_frame(backup.frames, backup.manifest, 0, text);
    EXPECT_TRUE(has_code(content_problems(backup), "document")) << schema;
  }
}

TEST(BackupCheck, FindsStructureThatIsNotUtf8) {
  Written backup = written({});
  std::string text = text_of(backup, 0);
  text[text.find("CREATE")] = '\xff';
  replace_frame(backup.frames, backup.manifest, 0, text);
  EXPECT_TRUE(has_code(content_problems(backup), "frame_content"));
}

TEST(BackupCheck, HandsEveryTableToAVisitor) {
  const std::string file = write_backup({make_table("a", 7), make_table("b", 0), make_table("c", 30)});
  std::vector<std::pair<std::size_t, std::uint64_t>> seen;
  const auto visit = [&](std::size_t table, RowParser& parser, std::vector<Problem>& problems) {
    std::uint64_t rows = 0;
    std::string_view key;
    while (parser.next_row()) {
      ++rows;
      ASSERT_TRUE(parser.next_key(key));
      if (table == 2 && parser.row_number() == 20) problems.push_back({"value", "invalid value for column \"id\"", 2, -1, 20, 20});
      parser.skip_row();
    }
    seen.emplace_back(table, rows);
  };
  const auto problems = open_backup(file).check_content(visit, interrupts);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::pair<std::size_t, std::uint64_t>>{{0, 7}, {1, 0}, {2, 30}}));
  ASSERT_EQ(codes(problems), std::vector<std::string>{"value"});
  EXPECT_EQ(problems[0].first_row, 20u);
}

TEST(BackupCheck, ReadsOnWhenAVisitorStopsEarly) {
  const std::string file = write_backup({make_table("a", 30)});
  const auto visit = [](std::size_t, RowParser& parser, std::vector<Problem>&) {
    std::string_view key;
    parser.next_row();
    parser.next_key(key);
  };
  EXPECT_TRUE(open_backup(file).check_content(visit, interrupts).empty());
}

TEST(BackupCheck, TakesWhatAVisitorRaises) {
  const std::string file = write_backup({make_table("a", 30)});
  const auto shape = [](std::size_t, RowParser& parser, std::vector<Problem>&) {
    while (parser.next_row()) {
      if (parser.row_number() == 12) parser.fail("duplicate key");
      parser.skip_row();
    }
  };
  const auto problems = open_backup(file).check_content(shape, interrupts);
  ASSERT_EQ(codes(problems), std::vector<std::string>{"row"});
  EXPECT_EQ(problems[0].first_row, 12u);
  const auto cancel = [](std::size_t, RowParser&, std::vector<Problem>&) { throw error(sqlstate::query_canceled, "canceling"); };
  EXPECT_EQ(raised_text([&] { open_backup(file).check_content(cancel, interrupts); }), "57014: canceling");
}

TEST(BackupCheck, KeepsDigestChecksOnOutsideOfTheFuzzer) { EXPECT_FALSE(digest_checks_disabled()); }

}  // namespace
}  // namespace snapback
