// What a backup file promises to whoever reads it, with this extension or without.
#include "format_support.hpp"

namespace snapback {
namespace {

using test::frames_of;
using test::make_head;
using test::make_table;
using test::MemoryFile;
using test::open_backup;
using test::raised_text;
using test::small_frames;
using test::StringFile;
using test::Table;
using test::write_backup;

std::string table_rows(BackupReader& reader, std::size_t table) {
  NoInterrupts interrupts;
  const auto source = reader.table_text(table, interrupts);
  std::string text;
  for (std::string_view piece = source->next(); !piece.empty(); piece = source->next()) text += piece;
  EXPECT_TRUE(source->next().empty());
  return text;
}

void expect_good(const std::string& file) {
  NoInterrupts interrupts;
  BackupReader reader = open_backup(file);
  EXPECT_TRUE(test::codes(reader.check_files(to_hex(sha256_of(file)), interrupts)).empty());
  EXPECT_TRUE(test::codes(reader.check_files("", interrupts)).empty());
  EXPECT_TRUE(test::codes(reader.check_content({}, interrupts)).empty());
}

TEST(BackupFile, IsTheDocumentThatTheManualShows) {
  const std::string file = write_backup({make_table("subjects", 2), make_table("empty", 0), make_table("lessons", 1)});
  Fingerprint subjects = row_hash(R"({"id":0,"title":"title 0"})");
  subjects.add(row_hash(R"({"id":1,"title":"title 1"})"));
  const std::string columns = R"("columns":[{"name":"id","type":"integer"},{"name":"title","type":"text"}],"key":["id"])";
  EXPECT_EQ(test::decompress_all(file), "{\"format\":\"pg_snapback\",\"version\":1,\n"
                                        "\"backup\":{\"id\":\"backup_20261121T020000Z_9f3c01ab\",\"database\":\"app\",\"label\":\"después\"},\n"
                                        "\"schema\":{\"tables\":[{\"create\":\"CREATE TABLE \\\"x\\\" ()\\n\"}]},\n"
                                        "\"tables\":[\n"
                                        "{\"schema\":\"public\",\"name\":\"subjects\"," +
                                            columns +
                                            ",\"rows\":[\n"
                                            "{\"id\":0,\"title\":\"title 0\"},\n"
                                            "{\"id\":1,\"title\":\"title 1\"}\n"
                                            "],\"row_count\":2,\"fingerprint\":\"" +
                                            subjects.to_hex() +
                                            "\"},\n"
                                            "{\"schema\":\"public\",\"name\":\"empty\"," +
                                            columns +
                                            ",\"rows\":[\n"
                                            "],\"row_count\":0,\"fingerprint\":\"00000000000000000000000000000000\"},\n"
                                            "{\"schema\":\"public\",\"name\":\"lessons\"," +
                                            columns +
                                            ",\"rows\":[\n"
                                            "{\"id\":0,\"title\":\"title 0\"}\n"
                                            "],\"row_count\":1,\"fingerprint\":\"" +
                                            row_hash(R"({"id":0,"title":"title 0"})").to_hex() +
                                            "\"}\n"
                                            "],\n"
                                            "\"totals\":{\"tables\":3,\"rows\":3,\"logical_bytes\":78}}\n");
  expect_good(file);
}

TEST(BackupFile, IsOneValidJsonDocumentWhateverItHolds) {
  for (const std::vector<Table>& tables : std::vector<std::vector<Table>>{{}, {make_table("a", 0)}, {make_table("a", 0), make_table("b", 0)}, {make_table("a", 1)}, {make_table("a", 50), make_table("b", 0), make_table("c", 50)}}) {
    const std::string file = write_backup(tables);
    const Json document = Json::parse(test::decompress_all(file));
    ASSERT_EQ(document["tables"].size(), tables.size());
    for (std::size_t i = 0; i < tables.size(); ++i) {
      EXPECT_EQ(document["tables"][i]["rows"].size(), tables[i].rows.size());
      EXPECT_EQ(document["tables"][i]["row_count"], tables[i].rows.size());
    }
    EXPECT_EQ(document["totals"]["tables"], tables.size());
    EXPECT_EQ(document["backup"], test::test_backup());
    EXPECT_EQ(document["schema"], test::test_schema());
    expect_good(file);
  }
}

TEST(BackupFile, IsTiledByIndependentFramesWithChecksums) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 30), make_table("b", 0), make_table("c", 3)}, small_frames(), &manifest);
  std::uint64_t offset = 0;
  std::string text;
  for (const FrameEntry& frame : manifest.frames) {
    ASSERT_EQ(frame.offset, offset);
    const std::string bytes = file.substr(offset, frame.size);
    ASSERT_EQ(ZSTD_findFrameCompressedSize(bytes.data(), bytes.size()), bytes.size());
    EXPECT_NE(static_cast<unsigned char>(bytes[4]) & 4, 0) << "content checksum flag";
    EXPECT_EQ(ZSTD_getFrameContentSize(bytes.data(), bytes.size()), frame.text_size);
    EXPECT_EQ(sha256_of(bytes), frame.sha256);
    text += test::decompress_all(bytes);
    offset += frame.size;
  }
  EXPECT_EQ(text, test::decompress_all(file));
  EXPECT_EQ(file.substr(offset, 4), "\x5d\x2a\x4d\x18");
}

