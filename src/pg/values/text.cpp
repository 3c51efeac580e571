#include "pg/values/text.hpp"

#include "core/format/scan.hpp"
#include "pg/pg.hpp"

namespace snapback::pg::values {

namespace {

// Space that escape_text() needs for n bytes.
constexpr std::size_t escaped_size(std::size_t n) { return n * 6 + 16; }

// A text up to this size is escaped within one portion of room.
constexpr std::size_t small_text = 16 << 10;
static_assert(escaped_size(small_text) + 2 <= RowSink::max_reserve);

constexpr std::uint64_t high_bits = 0x8080808080808080;

char* write_escape(char* out, unsigned char c) {
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

#if defined(__SSE2__)
// One bit per byte at which the copying of a block ends.
template <bool StopAtHigh>
inline unsigned stops(__m128i block) {
  const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"')), backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
  // as signed numbers, bytes above 0x7f are below 0x20 as well
  const __m128i low = StopAtHigh ? _mm_cmplt_epi8(block, _mm_set1_epi8(0x20)) : _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash))));
}
#endif

// Copies [from, end) with JSON escapes to `out`, up to the first byte above 0x7f when StopAtHigh; advances `from`, returns the end of what was written. May write up
// to 16 bytes past that.
template <bool StopAtHigh>
[[gnu::always_inline]] inline char* escape_text(char* out, const char*& from, const char* end) {
  const char* p = from;
#if defined(__SSE2__)
  const char* const first_out = out;
  const char* const first = p;
#endif
  for (;;) {
#if defined(__SSE2__)
    while (end - p >= 16) {
      const __m128i block = scan::load_block(p);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), block);
      const unsigned mask = stops<StopAtHigh>(block);
      if (mask != 0) {
        p += __builtin_ctz(mask);
        out += __builtin_ctz(mask);
        goto stopped;
      }
      p += 16;
      out += 16;
    }
    // the tail once more with the bytes before it, as long as the copy is one to one
    if (p != end && end - first >= 16 && out - first_out == p - first) {
      const auto rest = static_cast<unsigned>(end - p);
      const __m128i block = scan::load_block(end - 16);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + rest - 16), block);
      const unsigned mask = stops<StopAtHigh>(block) >> (16 - rest);
      if (mask == 0) {
        p = end;
        out += rest;
        break;
      }
      p += __builtin_ctz(mask);
      out += __builtin_ctz(mask);
      goto stopped;
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

bool has_high_byte(const char* text, std::size_t size) {
  const char* const end = text + size;
  for (; end - text >= 8; text += 8)
    if ((scan::load_word(text) & high_bits) != 0) return true;
  for (; text != end; ++text)
    if (static_cast<signed char>(*text) < 0) return true;
  return false;
}

void write_long(Out& out, const char* text, std::size_t size) {
  out.put('"');
  out.flushed().append_escaped(text, size);
  out.resume();
  out.put('"');
}

// Bytes that are no UTF-8 as they stand.
[[gnu::noinline, gnu::cold]] void write_other(Out& out, const char* text, std::size_t size) {
  std::size_t utf8_size;
  const char* utf8 = exact_utf8(text, size, utf8_size);
  if (utf8 != nullptr)
    write_long(out, utf8, utf8_size);
  else
    write_hex_object(out, text, size);
  if (utf8 != nullptr && utf8 != text) pfree(const_cast<char*>(utf8));
}

// Bytes above 0x7f are themselves in JSON when they are UTF-8, by the server's word or (SQL_ASCII) by accident.
[[gnu::noinline]] bool stands(const char* text, const char* end) {
  const int encoding = GetDatabaseEncoding();
  return (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) && is_utf8(text, static_cast<std::size_t>(end - text));
}

// False, and nothing written, for a text that does not stand for itself.
[[gnu::always_inline]] inline bool write_as_it_is(Out& out, const char* text, std::size_t size) {
  const char* p = text;
  const char* const end = text + size;
  if (size > small_text) [[unlikely]] {
    if (has_high_byte(text, size) && !stands(text, end)) return false;
    write_long(out, text, size);
    return true;
  }
  char* at = out.need(escaped_size(size) + 2);
  *at++ = '"';
  at = escape_text<true>(at, p, end);
  if (p != end) [[unlikely]] {
    if (!stands(p, end)) return false;
    at = escape_text<false>(at, p, end);
  }
  *at++ = '"';
  out.take(at);
  return true;
}

}  // namespace

bool is_utf8(const char* text, std::size_t size) {
  return pg_encoding_verifymbstr(PG_UTF8, text, static_cast<int>(size)) == static_cast<int>(size);
}

char* convert(int source, int target, const char* text, std::size_t size, std::size_t& made) {
  const Oid proc = FindDefaultConversionProc(source, target);
  const std::size_t room = size * MAX_CONVERSION_GROWTH + 1;
  if (!OidIsValid(proc) || room > INT_MAX) return nullptr;
  auto* result = static_cast<unsigned char*>(MemoryContextAllocHuge(CurrentMemoryContext, room));
  auto* input = reinterpret_cast<unsigned char*>(const_cast<char*>(text));
  const int done = pg_do_encoding_conversion_buf(proc, source, target, input, static_cast<int>(size), result, static_cast<int>(room), true);
  made = strlen(reinterpret_cast<char*>(result));
  if (static_cast<std::size_t>(done) == size) return reinterpret_cast<char*>(result);
  pfree(result);
  return nullptr;
}

const char* exact_utf8(const char* text, std::size_t size, std::size_t& utf8_size) {
  const int encoding = GetDatabaseEncoding();
  utf8_size = size;
  if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) return is_utf8(text, size) ? text : nullptr;
  if (!has_high_byte(text, size)) return text;
  char* there = convert(encoding, PG_UTF8, text, size, utf8_size);
  if (there == nullptr || pg_encoding_max_length(encoding) == 1) return there;
  std::size_t back_size;
  char* back = convert(PG_UTF8, encoding, there, utf8_size, back_size);
  const bool exact = back != nullptr && back_size == size && memcmp(back, text, size) == 0;
  if (back != nullptr) pfree(back);
  if (exact) return there;
  pfree(there);
  return nullptr;
}

void write_raw(Out& out, const char* bytes, std::size_t size) {
  out.flushed().append(bytes, size);
  out.resume();
}

void write_hex_object(Out& out, const char* bytes, std::size_t size) {
  out.put("{\"$hex\":\"");
  out.flushed().append_hex(reinterpret_cast<const unsigned char*>(bytes), size);
  out.resume();
  out.put("\"}");
}

void write_text(Out& out, const char* text, std::size_t size) {
  if (!write_as_it_is(out, text, size)) write_other(out, text, size);
}

void write_utf8(Out& out, const char* text, std::size_t size, const char* type) {
  if (write_as_it_is(out, text, size)) return;
  if (!is_utf8(text, size)) ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE), errmsg("a value of type %s holds text that is not valid UTF-8", type)));
  write_long(out, text, size);
}

std::string json_label(std::string_view name) {
  std::string label(escaped_size(name.size()) + 3, '\0');
  char* at = label.data();
  *at++ = '"';
  const char* p = name.data();
  at = escape_text<false>(at, p, p + name.size());
  *at++ = '"';
  *at++ = ':';
  label.resize(static_cast<std::size_t>(at - label.data()));
  return label;
}

}  // namespace snapback::pg::values
