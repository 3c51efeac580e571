#include "pg/values/text.hpp"

#include "core/format/scan.hpp"
#include "pg/pg.hpp"

namespace snapback::pg::values {

namespace {

// A text up to this size is escaped with one reserve().
constexpr std::size_t small_text = 16 << 10;
static_assert(escaped_size(small_text) + 2 <= RowSink::max_reserve);

inline char* write_escape(char* out, unsigned char c) {
  constexpr char hex[] = "0123456789abcdef";
  char short_form;
  switch (c) {
    case '"':
    case '\\': short_form = static_cast<char>(c); break;
    case '\b': short_form = 'b'; break;
    case '\f': short_form = 'f'; break;
    case '\n': short_form = 'n'; break;
    case '\r': short_form = 'r'; break;
    case '\t': short_form = 't'; break;
    default:
      memcpy(out, "\\u00", 4);
      out[4] = hex[c >> 4];
      out[5] = hex[c & 15];
      return out + 6;
  }
  out[0] = '\\';
  out[1] = short_form;
  return out + 2;
}

constexpr std::uint64_t high_bits = 0x8080808080808080;

template <bool StopAtHigh>
char* escape_text_impl(char* out, const char*& from, const char* end) {
  const char* p = from;
  for (;;) {
#if defined(__SSE2__)
    while (end - p >= 16) {
      const __m128i block = scan::load_block(p);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), block);
      unsigned mask = scan::special_in_block(block);
      if constexpr (StopAtHigh) mask |= static_cast<unsigned>(_mm_movemask_epi8(block));
      if (mask != 0) {
        p += __builtin_ctz(mask);
        out += __builtin_ctz(mask);
        goto stopped;
      }
      p += 16;
      out += 16;
    }
#endif
    while (end - p >= 8) {
      const std::uint64_t word = scan::load_word(p);
      if (scan::special_in_word(word) != 0 || (StopAtHigh && (word & high_bits) != 0)) break;
      memcpy(out, p, 8);
      p += 8;
      out += 8;
    }
    while (p != end && !scan::is_special(*p) && !(StopAtHigh && static_cast<signed char>(*p) < 0)) *out++ = *p++;
#if defined(__SSE2__)
  stopped:
#endif
    if (p == end || (StopAtHigh && static_cast<signed char>(*p) < 0)) break;
    out = write_escape(out, static_cast<unsigned char>(*p++));
  }
  from = p;
  return out;
}

// Bytes that are no UTF-8 as they stand.
[[gnu::noinline, gnu::cold]] void write_other(RowSink& sink, const char* text, std::size_t size) {
  const int encoding = GetDatabaseEncoding();
  const Oid to = encoding == PG_UTF8 || encoding == PG_SQL_ASCII ? InvalidOid : FindDefaultConversionProc(encoding, PG_UTF8);
  if (!OidIsValid(to)) {
    write_hex_object(sink, text, size);
    return;
  }
  auto convert = [](Oid proc, int source, int target, const char* bytes, std::size_t count, std::size_t& made) -> char* {
    const std::size_t room = count * MAX_CONVERSION_GROWTH + 1;
    if (room > INT_MAX) return nullptr;
    auto* result = static_cast<unsigned char*>(MemoryContextAllocHuge(CurrentMemoryContext, room));
    auto* input = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes));
    const int done = pg_do_encoding_conversion_buf(proc, source, target, input, static_cast<int>(count), result,
                                                   static_cast<int>(room), true);
    made = strlen(reinterpret_cast<char*>(result));
    if (static_cast<std::size_t>(done) == count) return reinterpret_cast<char*>(result);
    pfree(result);
    return nullptr;
  };
  std::size_t size_there = 0, size_back = 0;
  char* there = convert(to, encoding, PG_UTF8, text, size, size_there);
  bool exact = there != nullptr;
  if (exact && pg_encoding_max_length(encoding) > 1) {
    const Oid from = FindDefaultConversionProc(PG_UTF8, encoding);
    char* back = OidIsValid(from) ? convert(from, PG_UTF8, encoding, there, size_there, size_back) : nullptr;
    exact = back != nullptr && size_back == size && memcmp(back, text, size) == 0;
    if (back != nullptr) pfree(back);
  }
  if (exact) {
    sink.append("\"", 1);
    sink.append_escaped(there, size_there);
    sink.append("\"", 1);
  } else {
    write_hex_object(sink, text, size);
  }
  if (there != nullptr) pfree(there);
}

bool has_high_byte(const char* text, std::size_t size) {
  const char* const end = text + size;
  for (; end - text >= 8; text += 8)
    if ((scan::load_word(text) & high_bits) != 0) return true;
  for (; text != end; ++text)
    if (static_cast<signed char>(*text) < 0) return true;
  return false;
}

}  // namespace

bool is_utf8(const char* text, std::size_t size) {
  return pg_encoding_verifymbstr(PG_UTF8, text, static_cast<int>(size)) == static_cast<int>(size);
}

char* escape_text(char* out, const char*& p, const char* end, bool stop_at_high) {
  return stop_at_high ? escape_text_impl<true>(out, p, end) : escape_text_impl<false>(out, p, end);
}

void write_hex_object(RowSink& sink, const char* bytes, std::size_t size) {
  sink.append("{\"$hex\":\"", 9);
  sink.append_hex(reinterpret_cast<const unsigned char*>(bytes), size);
  sink.append("\"}", 2);
}

void write_text(RowSink& sink, const char* text, std::size_t size) {
  const char* p = text;
  const char* const end = text + size;
  // bytes above 0x7f are themselves in JSON when they are UTF-8, by the server's word or (SQL_ASCII) by accident
  auto stands = [&](const char* from) {
    const int encoding = GetDatabaseEncoding();
    return (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) && is_utf8(from, static_cast<std::size_t>(end - from));
  };
  if (size <= small_text) {
    char* out = sink.reserve(escaped_size(size) + 2);
    *out++ = '"';
    out = escape_text_impl<true>(out, p, end);
    if (p != end) {
      if (!stands(p)) {
        write_other(sink, text, size);
        return;
      }
      out = escape_text_impl<false>(out, p, end);
    }
    *out++ = '"';
    sink.commit(out);
    return;
  }
  if (has_high_byte(text, size) && !stands(text)) {
    write_other(sink, text, size);
    return;
  }
  sink.append("\"", 1);
  sink.append_escaped(text, size);
  sink.append("\"", 1);
}

}  // namespace snapback::pg::values
