// Looks for bytes in a stored file, which may be of any size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupts.hpp"
#include "core/storage/storage.hpp"

namespace snapback {

// Bytes of the file from `offset` on, fewer where it ends before.
std::string read_up_to(ReadableFile& file, std::uint64_t offset, std::uint64_t size);

// The offset of the next `pattern` from `from` on; the file's size where there is none.
std::uint64_t find_bytes(ReadableFile& file, std::string_view pattern, std::uint64_t from, Interrupts& interrupts);

// All offsets, in their order.
std::vector<std::uint64_t> find_all_bytes(ReadableFile& file, std::string_view pattern, Interrupts& interrupts);

}  // namespace snapback
