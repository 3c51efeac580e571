// Little-endian 32-bit numbers, as zstd's containers hold them.
#pragma once

#include <cstdint>
#include <string>

namespace snapback::bytes {

inline void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

// Reads four bytes.
inline std::uint32_t get_u32(const char* p) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(p[i]);
  return value;
}

}  // namespace snapback::bytes
