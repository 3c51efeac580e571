// Text in the server's encoding as JSON strings.
#pragma once

#include <cstddef>

#include "core/format/row_sink.hpp"

namespace snapback::pg::values {

// Writes a text of the server's encoding as one JSON value: a string in UTF-8, or {"$hex":"…"} with the bytes themselves when they have no exact UTF-8 form
// (SQL_ASCII databases, damaged values, characters that do not convert there and back). May raise PostgreSQL errors (memory).
void write_text(RowSink& sink, const char* text, std::size_t size);

// The same for a text known to be ASCII without '"', '\\' and control characters; at most 1 MB.
inline void write_plain(RowSink& sink, const char* text, std::size_t size) {
  char* out = sink.reserve(size + 2);
  *out++ = '"';
  std::memcpy(out, text, size);
  out += size;
  *out++ = '"';
  sink.commit(out);
}

// {"$hex":"…"}
void write_hex_object(RowSink& sink, const char* bytes, std::size_t size);

// True when a JSON string of these bytes, as they are, is valid UTF-8.
bool is_utf8(const char* text, std::size_t size);

// Space that escape_text() needs for n bytes.
constexpr std::size_t escaped_size(std::size_t n) { return n * 6 + 16; }

// Copies [p, end) with JSON escapes to `out`, up to the first byte above 0x7f when `stop_at_high`; advances p, returns the end of what was written. May write up to 16
// bytes past that.
char* escape_text(char* out, const char*& p, const char* end, bool stop_at_high);

}  // namespace snapback::pg::values
