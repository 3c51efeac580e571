// What zstd's containers are made of: little-endian 32-bit numbers, and frames that it skips.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace snapback {

// Of a skippable frame: its magic number and the size of the rest, four bytes each.
inline constexpr std::size_t skippable_header_size = 8;

namespace bytes {

inline void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

// Reads four bytes.
inline std::uint32_t get_u32(const char* p) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(p[i]);
  return value;
}

}  // namespace bytes
}  // namespace snapback
