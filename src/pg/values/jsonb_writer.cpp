#include "pg/values/jsonb_writer.hpp"

#include "pg/values/jsonb_builder.hpp"
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

void write_container(Out& out, const JsonbContainer* container);

void write_child(Out& out, JEntry entry, Cursor& cursor) {
  const std::uint32_t start = cursor.offset;
  JBE_ADVANCE_OFFSET(cursor.offset, entry);
  switch (entry & JENTRY_TYPEMASK) {
    case JENTRY_ISSTRING:
      write_utf8(out, cursor.base + start, cursor.offset - start, "jsonb");
      break;
    case JENTRY_ISNUMERIC: {
      const char* numeric = cursor.base + INTALIGN(start);
      const char* body = VARDATA_ANY(numeric);
      char* at = out.need(numeric_room(body));
      out.take(put_numeric(at, body, VARSIZE_ANY_EXHDR(numeric)));
      break;
    }
    case JENTRY_ISBOOL_FALSE:
      out.put("false");
      break;
    case JENTRY_ISBOOL_TRUE:
      out.put("true");
      break;
    case JENTRY_ISNULL:
      out.put("null");
      break;
    case JENTRY_ISCONTAINER:
      write_container(out, reinterpret_cast<const JsonbContainer*>(cursor.base + INTALIGN(start)));
      break;
    default:
      elog(ERROR, "invalid jsonb entry");
  }
}

void write_container(Out& out, const JsonbContainer* container) {
  const std::uint32_t count = JsonContainerSize(container);
  if (JsonContainerIsObject(container)) {
    check_stack_depth();
    Cursor keys{reinterpret_cast<const char*>(container->children + 2 * static_cast<std::size_t>(count))};
    Cursor values = keys;
    for (std::uint32_t i = 0; i < count; ++i) JBE_ADVANCE_OFFSET(values.offset, container->children[i]);
    out.put("{");
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i != 0) out.put(", ");
      write_child(out, container->children[i], keys);
      out.put(": ");
      write_child(out, container->children[count + i], values);
    }
    out.put("}");
    return;
  }
  Cursor elements{reinterpret_cast<const char*>(container->children + count)};
  if (JsonContainerIsScalar(container)) {
    write_child(out, container->children[0], elements);
    return;
  }
  check_stack_depth();
  out.put("[");
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i != 0) out.put(", ");
    write_child(out, container->children[i], elements);
  }
  out.put("]");
}

// Such an object would be taken for bytes by a reader.
bool looks_like_hex(const JsonbContainer* root) {
  if (!JsonContainerIsObject(root) || JsonContainerSize(root) != 1) return false;
  return JBE_OFFLENFLD(root->children[0]) == 4 && memcmp(root->children + 2, "$hex", 4) == 0;
}

// The order of keys goes by their bytes, so it is another in each encoding: written is that of UTF-8, which makes a document one text wherever it is stored. What the builder does not
// take (very long or deep documents) keeps the order it has.
void write_converted(Out& out, const char* utf8, std::size_t size) {
  static auto* const builder = new JsonbBuilder;  // never freed: an object with a destructor would go in exit()
  if (builder->build({utf8, size}))
    write_container(out, reinterpret_cast<const JsonbContainer*>(builder->body().data()));
  else
    write_raw(out, utf8, size);
}

}  // namespace

void write_jsonb(Out& out, const void* jsonb) {
  auto* root = const_cast<JsonbContainer*>(&static_cast<const Jsonb*>(jsonb)->root);
  const bool wrapped = looks_like_hex(root);
  if (!wrapped && GetDatabaseEncoding() == PG_UTF8) {
    write_container(out, root);
    return;
  }
  const int estimate = static_cast<int>(VARSIZE(jsonb));
  char* text = JsonbToCString(nullptr, root, estimate);
  const std::size_t size = strlen(text);
  std::size_t utf8_size;
  const char* utf8 = wrapped ? nullptr : exact_utf8(text, size, utf8_size);
  if (utf8 != nullptr && utf8 != text)
    write_converted(out, utf8, utf8_size);
  else if (utf8 != nullptr)
    write_raw(out, utf8, utf8_size);
  else
    write_hex_object(out, text, size);
  if (utf8 != nullptr && utf8 != text) pfree(const_cast<char*>(utf8));
  pfree(text);
}

}  // namespace snapback::pg::values
