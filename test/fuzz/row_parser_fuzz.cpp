// Any text as the rows of a table: refused with XX001, or read. The first byte says how the text is cut into pieces, and nothing may depend on it.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/format/row_parser.hpp"

namespace {

using namespace snapback;

class Pieces final : public TextSource {
 public:
  Pieces(std::string_view text, std::size_t step) : text_(text), step_(step) {}
  std::string_view next() override {
    // memory of its own, so that a read past the end of a piece is seen
    piece_.assign(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(step_, text_.size())));
    piece_.shrink_to_fit();
    text_.remove_prefix(piece_.size());
    return {piece_.data(), piece_.size()};
  }

 private:
  std::string_view text_;
  std::size_t step_;
  std::vector<char> piece_;
};

enum class Way { skip, read, raw };

void read_value(RowParser& parser, std::string& out);

void read_object(RowParser& parser, std::string& out) {
  std::string_view key;
  while (parser.next_key(key)) {
    out += key;
    read_value(parser, out);
  }
}

void read_value(RowParser& parser, std::string& out) {
  switch (parser.peek()) {
    case JsonToken::object:
      parser.enter_object();
      return read_object(parser, out);
    case JsonToken::array:
      parser.enter_array();
      while (parser.next_element()) read_value(parser, out);
      return;
    case JsonToken::string:
      return parser.read_string(out);
    case JsonToken::null_value:
      return parser.read_null();
    default:
      return parser.read_scalar(out);
  }
}

// Everything that a reader sees, or the error.
std::string outcome(std::string_view text, std::size_t step, Way way) {
  Pieces source(text, step);
  RowParser parser(source);
  std::string out;
  try {
    while (parser.next_row()) {
      std::string_view key;
      if (way == Way::read) read_object(parser, out);
      if (way == Way::raw)
        while (parser.next_key(key)) {
          out += key;
          parser.read_raw(out);
        }
      parser.skip_row();
    }
  } catch (const error& e) {
    if (std::string_view(e.sqlstate()) != sqlstate::data_corrupted) std::abort();
    return "error " + e.message();
  }
  if (parser.place() != parser.rows_begun()) std::abort();
  return "ok " + parser.fingerprint().to_hex() + out;
}

bool is_ok(const std::string& outcome) { return outcome.starts_with("ok "); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // read() recurses in this fuzzer, not in the parser
  const bool deep = std::count(text.begin(), text.end(), '[') + std::count(text.begin(), text.end(), '{') > 1000;
  for (const Way way : {Way::skip, Way::raw, Way::read}) {
    if (deep && way == Way::read) continue;
    const std::string whole = outcome(text, text.size() + 1, way);
    if (outcome(text, std::size_t{data[0]} % 40 + 1, way) != whole || outcome(text, 1, way) != whole) std::abort();
  }
  // what is accepted is JSON
  if (!deep && is_ok(outcome(text, text.size() + 1, Way::skip))) {
    const std::string array = "[" + std::string(text) + "]";
    bool ascii = true;
    for (const char c : text) ascii &= static_cast<unsigned char>(c) < 0x80;
    try {
      if (ascii) (void)nlohmann::json::parse(array);
    } catch (const nlohmann::json::out_of_range&) {
      // a number that is no double; rows keep its digits
    }
  }
  return 0;
}
