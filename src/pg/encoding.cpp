#include "pg/encoding.hpp"

#include <algorithm>

#include "pg/call.hpp"
#include "pg/values/text.hpp"

namespace snapback::pg {

namespace {

// Texts of such a database are UTF-8 as they stand, or are taken for it (SQL_ASCII).
bool needs_no_conversion() {
  const int encoding = GetDatabaseEncoding();
  return encoding == PG_UTF8 || encoding == PG_SQL_ASCII;
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Null when there is no equal text.
const char* converted(int source, int target, const std::string& text) {
  return call([&] {
    std::size_t size;
    return static_cast<const char*>(values::convert(source, target, text.data(), text.size(), size));
  });
}

std::optional<std::string> exactly(int source, int target, const std::string& text) {
  if (is_ascii(text)) return text;
  if (needs_no_conversion()) return values::is_utf8(text.data(), text.size()) ? std::optional<std::string>(text) : std::nullopt;
  const char* there = converted(source, target, text);
  if (there == nullptr) return std::nullopt;
  std::string result = there;
  const char* back = converted(target, source, result);
  if (back == nullptr || back != text) return std::nullopt;
  return result;
}

std::string escaped(const char* form, unsigned value) {
  char text[16];
  snprintf(text, sizeof(text), form, value);
  return text;
}

// Every character by itself; `escape` writes one that has no equal.
template <class Escape>
std::string piecewise(int source, int target, const std::string& text, Escape escape) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::min<std::size_t>(text.size() - at, std::max(1, pg_encoding_mblen(source, text.data() + at)));
    const std::string character = text.substr(at, length);
    const auto there = exactly(source, target, character);
    result += there ? *there : escape(character);
    at += length;
  }
  return result;
}

std::string escaped_bytes(const std::string& bytes) {
  std::string text;
  for (char c : bytes) text += escaped("\\x%02x", static_cast<unsigned char>(c));
  return text;
}

}  // namespace

std::string server_text(const std::string& utf8) {
  const char* converted_text = call([&] { return pg_any_to_server(utf8.c_str(), static_cast<int>(utf8.size()), PG_UTF8); });
  return converted_text;
}

std::string utf8_text(const std::string& server_text) {
  const char* converted_text = call([&] { return pg_server_to_any(server_text.c_str(), static_cast<int>(server_text.size()), PG_UTF8); });
  return converted_text;
}

std::optional<std::string> exact_server_text(const std::string& utf8) { return exactly(PG_UTF8, GetDatabaseEncoding(), utf8); }

std::optional<std::string> exact_utf8_text(const std::string& server_text) { return exactly(GetDatabaseEncoding(), PG_UTF8, server_text); }

std::string shown_text(const std::string& utf8) {
  if (is_ascii(utf8) || GetDatabaseEncoding() == PG_UTF8) return utf8;
  if (auto text = exact_server_text(utf8)) return *text;
  return piecewise(PG_UTF8, GetDatabaseEncoding(), utf8, [](const std::string& character) {
    if (!values::is_utf8(character.data(), character.size())) return escaped_bytes(character);
    const unsigned code = utf8_to_unicode(reinterpret_cast<const unsigned char*>(character.data()));
    return escaped(code > 0xffff ? "\\U%08x" : "\\u%04x", code);
  });
}

std::string shown_utf8(const std::string& server_text) {
  if (auto text = exact_utf8_text(server_text)) return *text;
  // without an encoding of its own the text is looked at as UTF-8
  const int source = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8 : GetDatabaseEncoding();
  return piecewise(source, PG_UTF8, server_text, escaped_bytes);
}

void show_texts(nlohmann::ordered_json& json) {
  if (GetDatabaseEncoding() == PG_UTF8) return;
  if (json.is_string()) {
    json = shown_text(json.get_ref<const std::string&>());
  } else if (json.is_structured()) {
    for (auto& part : json) show_texts(part);
  }
}

}  // namespace snapback::pg
