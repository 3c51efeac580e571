#include "core/format/backup_reader.hpp"

#include <algorithm>
#include <new>
#include <set>
#include <string_view>
#include <utility>

#if defined(PG_SNAPBACK_FUZZING)
#define ZSTD_STATIC_LINKING_ONLY
#endif
#include <zstd.h>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/format/container.hpp"
#include "core/format/reader_state.hpp"
#include "core/format/seek_table.hpp"

namespace snapback {
namespace {

constexpr std::uint64_t least_text_ahead = std::uint64_t{64} << 10, most_text_ahead = std::uint64_t{8} << 20;
constexpr std::uint64_t min_frame_size = 9;  // magic, descriptor, content size, one empty block

ZSTD_DCtx* dctx(void* context) { return static_cast<ZSTD_DCtx*>(context); }

[[noreturn]] void damaged(const std::string& what) { throw error(sqlstate::data_corrupted, what); }

[[noreturn]] void manifest_damaged(const std::string& what) { damaged("manifest is damaged: " + what); }

char* at_least(std::unique_ptr<char[]>& buffer, std::size_t& capacity, std::size_t needed) {
  if (capacity < needed) {
    buffer.reset();
    capacity = 0;
    buffer = std::make_unique_for_overwrite<char[]>(needed);
    capacity = needed;
  }
  return buffer.get();
}

std::string read_part(ReadableFile& file, std::uint64_t offset, std::uint64_t size) {
  std::string part(size, '\0');
  file.read_at(offset, part.data(), part.size());
  return part;
}

// Frames tile the file up to `end`, and none claims more memory than a writer could have meant.
void check_frames(const Manifest& manifest, std::uint64_t end) {
  const std::uint64_t max_size = ZSTD_compressBound(max_frame_text);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < manifest.frames.size(); ++i) {
    const FrameEntry& frame = manifest.frames[i];
    const std::string place = "frame " + std::to_string(i) + " ";
    if (frame.offset != offset) manifest_damaged(place + "does not begin where the frame before it ends");
    if (frame.size < min_frame_size || frame.size > max_size || frame.size > end - offset) manifest_damaged(place + "has an impossible size");
    if (frame.text_size == 0 || frame.text_size > max_frame_text) manifest_damaged(place + "has an impossible text size");
    if (frame.has_rows && frame.continues != (frame.rows == 0)) manifest_damaged(place + "neither begins a row nor continues one");
    offset += frame.size;
  }
  if (offset != end) manifest_damaged("the frames do not fill the file");
}

// What is asked for by name is one table.
void check_names(const Manifest& manifest) {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (std::size_t i = 0; i < manifest.tables.size(); ++i)
    if (!names.emplace(manifest.tables[i].schema(), manifest.tables[i].name()).second) manifest_damaged("table " + std::to_string(i) + " has the name of one before it");
}

// Every frame with rows belongs to exactly one table, and tables come in the order of their frames.
void check_tables(const Manifest& manifest) {
  const std::size_t frames = manifest.frames.size();
  std::size_t next = 0;
  const auto no_rows_until = [&](std::size_t end) {
    for (; next < end; ++next)
      if (manifest.frames[next].has_rows) manifest_damaged("frame " + std::to_string(next) + " has rows of no table");
  };
  for (std::size_t i = 0; i < manifest.tables.size(); ++i) {
    const TableEntry& table = manifest.tables[i];
    if (table.frame_count == 0) continue;
    const std::string place = "table " + std::to_string(i) + " ";
    if (table.first_frame < next || table.first_frame >= frames || table.frame_count > frames - table.first_frame)
      manifest_damaged(place + "names frames that are not there");
    no_rows_until(table.first_frame);
    const FrameEntry& first = manifest.frames[table.first_frame];
    if (!first.has_rows || first.continues) manifest_damaged(place + "does not begin with a row");
    next += table.frame_count;
    if (!manifest.frames[next - 1].has_rows) manifest_damaged(place + "does not end with a row");
  }
  no_rows_until(frames);
}

}  // namespace

