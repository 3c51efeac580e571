// Files in memory and a small way to write backups, for the tests of src/core/format.
#pragma once

#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/format/backup_reader.hpp"
#include "core/format/backup_writer.hpp"
#include "core/format/container.hpp"
#include "core/format/seek_table.hpp"

namespace snapback::test {

class MemoryFile final : public PartialFile {
 public:
  std::string data;
  std::size_t appends = 0;

  std::uint64_t size() const override { return data.size(); }
  void append(const char* bytes, std::size_t size) override {
    data.append(bytes, size);
    ++appends;
  }
  void sync(Interrupts&) override {}
  std::unique_ptr<ReadableFile> open_uncached() override { return nullptr; }
  bool publish(const std::string&) override { return true; }
};

// Reads a string that outlives it; may claim a size it does not have, and fail on reads from a given offset on.
class StringFile final : public ReadableFile {
 public:
  explicit StringFile(const std::string& data) : data_(data), size_(data.size()) {}
  StringFile(const std::string& data, std::uint64_t claimed_size) : data_(data), size_(claimed_size) {}

  const char* failing_state = nullptr;
  std::uint64_t failing_from = ~std::uint64_t{0};
  std::size_t* largest_read = nullptr;

  std::uint64_t size() const override { return size_; }
  std::string name() const override { return "memory"; }
  void read_at(std::uint64_t offset, char* out, std::size_t size) override {
    if (largest_read != nullptr) *largest_read = std::max(*largest_read, size);
    if (offset + size > failing_from) throw error(failing_state, "could not read");
    if (offset > data_.size() || size > data_.size() - offset) throw error(sqlstate::data_corrupted, "the file ends too early");
    std::memcpy(out, data_.data() + offset, size);
  }

 private:
  const std::string& data_;
  std::uint64_t size_;
};

// Collects what an encoder makes.
struct OwnedFrame {
  std::string bytes, text, first_key, last_key;
  std::uint64_t rows = 0;
  bool continues = false;
  Sha256Value sha256{};
  Fingerprint fingerprint;

  EncodedFrame view() const {
    EncodedFrame frame;
    frame.bytes = bytes;
    frame.text_size = text.size();
    frame.rows = rows;
    frame.continues = continues;
    frame.first_key = first_key;
    frame.last_key = last_key;
    frame.sha256 = sha256;
    frame.fingerprint = fingerprint;
    return frame;
  }
};

// Every zstd frame of `file`, skippable ones passed over, as any zstd tool reads it.
inline std::string decompress_all(std::string_view file) {
  std::string out;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::vector<char> buffer(ZSTD_DStreamOutSize());
  ZSTD_inBuffer in{file.data(), file.size(), 0};
  std::size_t left = 0;
  for (bool full = false; full || in.pos < in.size;) {
    ZSTD_outBuffer piece{buffer.data(), buffer.size(), 0};
    left = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(left)) throw std::runtime_error(ZSTD_getErrorName(left));
    out.append(buffer.data(), piece.pos);
    full = piece.pos == piece.size && left != 0;
  }
  if (left != 0) throw std::runtime_error("the last frame is cut off");
  return out;
}

class FrameCollector final : public FrameSink {
 public:
  std::vector<OwnedFrame> frames;
  void accept(const EncodedFrame& frame) override {
    OwnedFrame owned;
    owned.bytes = frame.bytes;
    owned.text = decompress_all(frame.bytes);
    EXPECT_EQ(owned.text.size(), frame.text_size);
    owned.first_key = frame.first_key;
    owned.last_key = frame.last_key;
    owned.rows = frame.rows;
    owned.continues = frame.continues;
    owned.sha256 = frame.sha256;
    owned.fingerprint = frame.fingerprint;
    frames.push_back(std::move(owned));
  }
};

struct Row {
  std::string text, key;
};

inline void write_row(RowSink& sink, const Row& row) {
  sink.begin_row();
  sink.append(row.text);
  sink.end_row(row.key);
}

struct Table {
  Json head;
  std::vector<Row> rows;
};

inline Json make_head(const std::string& name, bool with_key = true) {
  Json head;
  head["schema"] = "public";
  head["name"] = name;
  head["columns"] = Json::array({Json{{"name", "id"}, {"type", "integer"}}, Json{{"name", "title"}, {"type", "text"}}});
  if (with_key) head["key"] = Json::array({"id"});
  return head;
}

