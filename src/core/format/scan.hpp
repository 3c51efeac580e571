// Finds the bytes that JSON strings escape, sixteen at a time where the processor can.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

// PG_SNAPBACK_PORTABLE: what other processors run, for tests
#if defined(__SSE2__) && !defined(PG_SNAPBACK_PORTABLE)
#define PG_SNAPBACK_SSE2 1
#include <emmintrin.h>
#endif

namespace snapback::scan {

inline constexpr auto special_bytes = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 0x20; ++c) table[static_cast<std::size_t>(c)] = true;
  table['"'] = table['\\'] = true;
  return table;
}();

// True for '"', '\\' and bytes below 0x20: what cannot stand for itself inside a JSON string.
inline bool is_special(char c) { return special_bytes[static_cast<unsigned char>(c)]; }

// Nonzero when one of eight bytes is special.
inline std::uint64_t special_in_word(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  const std::uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs;
}

template <typename Word = std::uint64_t>
inline Word load_word(const char* p) {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

template <typename Word>
inline void store_word(char* p, Word word) {
  std::memcpy(p, &word, sizeof word);
}

#if defined(PG_SNAPBACK_SSE2)
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
#if defined(PG_SNAPBACK_SSE2)
  for (; end - p >= 16; p += 16)
    if (const unsigned mask = special_in_block(load_block(p)); mask != 0) return p + __builtin_ctz(mask);
#endif
  while (end - p >= 8 && special_in_word(load_word(p)) == 0) p += 8;
  while (p != end && !is_special(*p)) ++p;
  return p;
}

// Copies the bytes of [p, end) before the first special one to `out`, may write up to 16 bytes past what it copied, and advances both.
inline void copy_plain(const char*& p, const char* end, char*& out) {
#if defined(PG_SNAPBACK_SSE2)
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
#if !defined(PG_SNAPBACK_SSE2)
  for (; end - p >= 16; p += 8, out += 8) {
    const std::uint64_t word = load_word(p);
    if (special_in_word(word) != 0) break;
    store_word(out, word);
  }
#endif
  // fewer than 16 bytes: two words that overlap
  const std::ptrdiff_t rest = end - p;
  if (rest >= 8 && rest < 16) {
    const std::uint64_t first = load_word(p), last = load_word(end - 8);
    if ((special_in_word(first) | special_in_word(last)) == 0) {
      store_word(out, first);
      store_word(out + rest - 8, last);
      p = end;
      out += rest;
      return;
    }
  } else if (rest >= 4 && rest < 8) {
    const auto first = load_word<std::uint32_t>(p), last = load_word<std::uint32_t>(end - 4);
    if (special_in_word(first | std::uint64_t{last} << 32) == 0) {
      store_word(out, first);
      store_word(out + rest - 4, last);
      p = end;
      out += rest;
      return;
    }
  }
  while (p != end && !is_special(*p)) *out++ = *p++;
}

}  // namespace snapback::scan