bool digest_checks_disabled() {
#if defined(PG_SNAPBACK_FUZZING)
  return true;
#else
  return false;
#endif
}

BackupReader::State::State(std::unique_ptr<ReadableFile> given) : file(std::move(given)), decompressor_(ZSTD_createDCtx()) {
  if (decompressor_ == nullptr) throw std::bad_alloc();  // GCOVR_EXCL_LINE: out of memory here
#if defined(PG_SNAPBACK_FUZZING)
  ZSTD_DCtx_setParameter(dctx(decompressor_), ZSTD_d_forceIgnoreChecksum, ZSTD_d_ignoreChecksum);
#endif
}

BackupReader::State::~State() {
  drop_ahead();
  ZSTD_freeDCtx(dctx(decompressor_));
}

void BackupReader::State::load() {
  file_size = file->size();
  if (file_size < seek_table_size(2) + manifest_header_size) damaged("the file is too short to be a backup");
  const std::uint64_t entries = parse_seek_footer(read_part(*file, file_size - seek_table_footer_size, seek_table_footer_size));
  const std::uint64_t table_size = seek_table_size(entries);
  // every frame takes room in the file, so a small file cannot claim many
  if (entries < 2 || entries * min_frame_size + table_size > file_size) damaged("seek table is damaged: its number of frames does not fit the file");
  const std::string table = read_part(*file, file_size - table_size, table_size);
  const std::uint64_t manifest_size = parse_seek_table(table).back().first;
  if (manifest_size > max_manifest_size + manifest_header_size || manifest_size > file_size - table_size)
    damaged("seek table is damaged: the manifest's size does not fit the file");
  tiled = file_size - table_size - manifest_size;
  {
    const std::string frame = read_part(*file, tiled, manifest_size);
    manifest = parse_manifest(open_manifest_frame(frame));
  }
  check_names(manifest);
  check_frames(manifest, tiled);
  check_tables(manifest);

  SeekEntries expected;
  expected.reserve(manifest.frames.size() + 1);
  for (const FrameEntry& frame : manifest.frames)
    expected.emplace_back(static_cast<std::uint32_t>(frame.size), static_cast<std::uint32_t>(frame.text_size));
  expected.emplace_back(static_cast<std::uint32_t>(manifest_size), 0);
  if (make_seek_table(expected) != table) damaged("seek table is damaged: it does not agree with the manifest");
}

std::string BackupReader::State::frame_message(std::size_t index, const char* what) const {
  return "frame " + std::to_string(index) + " at offset " + std::to_string(manifest.frames[index].offset) + " of the backup is damaged: " + what;
}

// On either thread, so it passes no fault point.
void BackupReader::State::read_frame(std::size_t index, Buffer& buffer) {
  const FrameEntry& frame = manifest.frames[index];
  char* const bytes = at_least(buffer.bytes, buffer.bytes_capacity, frame.size);
  try {
    file->read_at(frame.offset, bytes, frame.size);
  } catch (const error& e) {
    if (!is_damage(e)) throw;
    throw FrameError("truncated", e.message());
  }
  sha256_.update(bytes, frame.size);
  if (sha256_.finish() != frame.sha256 && !digest_checks_disabled()) throw FrameError("frame_digest", frame_message(index, "its SHA-256 does not match"));
  // one frame and nothing else; the text's size is known before memory is asked for
  if (ZSTD_getFrameContentSize(bytes, frame.size) != frame.text_size) throw FrameError("frame_content", frame_message(index, "its text has another size than the manifest says"));
  if (ZSTD_findFrameCompressedSize(bytes, frame.size) != frame.size) throw FrameError("frame_content", frame_message(index, "it is not one zstd frame"));
  char* const out = at_least(buffer.text, buffer.text_capacity, frame.text_size);
  if (ZSTD_decompressDCtx(dctx(decompressor_), out, frame.text_size, bytes, frame.size) != frame.text_size) throw FrameError("frame_content", frame_message(index, "it cannot be decompressed"));
}