TEST(BackupFile, EndsInTheSeekTableOfTheZstdSeekableFormat) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 30)}, small_frames(), &manifest);
  const std::uint32_t frames = parse_seek_footer(std::string_view(file).substr(file.size() - seek_table_footer_size));
  ASSERT_EQ(frames, manifest.frames.size() + 1);
  const SeekEntries entries = parse_seek_table(std::string_view(file).substr(file.size() - seek_table_size(frames)));
  std::uint64_t size = 0;
  for (const auto& [compressed, decompressed] : entries) size += compressed;
  EXPECT_EQ(size + seek_table_size(frames), file.size());
  EXPECT_EQ(entries.back().second, 0u);
}

TEST(BackupFile, HoldsTheSameBytesForTheSameRows) {
  const std::vector<Table> tables = {make_table("a", 100), make_table("b", 3)};
  EXPECT_EQ(write_backup(tables), write_backup(tables));
}

TEST(BackupWriter, AcceptsFramesOfEncodersThatWorkedSideBySide) {
  const Table table = make_table("a", 40);
  const EncoderOptions options = small_frames(60);
  test::FrameCollector first, second;
  {
    RowFrameEncoder one(first, options), two(second, options);
    for (int i = 0; i < 20; ++i) {
      test::write_row(one, table.rows[static_cast<std::size_t>(i)]);
      test::write_row(two, table.rows[static_cast<std::size_t>(i + 20)]);
    }
    one.finish();
    two.finish();
  }
  MemoryFile file;
  NoInterrupts interrupts;
  BackupWriter writer(file, options, interrupts);
  writer.begin(test::test_backup(), test::test_schema().dump());
  writer.begin_table(table.head);
  for (const auto* side : {&first, &second})
    for (const auto& frame : side->frames) writer.accept(frame.view());
  const TableEntry& entry = writer.end_table();
  EXPECT_EQ(entry.row_count, 40u);
  EXPECT_EQ(entry.frame_count, 2 * (first.frames.size() + second.frames.size()) - 1);
  writer.finish();
  expect_good(file.data);
  EXPECT_EQ(Json::parse(test::decompress_all(file.data))["tables"][0]["rows"].size(), 40u);
}

