#include "core/format/row_parser.hpp"

#include "core/error.hpp"
#include "core/format/json_lexemes.hpp"
#include "core/format/scan.hpp"

namespace snapback {

using lexemes::append_utf8;
using lexemes::is_digit;
using lexemes::is_number;
using lexemes::is_number_char;

namespace {

// A value that is longer than this is put together of parts. One string that grows would be copied into another of twice its size, with both in memory. Larger than a block
// that the C library keeps back for reuse.
constexpr std::size_t part_size = std::size_t{48} << 20;
constexpr std::size_t part_room = std::size_t{64} << 20;

// Sets a pointer for as long as it lives.
class CaptureGuard {
 public:
  CaptureGuard(std::string*& slot, std::string* value) : slot_(slot) { slot_ = value; }
  ~CaptureGuard() { slot_ = nullptr; }
  CaptureGuard(const CaptureGuard&) = delete;
  CaptureGuard& operator=(const CaptureGuard&) = delete;

 private:
  std::string*& slot_;
};

}  // namespace

RowParser::RowParser(TextSource& source, std::uint64_t first_row) : source_(source), first_row_(first_row), row_(first_row) {}

void RowParser::fail(const char* what) const {
  throw error(sqlstate::data_corrupted, "row " + std::to_string(place()) + " of the backup is malformed: " + what);
}

bool RowParser::refill() {
  if (in_row_) {
    if (!spilled_) hasher_.reset();
    hasher_.update({row_start_, static_cast<std::size_t>(limit_ - row_start_)});
    spilled_bytes_ += static_cast<std::uint64_t>(limit_ - row_start_);
    spilled_ = true;
  }
  if (capture_ != nullptr) {
    capture_->append(capture_start_, static_cast<std::size_t>(limit_ - capture_start_));
    if (capture_->size() >= part_size) put_by(*capture_);
  }
  // no piece is looked at while the source may raise
  cursor_ = limit_ = row_start_ = capture_start_ = nullptr;
  const std::string_view piece = source_.next();
  cursor_ = row_start_ = capture_start_ = piece.data();
  limit_ = cursor_ + piece.size();
  return !piece.empty();
}

void RowParser::put_by(std::string& value) {
  parts_.push_back(std::move(value));
  value.clear();
  value.reserve(part_room);
}

// Each part is freed as soon as it is copied.
void RowParser::join(std::string& value) {
  if (parts_.empty()) [[likely]] return;
  parts_.push_back(std::move(value));
  std::size_t size = 0;
  for (auto& part : parts_) size += part.size();
  std::string whole;
  whole.reserve(size);
  for (auto& part : parts_) {
    whole += part;
    std::string().swap(part);
  }
  parts_.clear();
  value = std::move(whole);
}

inline char RowParser::need() {
  if (cursor_ == limit_ && !refill()) fail("it is cut off");
  return *cursor_;
}

inline void RowParser::expect(char c) {
  if (need() != c) fail("unexpected character");
  ++cursor_;
}

void RowParser::expect_literal(const char* text) {
  for (; *text != '\0'; ++text) expect(*text);
}

bool RowParser::next_row() {
  if (in_row_) throw error(sqlstate::internal_error, "the row before was not read to its end");
  if (finished_) return false;
  if (cursor_ == limit_ && !refill()) {
    finished_ = true;
    return false;
  }
  if (row_ != first_row_) {
    expect(',');
    expect('\n');
  }
  if (need() != '{') fail("it does not begin with an object");
  row_start_ = cursor_++;
  in_row_ = true;
  ++row_;
  spilled_ = false;
  spilled_bytes_ = 0;
  value_due_ = false;
  open_.clear();
  open_.push_back('o');
  return true;
}

void RowParser::end_row() {
  const std::string_view rest(row_start_, static_cast<std::size_t>(cursor_ - row_start_));
  size_ = spilled_bytes_ + rest.size();
  if (spilled_) {
    hasher_.update(rest);
    hash_ = hasher_.finish();
  } else {
    hash_ = row_hash(rest);
  }
  sum_.add(hash_);
  bytes_ += size_;
  in_row_ = false;
}

bool RowParser::next_key(std::string_view& key) {
  if (open_.empty() || (open_.back() | 0x20) != 'o' || value_due_) throw error(sqlstate::internal_error, "a key was asked for where none can be");
  char c = need();
  if (open_.back() == 'O' && c == ',') {
    ++cursor_;
    c = need();
    if (c != '"') fail("a key is missing");
  } else if (c == '}') {
    ++cursor_;
    open_.pop_back();
    if (open_.empty()) end_row();
    return false;
  } else if (open_.back() == 'O' || c != '"') {
    fail("unexpected character in an object");
  }
  open_.back() = 'O';
  value_due_ = true;
  // a short key inside this piece needs no copy
  const char* const start = cursor_ + 1;
  const char* const end = scan::find_special(start, limit_);
  if (limit_ - end >= 2 && end[0] == '"' && end[1] == ':') {
    cursor_ = end + 2;
    key = {start, static_cast<std::size_t>(end - start)};
    return true;
  }
  key_.clear();
  scan_string(&key_);
  join(key_);
  expect(':');
  key = key_;
  return true;
}

JsonToken RowParser::peek() {
  switch (need()) {
    case '{':
      return JsonToken::object;
    case '[':
      return JsonToken::array;
    case '"':
      return JsonToken::string;
    case 't':
      return JsonToken::true_value;
    case 'f':
      return JsonToken::false_value;
    case 'n':
      return JsonToken::null_value;
    default:
      if (!is_digit(*cursor_) && *cursor_ != '-') fail("a value is missing");
      return JsonToken::number;
  }
}

unsigned RowParser::read_hex4() {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = need();
    value <<= 4;
    if (is_digit(c))
      value |= static_cast<unsigned>(c - '0');
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
      value |= static_cast<unsigned>((c | 0x20) - 'a' + 10);
    else
      fail("malformed \\u escape");
    ++cursor_;
  }
  return value;
}