void BackupReader::State::read_ahead(std::size_t index, std::size_t end) {
  if (ahead_ != nothing) return;
  const auto is_worth_it = [&](std::size_t frame) {
    return frame < end && manifest.frames[frame].text_size >= least_text_ahead && manifest.frames[frame].text_size <= most_text_ahead;
  };
  if (!is_worth_it(index)) {
    if (!is_worth_it(index + 1) || manifest.frames[index].text_size >= least_text_ahead) return;
    try {
      read_frame(index, small_);
    } catch (const error&) {
      return;  // raised again when that frame is asked for
    }
    small_ahead_ = index++;
  }
  // one that has held a piece of a very large row
  if (next_.text_capacity > most_text_ahead) next_ = {};
  ahead_ = index;
  background_.start([this, index] { read_frame(index, next_); });
}

// Whoever asks for that frame after all reads it again, and meets what it raised.
void BackupReader::State::drop_ahead() noexcept {
  ahead_ = nothing;
  try {
    background_.wait();
  } catch (...) {
  }
}

std::string_view BackupReader::State::frame_text(std::size_t index) {
  fault_point("reader.frame");
  const std::uint64_t size = manifest.frames.at(index).text_size;
  if (std::exchange(small_ahead_, nothing) == index) return {small_.text.get(), size};
  if (ahead_ == index) {
    ahead_ = nothing;
    background_.wait();
    std::swap(current_, next_);
  } else {
    drop_ahead();
    read_frame(index, current_);
  }
  return {current_.text.get(), size};
}

FrameSource::FrameSource(BackupReader::State& state, std::size_t first, std::size_t end, Interrupts& interrupts)
    : state_(state), next_(first), end_(end), interrupts_(interrupts) {}

std::string_view FrameSource::next() {
  if (next_ == end_) return {};
  interrupts_.check();
  const std::string_view text = state_.frame_text(next_++);
  state_.read_ahead(next_, end_);
  return text;
}

BackupReader::BackupReader(std::unique_ptr<ReadableFile> file) : state_(std::make_unique<State>(std::move(file))) {
  state_->load();
  fault_point("reader.opened");
}

BackupReader::~BackupReader() = default;

const Manifest& BackupReader::manifest() const { return state_->manifest; }

std::uint64_t BackupReader::file_size() const { return state_->file_size; }

std::string_view BackupReader::frame_text(std::size_t frame_index) { return state_->frame_text(frame_index); }

void BackupReader::schema(const SchemaVisitor& visitor) {
  State& s = *state_;
  // the third line of the document, without its comma
  std::string text;
  std::size_t line_start = 0, line_end = std::string::npos;
  int lines = 0;
  for (std::size_t i = 0; i < s.manifest.frames.size() && !s.manifest.frames[i].has_rows && lines < 3; ++i) {
    std::size_t at = text.size();
    text += s.frame_text(i);
    if (text.size() > max_schema_text + 2 * max_frame_text) damaged("document is damaged: its head is too long");
    for (; lines < 3 && (at = text.find('\n', at)) != std::string::npos; ++at)
      if (++lines == 2)
        line_start = at + 1;
      else if (lines == 3)
        line_end = at;
  }
  constexpr std::string_view start = "\"schema\":";
  std::string_view line;
  if (line_end != std::string::npos) line = std::string_view(text).substr(line_start, line_end - line_start);
  if (!line.starts_with(start) || !line.ends_with(',')) damaged("document is damaged: it has no schema where it belongs");
  line.remove_prefix(start.size());
  line.remove_suffix(1);
  parse_schema(line, visitor);
}

std::unique_ptr<TextSource> BackupReader::table_text(std::size_t table_index, Interrupts& interrupts) {
  const TableEntry& table = state_->manifest.tables.at(table_index);
  return std::make_unique<FrameSource>(*state_, table.first_frame, table.first_frame + table.frame_count, interrupts);
}

}  // namespace snapback
