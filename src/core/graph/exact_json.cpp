#include "core/graph/exact_json.hpp"

#include "core/format/json_lexemes.hpp"

namespace snapback::graph {

namespace {

using lexemes::is_digit;
using lexemes::is_number_char;

constexpr std::size_t exact_digits = 15;     // any decimal number of so many digits comes back from a double
constexpr std::size_t longest_number = 250;  // far from the ends of a double's range

bool number_survives(std::string_view number) {
  if (number.size() > longest_number) return false;
  std::size_t significant = 0, zeros = 0;
  bool fraction = false;
  char last = '0';
  for (const char c : number) {
    if (c == 'e' || c == 'E') return false;
    if (c == '.') fraction = true;
    if (!is_digit(c)) continue;
    last = c;
    if (c == '0') {
      if (significant > 0) ++zeros;
      continue;
    }
    significant += zeros + 1;
    zeros = 0;
  }
  // 1.10 would come back as 1.1, and 1e21 with an exponent that jsonb spells out again
  return significant <= exact_digits && !(fraction && last == '0') && significant + zeros <= 21;
}

unsigned hex_value(std::string_view digits) {
  unsigned value = 0;
  for (const char c : digits) value = value << 4 | static_cast<unsigned>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  return value;
}

}  // namespace

bool survives_doubles(std::string_view json) {
  std::size_t first = json.find_first_not_of(" \n\t\r{");
  if (json.starts_with('{') && first != std::string_view::npos && json.substr(first).starts_with("\"$json\"")) return false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') {
      for (++i; i < json.size() && json[i] != '"'; ++i)
        if (json[i] == '\\') ++i;
      continue;
    }
    if (json[i] != '-' && !is_digit(json[i])) continue;
    const std::size_t start = i;
    while (i < json.size() && is_number_char(json[i])) ++i;
    if (!number_survives(json.substr(start, i - start))) return false;
    --i;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_wrapped_json(std::string& out, std::string_view json) {
  out += "{\"$json\":";
  append_json_string(out, json);
  out += '}';
}

std::string scalar_text(std::string_view json) {
  if (!json.starts_with('"')) return std::string(json);
  std::string text;
  for (std::size_t i = 1; i + 1 < json.size(); ++i) {
    if (json[i] != '\\') {
      text += json[i];
      continue;
    }
    switch (json[++i]) {
      case 'b': text += '\b'; break;
      case 'f': text += '\f'; break;
      case 'n': text += '\n'; break;
      case 'r': text += '\r'; break;
      case 't': text += '\t'; break;
      case 'u': {
        unsigned code = hex_value(json.substr(i + 1, 4));
        i += 4;
        if (code >= 0xd800 && code < 0xdc00) {
          code = 0x10000 + ((code - 0xd800) << 10) + (hex_value(json.substr(i + 3, 4)) - 0xdc00);
          i += 6;
        }
        lexemes::append_utf8(text, code);
        break;
      }
      default: text += json[i];
    }
  }
  return text;
}

}  // namespace snapback::graph
