// What a manifest's tables and frames must be to each other.
#pragma once

#include <cstdint>

#include "core/format/manifest.hpp"

namespace snapback {

inline constexpr std::uint64_t min_frame_size = 9;  // of a zstd frame: magic, descriptor, content size, one empty block

// Raises XX001 when two tables have one name, when the frames do not fill the file up to `end` or claim more memory than a writer could have meant, or when a frame with rows
// does not belong to exactly one table, tables being in the order of their frames.
void check_manifest(const Manifest& manifest, std::uint64_t end);

}  // namespace snapback
