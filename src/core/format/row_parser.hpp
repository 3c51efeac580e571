// A pull parser for the lines of rows in a backup. Our own because a row may be longer than 4 GiB (what simdjson holds in one document), because numbers must
// keep their exact digits, and because memory has to stay bounded by one value: values are handed over one at a time, straight from the decompressed frames.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace snapback {

// Text that comes in pieces.
class TextSource {
 public:
  virtual ~TextSource() = default;
  // The next piece, empty at the end. Valid until the next call. May raise.
  virtual std::string_view next() = 0;
};

// One piece of text, for tests and for a value's own text.
class SingleTextSource final : public TextSource {
 public:
  explicit SingleTextSource(std::string_view whole) : text_(whole) {}
  std::string_view next() override {
    auto whole = text_;
    text_ = {};
    return whole;
  }

 private:
  std::string_view text_;
};

enum class JsonToken { object, array, string, number, true_value, false_value, null_value };

// Strict: exactly one object per row, rows separated by ",\n", no blanks between tokens (jsonb values keep their own blanks), duplicate keys are the caller's
// to find. Everything malformed raises XX001 with the row's number (from 0 within the table) and never a value.
class RowParser {
 public:
  // `first_row`: number of the first row, for a source that begins in the middle of a table. The source must outlive the parser.
  explicit RowParser(TextSource& source, std::uint64_t first_row = 0);
  RowParser(const RowParser&) = delete;
  RowParser& operator=(const RowParser&) = delete;

  // Moves to the next row, past '{'; false after the last. The previous row must have been read to its end (or skip_row() called).
  bool next_row();
  // Number of the current row, from 0.
  std::uint64_t row_number() const { return row_ - 1; }
  // Number of the row that is being read, or else of the one that comes next: what an error is about.
  std::uint64_t place() const { return in_row_ ? row_ - 1 : row_; }
  // The next key of the innermost open object, decoded (valid until the next call); false past its '}', which closes it.
  bool next_key(std::string_view& key);
  // Kind of the value that comes next.
  JsonToken peek();
  // Each of these reads the value that comes next and appends it to `out`.
  void read_string(std::string& out);  // decoded UTF-8; refuses \u0000 and lone surrogates
  void read_scalar(std::string& out);  // lexeme of a number, true, false
  void read_null();
  // Any value, as its exact JSON text (jsonb), blanks between its tokens included. Depth is bounded by memory only, no recursion.
  void read_raw(std::string& out);
  void skip_value();
  void enter_object();
  void enter_array();
  // True when another element of the innermost open array follows; false past its ']', which closes it.
  bool next_element();
  // Reads on to the end of the row from wherever its reading stopped; does nothing when it was read to its end.
  void skip_row();

  // Hash and length of the row just ended (after next_key() returned false at depth 0, or skip_row()).
  Fingerprint last_row_hash() const { return hash_; }
  std::uint64_t last_row_size() const { return size_; }
  // Text of the current row that has been read so far.
  std::uint64_t row_size_so_far() const { return spilled_bytes_ + static_cast<std::uint64_t>(cursor_ - row_start_); }

  // Over all rows so far: rows begun, and of the rows that ended their fingerprint and their text without separators.
  std::uint64_t rows_begun() const { return row_ - first_row_; }
  const Fingerprint& fingerprint() const { return sum_; }
  std::uint64_t logical_bytes() const { return bytes_; }

  // Raises the parser's own error for the current row (also for callers that find the row's shape wrong).
  [[noreturn]] void fail(const char* what) const;

 private:
  bool refill();  // the next piece; false at the end. Hands the consumed part of the row to the hasher and to capture_
  char need();    // the next byte, without consuming it; fails at the end
  void expect(char c);
  void expect_literal(const char* text);
  unsigned read_hex4();
  void read_escape(std::string* out);
  void scan_string(std::string* out);  // decodes into out, or only checks when it is null
  std::string_view scan_number();
  void skip_blanks();
  void walk_value();
  void end_row();
  void put_by(std::string& value);
  void join(std::string& value);

  TextSource& source_;
  const char* cursor_ = nullptr;
  const char* limit_ = nullptr;
  const char* row_start_ = nullptr;  // where the part of the row begins that is not in hasher_ yet
  RowHasher hasher_;
  bool spilled_ = false;  // part of the row is in hasher_
  std::uint64_t spilled_bytes_ = 0;
  std::uint64_t first_row_, row_;
  bool in_row_ = false, finished_ = false;
  bool value_due_ = false;  // a key or element was announced and its value not begun
  // Open containers of the row: 'O' object, 'A' array; lower case where nothing was read in them yet.
  std::vector<char> open_;
  std::vector<char> walk_;          // the same for a value that is walked over, kept for its memory
  std::string* capture_ = nullptr;  // where the text from capture_start_ on is copied to
  const char* capture_start_ = nullptr;
  std::vector<std::string> parts_;  // the beginning of a long value
  std::string key_, lexeme_;
  Fingerprint hash_, sum_;
  std::uint64_t size_ = 0, bytes_ = 0;
};

}  // namespace snapback
