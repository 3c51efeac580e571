#include "pg/values/jsonb_builder.hpp"

#include <algorithm>

#include "core/format/json_lexemes.hpp"
#include "core/format/scan.hpp"
#include "pg/pg.hpp"
#include "pg/values/scalar_readers.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace snapback::pg::values {

namespace {

constexpr unsigned deepest = 100;
constexpr std::size_t longest = 1 << 20;  // far below every limit of the format, and its nodes fit into some MB
constexpr std::size_t large_buffer = 1 << 20;

int hex4(const char* p) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

}  // namespace

bool JsonbBuilder::build(std::string_view text) {
  if (text.size() > longest) return false;
  nodes_.clear();
  pairs_.clear();
  arena_.clear();
  buffer_.clear();
  if (arena_.capacity() > large_buffer) std::string().swap(arena_);
  if (buffer_.capacity() > large_buffer) std::string().swap(buffer_);
  if (nodes_.capacity() * sizeof(Node) > large_buffer) std::vector<Node>().swap(nodes_);
  text_ = text;
  cursor_ = text.data();
  end_ = cursor_ + text.size();
  if (!parse_value(0)) return false;
  skip_blanks();
  if (cursor_ != end_) return false;
  if (nodes_[0].type == Type::array || nodes_[0].type == Type::object)
    emit(0);
  else
    emit_array(0, JB_FSCALAR);
  return true;
}

void JsonbBuilder::skip_blanks() {
  while (cursor_ != end_ && (*cursor_ == ' ' || *cursor_ == '\n' || *cursor_ == '\t' || *cursor_ == '\r')) ++cursor_;
}

bool JsonbBuilder::take(char c) {
  skip_blanks();
  if (cursor_ == end_ || *cursor_ != c) return false;
  ++cursor_;
  return true;
}

bool JsonbBuilder::parse_value(unsigned depth) {
  skip_blanks();
  if (cursor_ == end_ || depth > deepest) return false;
  switch (*cursor_) {
    case '"': return parse_string();
    case '{': return parse_object(depth);
    case '[': return parse_array(depth);
    case 't': return parse_literal("true", Type::yes);
    case 'f': return parse_literal("false", Type::no);
    case 'n': return parse_literal("null", Type::null);
    default: return parse_number();
  }
}

bool JsonbBuilder::parse_literal(std::string_view literal, Type type) {
  if (static_cast<std::size_t>(end_ - cursor_) < literal.size() || memcmp(cursor_, literal.data(), literal.size()) != 0) return false;
  cursor_ += literal.size();
  nodes_.push_back({type, false, 0, 0});
  return true;
}

bool JsonbBuilder::parse_number() {
  const char* const start = cursor_;
  while (cursor_ != end_ && ((*cursor_ >= '0' && *cursor_ <= '9') || *cursor_ == '-' || *cursor_ == '.' || *cursor_ == '+' || *cursor_ == 'e' || *cursor_ == 'E')) ++cursor_;
  const std::string_view number(start, static_cast<std::size_t>(cursor_ - start));
  // JSON has no leading zeros
  const std::size_t first = !number.empty() && number[0] == '-' ? 1 : 0;
  if (number.size() > first + 1 && number[first] == '0' && number[first + 1] != '.') return false;
  char body[numeric_body_room];
  std::size_t size;
  if (!parse_numeric(number, -1, -1, body, size)) return false;
  nodes_.push_back({Type::number, true, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(arena_.size())});
  arena_.append(body, size);
  return true;
}