inline Table make_table(const std::string& name, int rows, const std::string& title = "title") {
  Table table{make_head(name), {}};
  for (int i = 0; i < rows; ++i)
    table.rows.push_back({"{\"id\":" + std::to_string(i) + ",\"title\":\"" + title + " " + std::to_string(i) + "\"}", "[" + std::to_string(i) + "]"});
  return table;
}

inline Json test_backup() { return Json{{"id", "backup_20261121T020000Z_9f3c01ab"}, {"database", "app"}, {"label", "después"}}; }
inline Json test_schema() { return Json{{"tables", Json::array({Json{{"create", "CREATE TABLE \"x\" ()\n"}}})}}; }

inline EncoderOptions small_frames(std::size_t frame_text = 100, std::size_t row_cut = 400) {
  EncoderOptions options;
  options.frame_text = frame_text;
  options.row_cut = row_cut;
  return options;
}

// A whole backup file.
inline std::string write_backup(const std::vector<Table>& tables, const EncoderOptions& options = small_frames(), Manifest* manifest = nullptr) {
  MemoryFile file;
  NoInterrupts interrupts;
  BackupWriter writer(file, options, interrupts);
  writer.begin(test_backup(), test_schema().dump());
  RowFrameEncoder encoder(writer, options);
  for (const Table& table : tables) {
    writer.begin_table(table.head);
    for (const Row& row : table.rows) write_row(encoder, row);
    encoder.finish();
    writer.end_table();
  }
  writer.finish();
  EXPECT_EQ(writer.file_size(), file.data.size());
  EXPECT_EQ(writer.file_sha256(), sha256_of(file.data));
  if (manifest != nullptr) *manifest = writer.manifest();
  return file.data;
}

inline BackupReader open_backup(const std::string& data) { return BackupReader(std::make_unique<StringFile>(data)); }

// What parse_schema() hands over, list by list.
inline Json schema_of(BackupReader& reader) {
  Json schema = Json::object();
  reader.schema([&](const std::string& list, Json& element) { schema[list].push_back(std::move(element)); });
  return schema;
}

// A file from frames (compressed bytes) and a manifest, with seek table and digest of the manifest as they must be.
inline std::string assemble(const std::vector<std::string>& frames, const Manifest& manifest) {
  std::string file;
  SeekEntries entries;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    file += frames[i];
    entries.emplace_back(static_cast<std::uint32_t>(frames[i].size()), static_cast<std::uint32_t>(i < manifest.frames.size() ? manifest.frames[i].text_size : 0));
  }
  const std::string text = dump_manifest(manifest);
  const std::string header = make_manifest_header(text);
  entries.emplace_back(static_cast<std::uint32_t>(header.size() + text.size()), 0);
  return file + header + text + make_seek_table(entries);
}

// The compressed frames of a file.
inline std::vector<std::string> frames_of(const std::string& file, const Manifest& manifest) {
  std::vector<std::string> frames;
  for (const FrameEntry& frame : manifest.frames) frames.push_back(file.substr(frame.offset, frame.size));
  return frames;
}

// Replaces a frame's text and recomputes what a careful forger of one frame would: size, SHA-256, offsets of all frames.
inline void replace_frame(std::vector<std::string>& frames, Manifest& manifest, std::size_t index, std::string_view text) {
  ZstdCompressor compressor(1);
  frames[index].clear();
  compressor.compress(text, frames[index]);
  manifest.frames[index].size = frames[index].size();
  manifest.frames[index].text_size = text.size();
  manifest.frames[index].sha256 = sha256_of(frames[index]);
  std::uint64_t offset = 0;
  for (FrameEntry& frame : manifest.frames) {
    frame.offset = offset;
    offset += frame.size;
  }
}

inline std::vector<std::string> codes(const std::vector<Problem>& problems) {
  std::vector<std::string> list;
  for (const Problem& problem : problems) list.push_back(problem.code);
  return list;
}

inline bool has_code(const std::vector<Problem>& problems, const std::string& code) {
  const auto list = codes(problems);
  return std::find(list.begin(), list.end(), code) != list.end();
}

// The SQLSTATE and message that an action raises, or "" when it raises nothing.
template <typename Action>
std::string raised_text(Action&& action) {
  try {
    action();
  } catch (const error& e) {
    return std::string(e.sqlstate()) + ": " + e.message();
  }
  return {};
}

}  // namespace snapback::test
