#include "core/format/utf8_check.hpp"

#include "core/format/scan.hpp"

namespace snapback {
namespace {

const char* skip_ascii(const char* p, const char* end) {
#if defined(PG_SNAPBACK_SSE2)
  while (end - p >= 16) {
    const int mask = _mm_movemask_epi8(scan::load_block(p));
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  while (end - p >= 8 && (scan::load_word(p) & 0x8080808080808080) == 0) p += 8;
  while (p != end && static_cast<unsigned char>(*p) < 0x80) ++p;
  return p;
}

}  // namespace

bool Utf8Check::update(std::string_view piece) {
  const char* p = piece.data();
  const char* const end = p + piece.size();
  while (p != end) {
    if (missing_ == 0) {
      p = skip_ascii(p, end);
      if (p == end) break;
      const auto lead = static_cast<unsigned char>(*p++);
      low_ = 0x80;
      high_ = 0xbf;
      if (lead >= 0xc2 && lead < 0xe0) {
        missing_ = 1;
      } else if (lead >= 0xe0 && lead < 0xf0) {
        missing_ = 2;
        if (lead == 0xe0) low_ = 0xa0;
        if (lead == 0xed) high_ = 0x9f;
      } else if (lead >= 0xf0 && lead < 0xf5) {
        missing_ = 3;
        if (lead == 0xf0) low_ = 0x90;
        if (lead == 0xf4) high_ = 0x8f;
      } else {
        return false;
      }
      continue;
    }
    const auto byte = static_cast<unsigned char>(*p++);
    if (byte < low_ || byte > high_) {
      reset();
      return false;
    }
    low_ = 0x80;
    high_ = 0xbf;
    --missing_;
  }
  return true;
}

}  // namespace snapback