// Behind the backslash.
void RowParser::read_escape(std::string* out) {
  char c = need();
  ++cursor_;
  switch (c) {
    case '"':
    case '\\':
    case '/':
      break;
    case 'b':
      c = '\b';
      break;
    case 'f':
      c = '\f';
      break;
    case 'n':
      c = '\n';
      break;
    case 'r':
      c = '\r';
      break;
    case 't':
      c = '\t';
      break;
    case 'u': {
      unsigned code = read_hex4();
      if (code == 0) fail("\\u0000 in a string");
      if (code >= 0xdc00 && code < 0xe000) fail("lone surrogate in a string");
      if (code >= 0xd800 && code < 0xdc00) {
        if (need() != '\\') fail("lone surrogate in a string");
        ++cursor_;
        if (need() != 'u') fail("lone surrogate in a string");
        ++cursor_;
        const unsigned low = read_hex4();
        if (low < 0xdc00 || low >= 0xe000) fail("lone surrogate in a string");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      }
      if (out != nullptr) append_utf8(*out, code);
      return;
    }
    default:
      fail("unknown escape in a string");
  }
  if (out != nullptr) *out += c;
}

void RowParser::scan_string(std::string* out) {
  expect('"');
  for (;;) {
    const char* const end = scan::find_special(cursor_, limit_);
    if (out != nullptr) out->append(cursor_, static_cast<std::size_t>(end - cursor_));
    cursor_ = end;
    if (cursor_ == limit_ && out != nullptr && out->size() >= part_size) put_by(*out);
    const char c = need();
    if (c == '"') {
      ++cursor_;
      return;
    }
    if (c == '\\') {
      ++cursor_;
      read_escape(out);
    } else if (scan::is_special(c)) {
      fail("control character in a string");
    }
  }
}

void RowParser::read_string(std::string& out) {
  scan_string(&out);
  join(out);
  value_due_ = false;
}

