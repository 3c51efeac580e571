// The seek table of the zstd seekable format (its specification is in the zstd sources, contrib/seekable_format), without per-frame checksums: frames carry their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace snapback {

// (compressed size, decompressed size) of every frame before the table, the manifest's skippable frame (decompressed 0) included.
using SeekEntries = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

inline constexpr std::uint32_t seek_table_frame_magic = 0x184D2A5E;
inline constexpr std::uint32_t seekable_footer_magic = 0x8F92EAB1;
inline constexpr std::size_t seek_table_footer_size = 9;  // number of frames, descriptor, magic

// The whole skippable frame that ends a file.
std::string make_seek_table(const SeekEntries& entries);
// Size in bytes of a table with that many entries.
std::uint64_t seek_table_size(std::uint64_t frames);
// From the last seek_table_footer_size bytes of a file: number of frames; raises XX001 when they are no footer.
std::uint32_t parse_seek_footer(std::string_view footer);
// The entries of a whole table; raises XX001.
SeekEntries parse_seek_table(std::string_view table);

}  // namespace snapback
