// The skippable frame that holds the manifest:
//   magic 0x184D2A5D, size of the rest (u32), "PGSNAPMF", version (u32), SHA-256 of the JSON text, the JSON text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace snapback {

inline constexpr std::uint32_t manifest_frame_magic = 0x184D2A5D;
inline constexpr std::string_view manifest_mark = "PGSNAPMF";
inline constexpr std::size_t manifest_header_size = 8 + 8 + 4 + 32;

// Everything before the JSON text.
std::string make_manifest_header(std::string_view text);
// Checks a whole frame and returns its JSON text; raises XX001, or 0A000 when its version is newer.
std::string_view open_manifest_frame(std::string_view frame);

}  // namespace snapback