// Consumes a number; what it returns is valid until the next call.
std::string_view RowParser::scan_number() {
  const char* end = cursor_;
  while (end != limit_ && is_number_char(*end)) ++end;
  if (end != limit_) {
    const std::string_view number(cursor_, static_cast<std::size_t>(end - cursor_));
    if (!is_number(number)) fail("malformed number");
    cursor_ = end;
    return number;
  }
  lexeme_.clear();
  do {
    const char* const start = cursor_;
    while (cursor_ != limit_ && is_number_char(*cursor_)) ++cursor_;
    lexeme_.append(start, static_cast<std::size_t>(cursor_ - start));
  } while (cursor_ == limit_ && refill());
  if (!is_number(lexeme_)) fail("malformed number");
  return lexeme_;
}

void RowParser::read_scalar(std::string& out) {
  value_due_ = false;
  switch (peek()) {
    case JsonToken::number:
      out += scan_number();
      return;
    case JsonToken::true_value:
      expect_literal("true");
      out += "true";
      return;
    case JsonToken::false_value:
      expect_literal("false");
      out += "false";
      return;
    default:
      fail("a number or boolean is missing");
  }
}

void RowParser::read_null() {
  expect_literal("null");
  value_due_ = false;
}

inline void RowParser::skip_blanks() {
  while (need() == ' ') ++cursor_;
}

// Blanks are allowed between the tokens inside the value, not before and behind it.
void RowParser::walk_value() {
  value_due_ = false;
  if (need() == '"') return scan_string(nullptr);
  walk_.clear();
  for (;;) {
    // a value begins here
    switch (peek()) {
      case JsonToken::object:
      case JsonToken::array:
        walk_.push_back(*cursor_++ == '{' ? 'o' : 'a');
        break;
      case JsonToken::string:
        scan_string(nullptr);
        break;
      case JsonToken::number:
        scan_number();
        break;
      case JsonToken::true_value:
        expect_literal("true");
        break;
      case JsonToken::false_value:
        expect_literal("false");
        break;
      case JsonToken::null_value:
        expect_literal("null");
        break;
    }
    // on to the next value of the innermost container, closing those that end
    for (;;) {
      if (walk_.empty()) return;
      skip_blanks();
      const char top = walk_.back();
      const bool object = (top | 0x20) == 'o', fresh = (top & 0x20) != 0;
      if (*cursor_ == (object ? '}' : ']')) {
        ++cursor_;
        walk_.pop_back();
        continue;
      }
      if (!fresh) {
        expect(',');
        skip_blanks();
      }
      walk_.back() = object ? 'O' : 'A';
      if (object) {
        scan_string(nullptr);
        skip_blanks();
        expect(':');
        skip_blanks();
      }
      break;
    }
  }
}

void RowParser::read_raw(std::string& out) {
  need();
  const CaptureGuard guard(capture_, &out);
  capture_start_ = cursor_;
  walk_value();
  out.append(capture_start_, static_cast<std::size_t>(cursor_ - capture_start_));
  join(out);
}

void RowParser::skip_value() { walk_value(); }

void RowParser::enter_object() {
  expect('{');
  open_.push_back('o');
  value_due_ = false;
}

void RowParser::enter_array() {
  expect('[');
  open_.push_back('a');
  value_due_ = false;
}

bool RowParser::next_element() {
  if (open_.empty() || (open_.back() | 0x20) != 'a' || value_due_) throw error(sqlstate::internal_error, "an element was asked for where none can be");
  const char c = need();
  if (c == ']') {
    ++cursor_;
    open_.pop_back();
    return false;
  }
  if (open_.back() == 'A') expect(',');
  open_.back() = 'A';
  value_due_ = true;
  return true;
}

void RowParser::skip_row() {
  std::string_view key;
  while (in_row_) {
    if (value_due_)
      walk_value();
    else if ((open_.back() | 0x20) == 'o')
      next_key(key);
    else
      next_element();
  }
}

}  // namespace snapback