TEST(BackupWriter, CountsWhatATableHolds) {
  Manifest manifest;
  const Table table = make_table("a", 40);
  write_backup({make_table("z", 0), table}, small_frames(), &manifest);
  std::uint64_t bytes = 0;
  Fingerprint sum;
  for (const auto& row : table.rows) {
    bytes += row.text.size();
    sum.add(row_hash(row.text));
  }
  const TableEntry& entry = manifest.tables[1];
  EXPECT_EQ(entry.row_count, 40u);
  EXPECT_EQ(entry.logical_bytes, bytes);
  EXPECT_EQ(entry.fingerprint, sum);
  std::uint64_t stored = 0;
  for (std::size_t i = 0; i < entry.frame_count; ++i) {
    const FrameEntry& frame = manifest.frames[entry.first_frame + i];
    EXPECT_EQ(frame.has_rows, i % 2 == 0) << "frames of rows and separators take turns";
    if (frame.has_rows)
      stored += frame.size;
    else
      EXPECT_EQ(frame.text_size, 2u);
  }
  EXPECT_EQ(entry.stored_bytes, stored);
  EXPECT_EQ(manifest.tables[0].frame_count, 0u);
}

TEST(BackupWriter, KeepsTenThousandTablesSmall) {
  std::vector<Table> tables;
  for (int i = 0; i < 10'000; ++i) tables.push_back(make_table("table_" + std::to_string(i), i % 1000 == 999 ? 2 : 0));
  Manifest manifest;
  const std::string file = write_backup(tables, EncoderOptions{}, &manifest);
  EXPECT_EQ(manifest.frames.size(), 21u);
  EXPECT_LT(file.size(), 4u << 20);
  const Json document = Json::parse(test::decompress_all(file));
  EXPECT_EQ(document["tables"].size(), 10'000u);
  EXPECT_EQ(document["totals"]["rows"], 20);
  NoInterrupts interrupts;
  EXPECT_TRUE(open_backup(file).check_content({}, interrupts).empty());
}

TEST(BackupWriter, CutsTheTextBetweenRowsIntoFrames) {
  MemoryFile file;
  NoInterrupts interrupts;
  EncoderOptions options = small_frames();
  options.structure_text = 64;
  BackupWriter writer(file, options, interrupts);
  Json schema = test::test_schema();
  schema["tables"][0]["large"] = std::string(1000, 's');
  writer.begin(test::test_backup(), schema.dump());
  RowFrameEncoder encoder(writer, options);
  int tables = 0;
  for (const int rows : {0, 0, 3, 20, 0}) {
    const Table table = make_table("table " + std::to_string(++tables), rows);
    writer.begin_table(table.head);
    for (const auto& row : table.rows) test::write_row(encoder, row);
    encoder.finish();
    writer.end_table();
  }
  writer.finish();
  std::size_t largest = 0;
  for (const FrameEntry& frame : writer.manifest().frames)
    if (!frame.has_rows) largest = std::max<std::size_t>(largest, frame.text_size);
  EXPECT_EQ(largest, 64u);
  BackupReader reader = open_backup(file.data);
  EXPECT_EQ(test::schema_of(reader), schema);
  expect_good(file.data);
  options.structure_text = max_frame_text;
  EXPECT_TRUE(raised_text([&] { BackupWriter(file, options, interrupts); }).starts_with("XX000"));
}

TEST(BackupWriter, RefusesADescriptionThatNoReaderWouldTake) {
  EXPECT_EQ(raised_text([] { check_schema_size(max_schema_text); }), "");
  EXPECT_EQ(raised_text([] { check_schema_size(max_schema_text + 1); }), "54000: the description of the tables is too large for a backup");
}

TEST(BackupWriter, GathersSmallFramesIntoFewWrites) {
  MemoryFile file;
  NoInterrupts interrupts;
  const EncoderOptions options = small_frames(50);
  BackupWriter writer(file, options, interrupts);
  writer.begin(test::test_backup(), test::test_schema().dump());
  writer.begin_table(make_head("a"));
  RowFrameEncoder encoder(writer, options);
  for (const auto& row : make_table("a", 3'000).rows) test::write_row(encoder, row);
  encoder.finish();
  writer.end_table();
  writer.finish();
  EXPECT_GT(writer.manifest().frames.size(), 1'000u);
  EXPECT_LT(file.appends, 10u);
  expect_good(file.data);
}

TEST(BackupWriter, RefusesCallsOutOfOrder) {
  MemoryFile file;
  NoInterrupts interrupts;
  BackupWriter writer(file, EncoderOptions{}, interrupts);
  EncodedFrame frame;
  frame.rows = 1;
  const auto refused = [](auto&& action) { return raised_text(action).starts_with("XX000"); };
  EXPECT_TRUE(refused([&] { writer.begin_table(make_head("a")); }));
  EXPECT_TRUE(refused([&] { writer.finish(); }));
  EXPECT_TRUE(refused([&] { writer.begin(Json::array(), "{}"); }));
  for (const char* schema : {"", "[]", "{\n}"}) EXPECT_TRUE(refused([&] { writer.begin(Json::object(), schema); })) << schema;
  writer.begin(Json::object(), "{}");
  EXPECT_TRUE(refused([&] { writer.begin(Json::object(), "{}"); }));
  EXPECT_TRUE(refused([&] { writer.accept(frame); }));
  EXPECT_TRUE(refused([&] { writer.end_table(); }));
  for (const char* reserved : {"rows", "row_count", "fingerprint"}) {
    Json head = make_head("a");
    head[reserved] = 1;
    EXPECT_TRUE(refused([&] { writer.begin_table(head); }));
  }
  for (const char* needed : {"schema", "name", "columns"}) {
    Json head = make_head("a");
    head.erase(needed);
    EXPECT_TRUE(refused([&] { writer.begin_table(head); }));
  }
  Json head = make_head("a");
  head["note"] = "\xff";
  EXPECT_TRUE(refused([&] { writer.begin_table(head); }));
  writer.begin_table(make_head("a"));
  EXPECT_TRUE(refused([&] { writer.begin_table(make_head("b")); }));
  EXPECT_TRUE(refused([&] { writer.finish(); }));
  frame.rows = 0;
  EXPECT_TRUE(refused([&] { writer.accept(frame); }));
  frame.continues = true;
  EXPECT_TRUE(refused([&] { writer.accept(frame); }));
  frame.rows = 1;
  EXPECT_TRUE(refused([&] { writer.accept(frame); }));
  writer.end_table();
  writer.finish();
  EXPECT_TRUE(refused([&] { writer.finish(); }));
  EXPECT_TRUE(refused([&] { writer.begin_table(make_head("b")); }));
}

class Cancel final : public Interrupts {
 public:
  explicit Cancel(int after) : left_(after) {}
  void check() override {
    if (left_-- == 0) throw error(sqlstate::query_canceled, "canceling statement due to user request");
  }

 private:
  int left_;
};

TEST(Backup, CanBeCancelledAtEveryFrame) {
  const std::string file = write_backup({make_table("a", 30)});
  const auto canceled = [](auto&& action) {
    int after = 0;
    for (; after < 1000; ++after) {
      Cancel cancel(after);
      if (raised_text([&] { action(cancel); }).empty()) break;
    }
    return after;
  };
  const int frames = static_cast<int>(open_backup(file).manifest().frames.size());
  EXPECT_EQ(canceled([&](Cancel& cancel) {
              MemoryFile out;
              BackupWriter writer(out, small_frames(), cancel);
              writer.begin(test::test_backup(), test::test_schema().dump());
              writer.begin_table(make_head("a"));
              RowFrameEncoder encoder(writer, small_frames());
              for (const auto& row : make_table("a", 30).rows) test::write_row(encoder, row);
              encoder.finish();
              writer.end_table();
              writer.finish();
            }),
            frames);
  EXPECT_EQ(canceled([&](Cancel& cancel) { open_backup(file).check_content({}, cancel); }), frames);
  EXPECT_EQ(canceled([&](Cancel& cancel) { open_backup(file).check_files("", cancel); }), 1);
  EXPECT_EQ(canceled([&](Cancel& cancel) {
              BackupReader reader = open_backup(file);
              const auto source = reader.table_text(0, cancel);
              while (!source->next().empty()) continue;
            }),
            frames - 2);
}

TEST(BackupReader, ReadsOneTableWithoutTheRest) {
  const std::string file = write_backup({make_table("a", 30), make_table("b", 0), make_table("c", 30, "other")});
  BackupReader reader = open_backup(file);
  EXPECT_EQ(reader.file_size(), file.size());
  ASSERT_EQ(reader.manifest().tables.size(), 3u);
  EXPECT_EQ(reader.manifest().tables[2].name(), "c");
  std::string expected;
  for (const auto& row : make_table("c", 30, "other").rows) expected += (expected.empty() ? "" : ",\n") + row.text;
  EXPECT_EQ(table_rows(reader, 2), expected);
  EXPECT_EQ(table_rows(reader, 1), "");
  EXPECT_EQ(test::schema_of(reader), test::test_schema());
  EXPECT_TRUE(reader.frame_text(0).starts_with("{\"format\":\"pg_snapback\""));
}

// A table in frames large enough that each is read while the one before is worked on.
struct LargeFrames {
  Manifest manifest;
  std::string file, rows;

  LargeFrames() {
    const Table table = make_table("a", 40, std::string(20'000, 'x'));
    file = write_backup({table}, small_frames(100'000, 200'000), &manifest);
    for (const auto& row : table.rows) rows += (rows.empty() ? "" : ",\n") + row.text;
  }

  // Changes a byte of the table's frame `number`, counted with the separators; returns how messages about it begin.
  std::string damage(std::size_t number, bool has_rows, std::size_t byte) {
    const std::size_t index = manifest.tables[0].first_frame + number;
    const FrameEntry& frame = manifest.frames[index];
    EXPECT_EQ(frame.has_rows, has_rows);
    file[frame.offset + byte] ^= 1;
    return "XX001: frame " + std::to_string(index) + " at offset " + std::to_string(frame.offset) + " of the backup is damaged: ";
  }
};

TEST(BackupReader, ReadsTheNextFrameWhileOneIsWorkedOn) {
  const LargeFrames large;
  ASSERT_GT(large.manifest.tables[0].frame_count, 5u);
  expect_good(large.file);
  BackupReader reader = open_backup(large.file);
  EXPECT_EQ(table_rows(reader, 0), large.rows);
  EXPECT_EQ(table_rows(reader, 0), large.rows);

  NoInterrupts interrupts;
  const auto source = reader.table_text(0, interrupts);
  const std::string first(source->next());
  // another frame in between costs the one that was being read, which is then read again
  EXPECT_TRUE(reader.frame_text(0).starts_with("{\"format\":\"pg_snapback\""));
  EXPECT_TRUE(large.rows.starts_with(first));
  EXPECT_EQ(large.rows.substr(first.size(), 2), ",\n");
  std::string_view separator = source->next();
  EXPECT_EQ(separator, ",\n");
  EXPECT_TRUE(large.rows.substr(first.size() + 2).starts_with(source->next()));
}

TEST(BackupReader, MeetsADamagedFrameWhenItIsAskedForAndNotWhenItIsReadAhead) {
  LargeFrames large;
  const std::string damaged = large.damage(2, true, 20);
  BackupReader reader = open_backup(large.file);
  NoInterrupts interrupts;
  for (int i = 0; i < 3; ++i) {
    const auto source = reader.table_text(0, interrupts);
    EXPECT_FALSE(source->next().empty());
    EXPECT_EQ(source->next(), ",\n");
    if (i == 1) {
      EXPECT_FALSE(reader.frame_text(0).empty());
    }
    EXPECT_EQ(raised_text([&] { source->next(); }), damaged + "its SHA-256 does not match");
    EXPECT_EQ(source->next(), ",\n");
  }
}

TEST(BackupReader, MeetsADamagedSeparatorWhenItIsAskedFor) {
  LargeFrames large;
  const std::string damaged = large.damage(1, false, 6);
  BackupReader reader = open_backup(large.file);
  NoInterrupts interrupts;
  const auto source = reader.table_text(0, interrupts);
  EXPECT_FALSE(source->next().empty());
  EXPECT_EQ(raised_text([&] { source->next(); }), damaged + "its SHA-256 does not match");
  EXPECT_TRUE(large.rows.find(source->next()) != std::string::npos);
  EXPECT_EQ(source->next(), ",\n");
}

TEST(BackupReader, ReadsRowsThatAreCutOverFrames) {
  Table table = make_table("a", 5);
  table.rows.insert(table.rows.begin() + 2, {"{\"id\":7,\"title\":\"" + std::string(5000, 'x') + "\"}", "[7]"});
  table.rows.push_back({"{\"id\":8,\"title\":\"" + std::string(2000, 'y') + "\"}", "[8]"});
  const std::string file = write_backup({table, make_table("b", 1)});
  expect_good(file);
  BackupReader reader = open_backup(file);
  NoInterrupts interrupts;
  const auto source = reader.table_text(0, interrupts);
  RowParser parser(*source);
  for (const auto& row : table.rows) {
    ASSERT_TRUE(parser.next_row());
    parser.skip_row();
    EXPECT_EQ(parser.last_row_hash(), row_hash(row.text));
  }
  EXPECT_FALSE(parser.next_row());
}

TEST(BackupReader, ReadsARowAboveSixteenMebibytes) {
  Table table = make_table("a", 2);
  table.rows.insert(table.rows.begin() + 1, {"{\"id\":7,\"title\":\"" + std::string(40 << 20, 'x') + "\"}", "[7]"});
  Manifest manifest;
  const std::string file = write_backup({table}, EncoderOptions{}, &manifest);
  EXPECT_EQ(manifest.tables[0].row_count, 3u);
  EXPECT_EQ(manifest.tables[0].logical_bytes, table.rows[0].text.size() + table.rows[1].text.size() + table.rows[2].text.size());
  expect_good(file);
}

TEST(BackupReader, FindsAFileCutAnywhere) {
  const std::string file = write_backup({make_table("a", 10), make_table("b", 2)});
  for (std::size_t size = 0; size < file.size(); ++size)
    ASSERT_TRUE(raised_text([&] { open_backup(file.substr(0, size)); }).starts_with("XX001")) << size;
}

TEST(BackupReader, RefusesANewerFileFormat) {
  std::string file = write_backup({});
  const std::size_t at = file.find(manifest_mark) + manifest_mark.size();
  file[at] = 2;
  try {
    open_backup(file);
    FAIL();
  } catch (const error& e) {
    EXPECT_STREQ(e.sqlstate(), "0A000");
    EXPECT_EQ(e.hint(), "Upgrade pg_snapback to read it.");
  }
  file[at] = 0;
  EXPECT_TRUE(raised_text([&] { open_backup(file); }).starts_with("XX001"));
}

TEST(BackupReader, AsksForNoMoreMemoryThanTheFileJustifies) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 3)}, small_frames(), &manifest);
  std::size_t largest = 0;
  const auto open_crafted = [&](const std::string& crafted) {
    auto input = std::make_unique<StringFile>(crafted);
    largest = 0;
    input->largest_read = &largest;
    const std::string what = raised_text([&] {
      BackupReader reader(std::move(input));
      for (std::size_t i = 0; i < reader.manifest().frames.size(); ++i) reader.frame_text(i);
    });
    EXPECT_TRUE(what.starts_with("XX001")) << what;
    EXPECT_LE(largest, crafted.size());
    return what;
  };
  // a number of frames that the file cannot hold
  for (const std::uint32_t frames : {0u, 1u, 1000u, 0x7ffffffu, 0xffffffffu}) {
    std::string crafted = file.substr(0, file.size() - 9);
    for (int shift = 0; shift < 32; shift += 8) crafted += static_cast<char>(frames >> shift & 0xff);
    crafted += file.substr(file.size() - 5);
    open_crafted(crafted);
  }
  // frames that claim to decompress to more than any writer puts into one
  const auto with_frame = [&](auto&& change) {
    Manifest changed = manifest;
    change(changed.frames[1]);
    return open_crafted(test::assemble(frames_of(file, manifest), changed));
  };
  with_frame([](FrameEntry& frame) { frame.text_size = max_frame_text + 1; });
  with_frame([](FrameEntry& frame) { frame.text_size = ~std::uint64_t{0}; });
  with_frame([](FrameEntry& frame) { frame.text_size = 0; });
  with_frame([](FrameEntry& frame) { frame.text_size = max_frame_text; });
  with_frame([](FrameEntry& frame) { frame.size = ~std::uint64_t{0}; });
  with_frame([](FrameEntry& frame) { frame.size = 0; });
  with_frame([](FrameEntry& frame) { frame.size += 1; });
  with_frame([](FrameEntry& frame) { frame.offset = ~std::uint64_t{0}; });
  // a manifest that claims to be larger than the file
  std::string crafted = file;
  const std::size_t entries = file.size() - seek_table_size(manifest.frames.size() + 1) + 8;
  for (std::size_t i = 0; i < 4; ++i) crafted[entries + 8 * manifest.frames.size() + i] = '\xff';
  open_crafted(crafted);
  crafted[entries + 8 * manifest.frames.size() + 3] = 0x60;
  open_crafted(crafted);
}

TEST(BackupReader, RefusesAManifestWhoseTablesDoNotFitItsFrames) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 10), make_table("b", 10)}, small_frames(), &manifest);
  const auto refused = [&](auto&& change) {
    Manifest changed = manifest;
    change(changed);
    return raised_text([&] { open_backup(test::assemble(frames_of(file, manifest), changed)); }).starts_with("XX001: manifest is damaged");
  };
  EXPECT_FALSE(refused([](Manifest&) {}));
  EXPECT_TRUE(refused([](Manifest& m) { m.tables[0].first_frame = 100'000; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.tables[0].frame_count = ~std::size_t{0}; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.tables[0].frame_count -= 1; })) << "ends in a separator";
  EXPECT_TRUE(refused([](Manifest& m) { m.tables[0].frame_count -= 2; })) << "leaves rows to no table";
  EXPECT_TRUE(refused([](Manifest& m) { m.tables[0].first_frame += 1; }));
  EXPECT_TRUE(refused([](Manifest& m) { m.tables[1].frame_count = 0; }));
  EXPECT_TRUE(refused([](Manifest& m) { std::swap(m.tables[0], m.tables[1]); }));
  EXPECT_TRUE(refused([](Manifest& m) { m.frames[m.tables[0].first_frame].rows = 0; }));
  EXPECT_TRUE(refused([](Manifest& m) {
    m.frames[m.tables[0].first_frame].rows = 0;
    m.frames[m.tables[0].first_frame].continues = true;
  })) << "a table cannot begin within a row";
  EXPECT_TRUE(refused([](Manifest& m) { m.frames.clear(); }));
}

TEST(BackupReader, RefusesAManifestThatNamesATableTwice) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 10), make_table("b", 10)}, small_frames(), &manifest);
  manifest.tables[1].head = manifest.tables[0].head;
  EXPECT_EQ(raised_text([&] { open_backup(test::assemble(frames_of(file, manifest), manifest)); }), "XX001: manifest is damaged: table 1 has the name of one before it");
}

