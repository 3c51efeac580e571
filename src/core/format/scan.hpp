// Finds the bytes that JSON strings escape, sixteen at a time where the processor can.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace snapback::scan {

// True for '"', '\\' and bytes below 0x20: what cannot stand for itself inside a JSON string.
inline bool is_special(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

// Nonzero when one of eight bytes is special.
inline std::uint64_t special_in_word(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  const std::uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs;
}

inline std::uint64_t load_word(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

#if defined(__SSE2__)
inline __m128i load_block(const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }

// One bit per special byte of a block.
inline unsigned special_in_block(__m128i block) {
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
  const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))));
}
#endif

// The first special byte in [p, end), or end.
inline const char* find_special(const char* p, const char* end) {
#if defined(__SSE2__)
  for (; end - p >= 16; p += 16)
    if (const unsigned mask = special_in_block(load_block(p)); mask != 0) return p + __builtin_ctz(mask);
#endif
  while (end - p >= 8 && special_in_word(load_word(p)) == 0) p += 8;
  while (p != end && !is_special(*p)) ++p;
  return p;
}

// Copies the bytes of [p, end) before the first special one to `out`, may write up to 16 bytes past what it copied, and advances both.
inline void copy_plain(const char*& p, const char* end, char*& out) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i block = load_block(p);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), block);
    if (const unsigned mask = special_in_block(block); mask != 0) {
      p += __builtin_ctz(mask);
      out += __builtin_ctz(mask);
      return;
    }
    p += 16;
    out += 16;
  }
#endif
  while (end - p >= 8 && special_in_word(load_word(p)) == 0) {
    std::memcpy(out, p, 8);
    p += 8;
    out += 8;
  }
  while (p != end && !is_special(*p)) *out++ = *p++;
}

}  // namespace snapback::scan
