#include "core/format/manifest_check.hpp"

#include <zstd.h>

#include <set>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace snapback {
namespace {

[[noreturn]] void manifest_damaged(const std::string& what) { throw error(sqlstate::data_corrupted, "manifest is damaged: " + what); }

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

void check_manifest(const Manifest& manifest, std::uint64_t end) {
  check_names(manifest);
  check_frames(manifest, end);
  check_tables(manifest);
}

}  // namespace snapback
