#include "core/format/seek_table.hpp"

#include "core/error.hpp"
#include "core/format/bytes.hpp"

namespace snapback {
namespace {

constexpr std::uint32_t max_frames = 0x8000000;  // ZSTD_SEEKABLE_MAXFRAMES
constexpr std::size_t entry_size = 8;

[[noreturn]] void seek_table_damaged(const char* what) { throw error(sqlstate::data_corrupted, std::string("seek table is damaged: ") + what); }

}  // namespace

std::uint64_t seek_table_size(std::uint64_t frames) { return skippable_header_size + frames * entry_size + seek_table_footer_size; }

std::string make_seek_table(const SeekEntries& entries) {
  if (entries.size() > max_frames)
    throw error(sqlstate::internal_error, "too many frames for a seek table");  // GCOVR_EXCL_LINE: needs 134 million entries
  std::string table;
  table.reserve(seek_table_size(entries.size()));
  bytes::put_u32(table, seek_table_frame_magic);
  bytes::put_u32(table, static_cast<std::uint32_t>(entries.size() * entry_size + seek_table_footer_size));
  for (const auto& [compressed, decompressed] : entries) {
    bytes::put_u32(table, compressed);
    bytes::put_u32(table, decompressed);
  }
  bytes::put_u32(table, static_cast<std::uint32_t>(entries.size()));
  table.push_back('\0');  // descriptor: no checksums
  bytes::put_u32(table, seekable_footer_magic);
  return table;
}

std::uint32_t parse_seek_footer(std::string_view footer) {
  if (footer.size() != seek_table_footer_size) seek_table_damaged("its footer is cut off");
  if (bytes::get_u32(footer.data() + 5) != seekable_footer_magic) seek_table_damaged("the file does not end in a seek table");
  if (footer[4] != 0) seek_table_damaged("unknown descriptor");
  const std::uint32_t frames = bytes::get_u32(footer.data());
  if (frames > max_frames) seek_table_damaged("too many frames");
  return frames;
}

SeekEntries parse_seek_table(std::string_view table) {
  if (table.size() < seek_table_size(0)) seek_table_damaged("it is cut off");
  const std::uint32_t frames = parse_seek_footer(table.substr(table.size() - seek_table_footer_size));
  if (table.size() != seek_table_size(frames)) seek_table_damaged("its size does not fit its number of frames");
  if (bytes::get_u32(table.data()) != seek_table_frame_magic) seek_table_damaged("wrong magic number");
  if (bytes::get_u32(table.data() + 4) != table.size() - skippable_header_size) seek_table_damaged("wrong frame size");
  SeekEntries entries;
  entries.reserve(frames);
  const char* p = table.data() + skippable_header_size;
  for (std::uint32_t i = 0; i < frames; ++i, p += entry_size) entries.emplace_back(bytes::get_u32(p), bytes::get_u32(p + 4));
  return entries;
}

}  // namespace snapback