TEST(BackupReader, RefusesColumnsThatAreNoColumns) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 10)}, small_frames(), &manifest);
  const auto raised_with = [&](const char* columns) {
    Json head = manifest.tables[0].head.json();
    head["columns"] = Json::parse(columns);
    Manifest changed = manifest;
    changed.tables[0].head = head;
    return raised_text([&] { open_backup(test::assemble(frames_of(file, changed), changed)); });
  };
  EXPECT_EQ(raised_with(R"({"a":1})"), "XX001: manifest is damaged: \"columns\" is no array");
  EXPECT_EQ(raised_with(R"(["id"])"), "XX001: manifest is damaged: an entry of \"columns\" is no object");
  EXPECT_EQ(raised_with(R"([{"name":"id"}])"), "XX001: manifest is damaged: \"type\" is missing");
  EXPECT_EQ(raised_with(R"([{"name":"id","type":"integer"},{"name":"id","type":"text"}])"), "XX001: manifest is damaged: a table has two columns of one name");
}

TEST(BackupReader, RefusesADescriptionOfTheBackupOfAnotherKind) {
  Manifest manifest;
  const std::string file = write_backup({make_table("a", 10)}, small_frames(), &manifest);
  const auto raised_with = [&](const char* key, const Json& value) {
    Manifest changed = manifest;
    changed.backup[key] = value;
    return raised_text([&] { open_backup(test::assemble(frames_of(file, changed), changed)); });
  };
  EXPECT_EQ(raised_with("database", 7), "XX001: manifest is damaged: \"database\" is no string");
  EXPECT_EQ(raised_with("uncommitted", "yes"), "XX001: manifest is damaged: \"uncommitted\" is no boolean");
  EXPECT_EQ(raised_with("database_oid", "5"), "XX001: manifest is damaged: \"database_oid\" is no natural number");
  EXPECT_EQ(raised_with("database_oid", std::uint64_t{1} << 32), "XX001: manifest is damaged: \"database_oid\" is no OID");
}

