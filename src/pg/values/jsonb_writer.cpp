#include "pg/values/jsonb_writer.hpp"

#include "pg/values/scalars.hpp"
#include "pg/values/text.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace snapback::pg::values {

namespace {

struct Cursor {
  const char* base;  // where the children's data begins
  std::uint32_t offset = 0;
};

// In a UTF-8 database only: what jsonb holds there was checked when it was made.
void write_string(RowSink& sink, const char* text, std::size_t size) {
  constexpr std::size_t piece = 16 << 10;
  if (size > piece) {
    if (!is_utf8(text, size))
      ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE), errmsg("a value of type jsonb holds text that is not valid UTF-8")));
    sink.append("\"", 1);
    sink.append_escaped(text, size);
    sink.append("\"", 1);
    return;
  }
  char* out = sink.reserve(escaped_size(size) + 2);
  *out++ = '"';
  const char* p = text;
  const char* const end = text + size;
  out = escape_text(out, p, end, true);
  if (p != end) {
    if (!is_utf8(p, static_cast<std::size_t>(end - p)))
      ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE), errmsg("a value of type jsonb holds text that is not valid UTF-8")));
    out = escape_text(out, p, end, false);
  }
  *out++ = '"';
  sink.commit(out);
}

void write_container(RowSink& sink, const JsonbContainer* container);

void write_child(RowSink& sink, JEntry entry, Cursor& cursor) {
  const std::uint32_t start = cursor.offset;
  JBE_ADVANCE_OFFSET(cursor.offset, entry);
  switch (entry & JENTRY_TYPEMASK) {
    case JENTRY_ISSTRING:
      write_string(sink, cursor.base + start, cursor.offset - start);
      break;
    case JENTRY_ISNUMERIC: {
      const char* numeric = cursor.base + INTALIGN(start);
      const char* body = VARDATA_ANY(numeric);
      char* out = sink.reserve(numeric_room(body));
      sink.commit(put_numeric(out, body, VARSIZE_ANY_EXHDR(numeric)));
      break;
    }
    case JENTRY_ISBOOL_FALSE:
      sink.append("false", 5);
      break;
    case JENTRY_ISBOOL_TRUE:
      sink.append("true", 4);
      break;
    case JENTRY_ISNULL:
      sink.append("null", 4);
      break;
    case JENTRY_ISCONTAINER:
      write_container(sink, reinterpret_cast<const JsonbContainer*>(cursor.base + INTALIGN(start)));
      break;
    default:
      elog(ERROR, "invalid jsonb entry");
  }
}

void write_container(RowSink& sink, const JsonbContainer* container) {
  const std::uint32_t count = JsonContainerSize(container);
  if (JsonContainerIsObject(container)) {
    check_stack_depth();
    Cursor keys{reinterpret_cast<const char*>(container->children + 2 * static_cast<std::size_t>(count))};
    Cursor values = keys;
    for (std::uint32_t i = 0; i < count; ++i) JBE_ADVANCE_OFFSET(values.offset, container->children[i]);
    sink.append("{", 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i != 0) sink.append(", ", 2);
      write_child(sink, container->children[i], keys);
      sink.append(": ", 2);
      write_child(sink, container->children[count + i], values);
    }
    sink.append("}", 1);
    return;
  }
  Cursor elements{reinterpret_cast<const char*>(container->children + count)};
  if (JsonContainerIsScalar(container)) {
    write_child(sink, container->children[0], elements);
    return;
  }
  check_stack_depth();
  sink.append("[", 1);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i != 0) sink.append(", ", 2);
    write_child(sink, container->children[i], elements);
  }
  sink.append("]", 1);
}

// Such an object would be taken for bytes by a reader.
bool looks_like_hex(const JsonbContainer* root) {
  if (!JsonContainerIsObject(root) || JsonContainerSize(root) != 1) return false;
  return JBE_OFFLENFLD(root->children[0]) == 4 && memcmp(root->children + 2, "$hex", 4) == 0;
}

}  // namespace

void write_jsonb(RowSink& sink, const void* jsonb) {
  auto* root = const_cast<JsonbContainer*>(&static_cast<const Jsonb*>(jsonb)->root);
  const bool wrapped = looks_like_hex(root);
  if (!wrapped && GetDatabaseEncoding() == PG_UTF8) {
    write_container(sink, root);
    return;
  }
  const int estimate = static_cast<int>(VARSIZE(jsonb));
  char* text = JsonbToCString(nullptr, root, estimate);
  const std::size_t size = strlen(text);
  char* utf8 = text;
  if (!wrapped && GetDatabaseEncoding() != PG_SQL_ASCII) utf8 = pg_server_to_any(text, static_cast<int>(size), PG_UTF8);
  const std::size_t utf8_size = utf8 == text ? size : strlen(utf8);
  if (!wrapped && is_utf8(utf8, utf8_size))
    sink.append(utf8, utf8_size);
  else
    write_hex_object(sink, text, size);
  if (utf8 != text) pfree(utf8);
  pfree(text);
}

}  // namespace snapback::pg::values
