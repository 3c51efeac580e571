#include "core/format/backup_writer.hpp"

#include <memory>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/format/container.hpp"
#include "core/format/seek_table.hpp"

namespace snapback {
namespace {

constexpr std::size_t write_size = std::size_t{1} << 20;      // small frames are gathered to this

void require(bool condition, const char* what) {
  if (!condition) throw error(sqlstate::internal_error, std::string("backup writer: ") + what);
}

}  // namespace

struct BackupWriter::State {
  PartialFile& file;
  ZstdCompressor compressor;
  std::size_t structure_text;
  Interrupts& interrupts;
  Manifest manifest;
  Sha256 file_sha256;
  Sha256Value file_digest{};
  std::uint64_t offset = 0;
  std::string structure;   // text between rows, not yet in a frame
  std::string compressed;  // one frame of it
  std::string unwritten;   // frames on their way to the file
  bool begun = false, in_table = false, finished = false;

  State(PartialFile& to, const EncoderOptions& options, Interrupts& given) : file(to), compressor(options.compression_level), structure_text(options.structure_text), interrupts(given) {
    require(structure_text != 0 && structure_text < max_frame_text, "frame sizes are out of range");
  }

  void write(std::string_view data) {
    file_sha256.update(data.data(), data.size());
    offset += data.size();
    if (unwritten.size() + data.size() > write_size) flush();
    if (data.size() >= write_size)
      file.append(data.data(), data.size());
    else
      unwritten += data;
  }

  void flush() {
    if (!unwritten.empty()) file.append(unwritten.data(), unwritten.size());
    unwritten.clear();
  }

  FrameEntry& add_frame(std::string_view bytes, std::uint64_t text_size, const Sha256Value& sha256) {
    interrupts.check();
    FrameEntry& entry = manifest.frames.emplace_back();
    entry.offset = offset;
    entry.size = bytes.size();
    entry.text_size = text_size;
    entry.sha256 = sha256;
    write(bytes);
    return entry;
  }

  void add_structure_frame(std::string_view text) {
    compressed.clear();
    compressor.compress(text, compressed);
    add_frame(compressed, text.size(), sha256_of(compressed));
  }

  void add_text(std::string_view text) {
    structure += text;
    std::string_view rest = structure;
    for (; rest.size() >= structure_text; rest.remove_prefix(structure_text)) add_structure_frame(rest.substr(0, structure_text));
    structure.erase(0, structure.size() - rest.size());
  }

  void end_structure() {
    if (!structure.empty()) add_structure_frame(structure);
    structure.clear();
  }
};

BackupWriter::BackupWriter(PartialFile& file, const EncoderOptions& options, Interrupts& interrupts)
    : state_(std::make_unique<State>(file, options, interrupts)) {}

BackupWriter::~BackupWriter() = default;

void BackupWriter::begin(const Json& backup, std::string_view schema) {
  State& s = *state_;
  require(!s.begun, "begin called twice");
  require(schema.starts_with('{') && schema.find('\n') == schema.npos, "the schema is no object in one line");
  check_schema_size(schema.size());
  s.manifest.backup = backup;
  s.add_text(document_start_text(backup));
  s.add_text(schema);
  s.add_text(document_tables_text());
  s.begun = true;
  fault_point("writer.begun");
}

void BackupWriter::begin_table(TableHead head) {
  State& s = *state_;
  require(s.begun && !s.in_table && !s.finished, "begin_table out of order");
  if (!s.manifest.tables.empty()) s.add_text(row_separator);
  s.add_text(table_head_text(head));
  s.manifest.tables.emplace_back().head = std::move(head);
  s.in_table = true;
  fault_point("writer.table_begun");
}

void BackupWriter::accept(const EncodedFrame& frame) {
  State& s = *state_;
  require(s.in_table, "rows outside of a table");
  require(frame.continues ? frame.rows == 0 : frame.rows != 0, "a frame must either begin rows or continue one");
  TableEntry& table = s.manifest.tables.back();
  require(!frame.continues || table.frame_count != 0, "a table begins inside a row");
  if (!frame.continues && table.frame_count != 0) s.structure = row_separator;
  s.end_structure();
  if (table.frame_count == 0) table.first_frame = s.manifest.frames.size();
  FrameEntry& entry = s.add_frame(frame.bytes, frame.text_size, frame.sha256);
  entry.has_rows = true;
  entry.rows = frame.rows;
  entry.continues = frame.continues;
  entry.first_key = frame.first_key;
  entry.last_key = frame.last_key;
  entry.fingerprint = frame.fingerprint;
  table.frame_count = s.manifest.frames.size() - table.first_frame;
  table.row_count += frame.rows;
  table.fingerprint.add(frame.fingerprint);
  table.logical_bytes += frame.text_size - (frame.continues ? 0 : row_separator.size() * (frame.rows - 1));
  table.stored_bytes += frame.bytes.size();
  fault_point("writer.frame_accepted");
}

const TableEntry& BackupWriter::end_table() {
  State& s = *state_;
  require(s.in_table, "end_table outside of a table");
  const TableEntry& table = s.manifest.tables.back();
  s.add_text(table_tail_text(table));
  s.in_table = false;
  fault_point("writer.table_ended");
  return table;
}

void BackupWriter::finish() {
  State& s = *state_;
  require(s.begun && !s.in_table && !s.finished, "finish out of order");
  s.add_text(document_end_text(s.manifest));
  s.end_structure();
  fault_point("writer.document_ended");

  const std::string text = dump_manifest(s.manifest);
  if (text.size() > max_manifest_size)
    throw error(sqlstate::program_limit_exceeded, "the backup has too many frames for its manifest");  // GCOVR_EXCL_LINE: needs 2 GiB of manifest
  const std::string header = make_manifest_header(text);
  SeekEntries entries;
  entries.reserve(s.manifest.frames.size() + 1);
  for (const FrameEntry& frame : s.manifest.frames)
    entries.emplace_back(static_cast<std::uint32_t>(frame.size), static_cast<std::uint32_t>(frame.text_size));
  entries.emplace_back(static_cast<std::uint32_t>(header.size() + text.size()), 0);
  s.write(header);
  s.write(text);
  fault_point("writer.manifest_written");
  s.write(make_seek_table(entries));
  s.flush();
  s.file_digest = s.file_sha256.finish();
  s.finished = true;
}

const Manifest& BackupWriter::manifest() const { return state_->manifest; }

std::uint64_t BackupWriter::file_size() const { return state_->offset; }

Sha256Value BackupWriter::file_sha256() const { return state_->file_digest; }

}  // namespace snapback
