#include "core/format/backup_reader.hpp"

#include <algorithm>
#include <new>
#include <set>
#include <utility>

#if defined(PG_SNAPBACK_FUZZING)
#define ZSTD_STATIC_LINKING_ONLY
#endif
#include <zstd.h>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/format/container.hpp"
#include "core/format/json_fields.hpp"
#include "core/format/manifest_check.hpp"
#include "core/format/reader_state.hpp"
#include "core/format/salvage.hpp"
#include "core/format/seek_table.hpp"

namespace snapback {
namespace {

constexpr std::uint64_t least_text_ahead = std::uint64_t{64} << 10, most_text_ahead = std::uint64_t{8} << 20;

ZSTD_DCtx* dctx(void* context) { return static_cast<ZSTD_DCtx*>(context); }

[[noreturn]] void damaged(const std::string& what) { throw error(sqlstate::data_corrupted, what); }

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
  check_manifest(manifest, tiled);

  SeekEntries expected;
  expected.reserve(manifest.frames.size() + 1);
  for (const FrameEntry& frame : manifest.frames)
    expected.emplace_back(static_cast<std::uint32_t>(frame.size), static_cast<std::uint32_t>(frame.text_size));
  expected.emplace_back(static_cast<std::uint32_t>(manifest_size), 0);
  if (make_seek_table(expected) != table) damaged("seek table is damaged: it does not agree with the manifest");
}

void BackupReader::State::load_salvaged(const error& failure, Interrupts& interrupts) {
  auto found = salvage(*file, interrupts);
  if (!found) throw failure;
  manifest = std::move(found->manifest);
  lost = std::move(found->lost);
  salvaged = failure.message();
  if (!found->from_document) return;
  try {
    add_lost_tables();
  } catch (const error& e) {
    if (!is_damage(e)) throw;
    throw failure;
  }
}

// The schema, in front of all tables, names them all. One that was not found gets a frame that is not there for its rows.
void BackupReader::State::add_lost_tables() {
  std::set<std::pair<std::string, std::string>> known;
  for (const TableEntry& table : manifest.tables) known.emplace(table.schema(), table.name());
  schema([&](const std::string& list, Json& element) {
    if (list != "tables") return;
    Json head;
    for (const char* key : {"schema", "name", "kind"}) head[key] = fields::text("document", element, key);
    head["columns"] = Json::array();
    TableEntry table;
    table.head = TableHead(head);
    if (!known.emplace(table.schema(), table.name()).second) return;
    if (table.head.kind() != "partitioned table") {
      table.first_frame = manifest.frames.size();
      table.frame_count = 1;
      manifest.frames.emplace_back().has_rows = true;
      lost.push_back(true);
    }
    manifest.tables.push_back(std::move(table));
  });
}

std::string BackupReader::State::frame_message(std::size_t index, const char* what) const {
  return "frame " + std::to_string(index) + " at offset " + std::to_string(manifest.frames[index].offset) + " of the backup is damaged: " + what;
}

// On either thread, so it passes no fault point.
void BackupReader::State::read_frame(std::size_t index, Buffer& buffer) {
  if (!lost.empty() && lost[index]) throw FrameError("frame_lost", "frame " + std::to_string(index) + " of the backup is damaged: it is not to be found in the file");
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

void BackupReader::State::schema(const SchemaVisitor& visitor) {
  // the third line of the document, without its comma
  std::string text;
  std::size_t line_start = 0, line_end = std::string::npos;
  int lines = 0;
  for (std::size_t i = 0; i < manifest.frames.size() && !manifest.frames[i].has_rows && lines < 3; ++i) {
    std::size_t at = text.size();
    text += frame_text(i);
    if (text.size() > max_schema_text + 2 * max_frame_text) fields::damaged("document", "its head is too long");
    for (; lines < 3 && (at = text.find('\n', at)) != std::string::npos; ++at)
      if (++lines == 2)
        line_start = at + 1;
      else if (lines == 3)
        line_end = at;
  }
  constexpr std::string_view start = "\"schema\":";
  std::string_view line;
  if (line_end != std::string::npos) line = std::string_view(text).substr(line_start, line_end - line_start);
  if (!line.starts_with(start) || !line.ends_with(',')) fields::damaged("document", "it has no schema where it belongs");
  line.remove_prefix(start.size());
  line.remove_suffix(1);
  parse_schema(line, visitor);
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

BackupReader::BackupReader(std::unique_ptr<ReadableFile> file, Interrupts& interrupts) : state_(std::make_unique<State>(std::move(file))) {
  try {
    state_->load();
  } catch (const error& e) {
    if (!is_damage(e)) throw;
    state_->load_salvaged(e, interrupts);
  }
  fault_point("reader.opened");
}

BackupReader::~BackupReader() = default;

const std::string& BackupReader::salvaged() const { return state_->salvaged; }

bool BackupReader::is_lost(std::size_t table_index) const {
  const State& s = *state_;
  const TableEntry& table = s.manifest.tables.at(table_index);
  for (std::size_t i = 0; i < table.frame_count; ++i)
    if (!s.lost.empty() && s.lost[table.first_frame + i]) return true;
  return false;
}

const Manifest& BackupReader::manifest() const { return state_->manifest; }

std::uint64_t BackupReader::file_size() const { return state_->file_size; }

std::string_view BackupReader::frame_text(std::size_t frame_index) { return state_->frame_text(frame_index); }

void BackupReader::schema(const SchemaVisitor& visitor) { state_->schema(visitor); }

std::unique_ptr<TextSource> BackupReader::table_text(std::size_t table_index, Interrupts& interrupts) {
  const TableEntry& table = state_->manifest.tables.at(table_index);
  return std::make_unique<FrameSource>(*state_, table.first_frame, table.first_frame + table.frame_count, interrupts);
}

}  // namespace snapback