bool JsonbBuilder::parse_string() {
  const char* const start = ++cursor_;
  cursor_ = scan::find_special(cursor_, end_);
  if (cursor_ == end_) return false;
  if (*cursor_ == '"') {
    nodes_.push_back({Type::string, false, static_cast<std::uint32_t>(cursor_ - start), static_cast<std::uint32_t>(start - text_.data())});
    ++cursor_;
    return true;
  }
  const std::size_t at = arena_.size();
  arena_.append(start, cursor_);
  while (*cursor_ == '\\') {
    if (!parse_escape()) return false;
    const char* const plain = cursor_;
    cursor_ = scan::find_special(cursor_, end_);
    if (cursor_ == end_) return false;
    arena_.append(plain, cursor_);
  }
  if (*cursor_ != '"') return false;
  ++cursor_;
  nodes_.push_back({Type::string, true, static_cast<std::uint32_t>(arena_.size() - at), static_cast<std::uint32_t>(at)});
  return true;
}

bool JsonbBuilder::parse_escape() {
  if (end_ - cursor_ < 2) return false;
  const char c = cursor_[1];
  cursor_ += 2;
  switch (c) {
    case '"':
    case '\\':
    case '/': arena_ += c; return true;
    case 'b': arena_ += '\b'; return true;
    case 'f': arena_ += '\f'; return true;
    case 'n': arena_ += '\n'; return true;
    case 'r': arena_ += '\r'; return true;
    case 't': arena_ += '\t'; return true;
    case 'u': break;
    default: return false;
  }
  if (end_ - cursor_ < 4) return false;
  int code = hex4(cursor_);
  cursor_ += 4;
  if (code <= 0 || (code >= 0xdc00 && code <= 0xdfff)) return false;
  if (code >= 0xd800 && code <= 0xdbff) {
    if (end_ - cursor_ < 6 || cursor_[0] != '\\' || cursor_[1] != 'u') return false;
    const int low = hex4(cursor_ + 2);
    if (low < 0xdc00 || low > 0xdfff) return false;
    cursor_ += 6;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  lexemes::append_utf8(arena_, static_cast<unsigned>(code));
  return true;
}

bool JsonbBuilder::parse_array(unsigned depth) {
  const std::size_t self = nodes_.size();
  nodes_.push_back({Type::array, false, 0, 0});
  ++cursor_;
  std::uint32_t count = 0;
  if (!take(']')) {
    do {
      if (!parse_value(depth + 1)) return false;
      ++count;
    } while (take(','));
    if (!take(']')) return false;
  }
  nodes_[self].size = count;
  nodes_[self].at = static_cast<std::uint32_t>(nodes_.size());
  return true;
}

bool JsonbBuilder::parse_object(unsigned depth) {
  const std::size_t self = nodes_.size();
  nodes_.push_back({Type::object, false, 0, 0});
  ++cursor_;
  std::uint32_t count = 0;
  if (!take('}')) {
    do {
      skip_blanks();
      if (cursor_ == end_ || *cursor_ != '"' || !parse_string() || !take(':') || !parse_value(depth + 1)) return false;
      ++count;
    } while (take(','));
    if (!take('}')) return false;
  }
  nodes_[self].size = count;
  nodes_[self].at = static_cast<std::uint32_t>(nodes_.size());
  return true;
}

std::string_view JsonbBuilder::bytes(const Node& node) const {
  return (node.decoded ? std::string_view(arena_) : text_).substr(node.at, node.size);
}

// jsonb sorts keys by length, then by bytes.
bool JsonbBuilder::key_less(std::uint32_t left, std::uint32_t right) const {
  const std::string_view a = bytes(nodes_[left]), b = bytes(nodes_[right]);
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::uint32_t JsonbBuilder::next(std::uint32_t index) const {
  const Node& node = nodes_[index];
  return node.type == Type::array || node.type == Type::object ? node.at : index + 1;
}

// Numbers and containers begin at a multiple of 4, counted from the varlena's start: its header of 4 bytes does not matter.
void JsonbBuilder::pad() { buffer_.resize((buffer_.size() + 3) & ~std::size_t{3}); }

// What follows is as convertJsonbValue() in jsonb_util.c does it. Returns the entry of the value: its type and length.
std::uint32_t JsonbBuilder::emit(std::uint32_t index) {
  const Node& node = nodes_[index];
  switch (node.type) {
    case Type::null: return JENTRY_ISNULL;
    case Type::yes: return JENTRY_ISBOOL_TRUE;
    case Type::no: return JENTRY_ISBOOL_FALSE;
    case Type::string: buffer_.append(bytes(node)); return JENTRY_ISSTRING | node.size;
    case Type::number: {
      const std::size_t before = buffer_.size();
      pad();
      std::uint32_t header;
      SET_VARSIZE(&header, node.size + VARHDRSZ);
      buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
      buffer_.append(bytes(node));
      return JENTRY_ISNUMERIC | static_cast<std::uint32_t>(buffer_.size() - before);
    }
    case Type::array: return emit_array(index, 0);
    case Type::object: return emit_object(index);
  }
  return JENTRY_ISNULL;
}

// Every JB_OFFSET_STRIDE'th entry holds the end of its value instead of the length.
void JsonbBuilder::emit_entry(std::size_t entries, std::uint32_t number, std::uint32_t entry, std::uint32_t& total) {
  total += entry & JENTRY_OFFLENMASK;
  if (number % JB_OFFSET_STRIDE == 0) entry = (entry & JENTRY_TYPEMASK) | total | JENTRY_HAS_OFF;
  memcpy(buffer_.data() + entries + number * sizeof entry, &entry, sizeof entry);
}

// With JB_FSCALAR the node itself is the one element.
std::uint32_t JsonbBuilder::emit_array(std::uint32_t index, std::uint32_t flags) {
  const std::size_t base = buffer_.size();
  pad();
  const bool scalar = flags == JB_FSCALAR;
  const std::uint32_t count = scalar ? 1 : nodes_[index].size, header = count | JB_FARRAY | flags;
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  const std::size_t entries = buffer_.size();
  buffer_.resize(entries + count * sizeof(JEntry));
  std::uint32_t total = 0, element = scalar ? index : index + 1;
  for (std::uint32_t i = 0; i < count; ++i, element = next(element)) {
    const std::uint32_t entry = emit(element);
    emit_entry(entries, i, entry, total);
  }
  return JENTRY_ISCONTAINER | static_cast<std::uint32_t>(buffer_.size() - base);
}

std::uint32_t JsonbBuilder::emit_object(std::uint32_t index) {
  const std::size_t first = pairs_.size();
  std::uint32_t member = index + 1;
  bool sorted = true;
  for (std::uint32_t i = 0; i < nodes_[index].size; ++i) {
    if (i != 0 && !key_less(pairs_.back().key, member)) sorted = false;
    pairs_.push_back({member, member + 1});
    member = next(member + 1);
  }
  if (!sorted) {
    const auto begin = pairs_.begin() + static_cast<std::ptrdiff_t>(first);
    // of equal keys the last one counts
    std::sort(begin, pairs_.end(), [this](const Pair& a, const Pair& b) {
      return key_less(a.key, b.key) || (!key_less(b.key, a.key) && a.key > b.key);
    });
    pairs_.erase(std::unique(begin, pairs_.end(), [this](const Pair& a, const Pair& b) { return bytes(nodes_[a.key]) == bytes(nodes_[b.key]); }), pairs_.end());
  }
  const std::size_t base = buffer_.size();
  pad();
  const auto count = static_cast<std::uint32_t>(pairs_.size() - first);
  const std::uint32_t header = count | JB_FOBJECT;
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  const std::size_t entries = buffer_.size();
  buffer_.resize(entries + 2 * count * sizeof(JEntry));
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t entry = emit(pairs_[first + i].key);
    emit_entry(entries, i, entry, total);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t entry = emit(pairs_[first + i].value);
    emit_entry(entries, count + i, entry, total);
  }
  pairs_.resize(first);
  return JENTRY_ISCONTAINER | static_cast<std::uint32_t>(buffer_.size() - base);
}

}  // namespace snapback::pg::values