TEST(BackupReader, RefusesADocumentWithoutItsSchema) {
  Manifest manifest;
  const std::string file = write_backup({}, small_frames(), &manifest);
  const std::string text = test::decompress_all(file);
  const auto schema_of = [&](const std::string& changed) {
    Manifest copy = manifest;
    auto frames = frames_of(file, manifest);
    test::replace_frame(frames, copy, 0, changed);
    const std::string crafted = test::assemble(frames, copy);
    return raised_text([&] { open_backup(crafted).schema([](const std::string&, Json&) {}); });
  };
  EXPECT_EQ(schema_of(text), "");
  const std::size_t line = text.find("\"schema\"");
  EXPECT_TRUE(schema_of("x").starts_with("XX001: document is damaged"));
  EXPECT_TRUE(schema_of(text.substr(0, line + 20)).starts_with("XX001: document is damaged"));
  EXPECT_TRUE(schema_of(text.substr(0, line) + "\"scheme\":{},\n").starts_with("XX001: document is damaged"));
  EXPECT_TRUE(schema_of(text.substr(0, line) + "\"schema\":{}\n").starts_with("XX001: document is damaged"));
  EXPECT_TRUE(schema_of(text.substr(0, line) + "\"schema\":{\"a\":},\n").starts_with("XX001: document is damaged"));
  EXPECT_TRUE(schema_of(text.substr(0, line) + "\"schema\":[],\n").starts_with("XX001: document is damaged"));
  EXPECT_EQ(schema_of(text.substr(0, line) + "\"schema\":{\"tables\":{}},\n"), "XX001: document is damaged: \"tables\" is no array");
  EXPECT_EQ(schema_of(text.substr(0, line) + "\"schema\":{\"types\":[1]},\n"), "XX001: document is damaged: an entry of the schema's \"types\" is no object");
}

TEST(BackupReader, PassesOnReadErrorsOfTheDisk) {
  const std::string file = write_backup({make_table("a", 10)});
  NoInterrupts interrupts;
  for (std::uint64_t from = 0; from < file.size(); from += 7) {
    auto input = std::make_unique<StringFile>(file);
    StringFile* raw = input.get();
    BackupReader reader(std::move(input));
    raw->failing_state = sqlstate::io_error;
    raw->failing_from = from;
    EXPECT_TRUE(raised_text([&] { reader.check_files(std::string(64, '0'), interrupts); }).starts_with("58030"));
    if (from < reader.manifest().frames.back().offset) {
      EXPECT_TRUE(raised_text([&] { reader.check_content({}, interrupts); }).starts_with("58030"));
    }
  }
}

}  // namespace
}  // namespace snapback
