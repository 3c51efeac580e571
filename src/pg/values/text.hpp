// Text in the server's encoding as JSON strings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "pg/values/out.hpp"

namespace snapback::pg::values {

// Writes a text of the server's encoding as one JSON value: a string in UTF-8, or {"$hex":"…"} with the bytes themselves when they have no exact UTF-8 form
// (SQL_ASCII databases, damaged values, characters that do not convert there and back). May raise PostgreSQL errors (memory).
void write_text(Out& out, const char* text, std::size_t size);

// A string of text that must be UTF-8; otherwise an error of SQLSTATE 22021 that names `type` is raised.
void write_utf8(Out& out, const char* text, std::size_t size, const char* type);

// Plain bytes of any length.
void write_raw(Out& out, const char* bytes, std::size_t size);

// {"$hex":"…"}
void write_hex_object(Out& out, const char* bytes, std::size_t size);

// True when the bytes, as they are, are valid UTF-8 without zero bytes.
bool is_utf8(const char* text, std::size_t size);

// All of a text converted from one encoding to another, ended by a zero byte: palloc'd, its size in `made`; null when a part of it has no equal there, or cannot be converted at all.
char* convert(int source, int target, const char* text, std::size_t size, std::size_t& made);

// A text of the server's encoding in UTF-8: itself, or palloc'd; null when it has no UTF-8 form that converts back to the same bytes.
const char* exact_utf8(const char* text, std::size_t size, std::size_t& utf8_size);

// `"name":` with the name escaped.
std::string json_label(std::string_view utf8_name);

}  // namespace snapback::pg::values
