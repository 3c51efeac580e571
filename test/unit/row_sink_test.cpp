#include "core/format/row_sink.hpp"

#include <nlohmann/json.hpp>

#include "core/format/scan.hpp"
#include "format_support.hpp"

namespace snapback {
namespace {

// Keeps a row's text, with as little room per reserve() as the contract allows.
class TextSink final : public RowSink {
 public:
  std::string text;
  std::size_t largest = 0;

  TextSink() { cursor_ = limit_ = buffer_.data(); }
  void begin_row() override {
    text.clear();
    cursor_ = limit_ = buffer_.data();
    start_ = cursor_;
  }
  void end_row(std::string_view) override { take(); }
  std::string finish() {
    take();
    return text;
  }

 private:
  void take() {
    text.append(start_, cursor_);
    start_ = cursor_;
  }
  void make_room(std::size_t n) override {
    largest = std::max(largest, n);
    take();
    buffer_.assign(n, '\0');
    cursor_ = start_ = buffer_.data();
    limit_ = cursor_ + n;
  }
  std::string buffer_ = std::string(1, '\0');
  char* start_ = nullptr;
};

std::string escaped(std::string_view text) {
  TextSink sink;
  sink.begin_row();
  sink.append_escaped(text.data(), text.size());
  return sink.finish();
}

std::string reference_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (c == '\b')
      out += "\\b";
    else if (c == '\f')
      out += "\\f";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (u < 0x20)
      out += std::string("\\u00") + (u < 16 ? '0' : '1') + "0123456789abcdef"[u & 15];
    else
      out += c;
  }
  return out;
}

TEST(RowSink, EscapesEveryByteAsJsonDemands) {
  for (int c = 0; c < 256; ++c) {
    const std::string text(1, static_cast<char>(c));
    EXPECT_EQ(escaped(text), reference_escape(text)) << c;
  }
  EXPECT_EQ(escaped("\x01\x1f\x7f\"\\/"), "\\u0001\\u001f\x7f\\\"\\\\/");
}

TEST(RowSink, EscapesAtEveryPositionOfABlock) {
  for (std::size_t size = 0; size < 70; ++size)
    for (std::size_t at = 0; at < size; ++at)
      for (const char c : {'"', '\\', '\n', '\0', '\x1f', ' ', '\x7f', '\x80', '\xff', '#', '['}) {
        std::string text(size, 'x');
        text[at] = c;
        ASSERT_EQ(escaped(text), reference_escape(text)) << size << " " << at << " " << int(c);
      }
}

TEST(RowSink, EscapesLongTextInPieces) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += i % 7 == 0 ? "\x02\"" : "ñandú";
  EXPECT_EQ(escaped(text), reference_escape(text));
  EXPECT_EQ(nlohmann::json::parse('"' + escaped(text) + '"').get<std::string>(), text);
}

TEST(RowSink, NeverReservesMoreThanPromised) {
  TextSink sink;
  sink.begin_row();
  const std::string text((2 << 20) + 1, '\x01');
  sink.append_escaped(text.data(), text.size());
  sink.append(text);
  sink.append_hex(reinterpret_cast<const unsigned char*>(text.data()), text.size());
  EXPECT_LE(sink.largest, RowSink::max_reserve);
  const std::string out = sink.finish();
  ASSERT_EQ(out.size(), text.size() * 9);
  EXPECT_EQ(out.substr(0, 6), "\\u0001");
  EXPECT_EQ(out.substr(out.size() - 4), "0101");
}

TEST(RowSink, WritesHexDigits) {
  TextSink sink;
  sink.begin_row();
  std::string bytes, expected;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    expected += "0123456789abcdef"[i >> 4];
    expected += "0123456789abcdef"[i & 15];
  }
  sink.append_hex(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  EXPECT_EQ(sink.finish(), expected);
}

TEST(Scan, FindsTheFirstSpecialByteOnly) {
  for (std::size_t size = 0; size < 60; ++size) {
    const std::string plain(size, 'a');
    EXPECT_EQ(scan::find_special(plain.data(), plain.data() + size), plain.data() + size);
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, '\xc3');
      text[at] = '"';
      if (at + 1 < size) text[at + 1] = '\n';
      EXPECT_EQ(scan::find_special(text.data(), text.data() + size), text.data() + at);
    }
  }
}

TEST(Scan, AWordIsSpecialExactlyWhenOneOfItsBytesIs) {
  for (int c = 0; c < 256; ++c)
    for (int at = 0; at < 8; ++at) {
      char bytes[8];
      std::memset(bytes, 'z', sizeof bytes);
      bytes[at] = static_cast<char>(c);
      EXPECT_EQ(scan::special_in_word(scan::load_word(bytes)) != 0, scan::is_special(static_cast<char>(c))) << c;
    }
}

TEST(FingerprintSink, CountsAndSumsRowsWhateverTheirOrder) {
  const std::vector<std::string> rows = {R"({"id":1})", R"({"id":2,"title":"x"})", "{}"};
  FingerprintSink forward, backward;
  Fingerprint sum;
  std::uint64_t bytes = 0;
  for (const std::string& row : rows) {
    test::write_row(forward, {row, ""});
    EXPECT_EQ(forward.last_row(), row_hash(row));
    sum.add(row_hash(row));
    bytes += row.size();
  }
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) test::write_row(backward, {*row, ""});
  EXPECT_EQ(forward.rows(), 3u);
  EXPECT_EQ(forward.logical_bytes(), bytes);
  EXPECT_EQ(forward.fingerprint(), sum);
  EXPECT_EQ(backward.fingerprint(), sum);
  forward.reset_totals();
  EXPECT_EQ(forward.rows(), 0u);
  EXPECT_EQ(forward.logical_bytes(), 0u);
  EXPECT_EQ(forward.fingerprint(), Fingerprint{});
}

TEST(FingerprintSink, HashesARowLongerThanItsBufferLikeAShortOne) {
  const std::string text(7'000'001, 'q');
  FingerprintSink sink;
  for (int i = 0; i < 2; ++i) {
    sink.begin_row();
    sink.append("{\"a\":\"");
    sink.append(text);
    sink.append("\"}");
    sink.end_row({});
  }
  const Fingerprint one = row_hash("{\"a\":\"" + text + "\"}");
  EXPECT_EQ(sink.last_row(), one);
  Fingerprint two = one;
  two.add(one);
  EXPECT_EQ(sink.fingerprint(), two);
  EXPECT_EQ(sink.logical_bytes(), 2 * (text.size() + 8));
}

TEST(FingerprintSink, TakesBackARowThatWasNotEnded) {
  FingerprintSink sink;
  sink.begin_row();
  sink.append("{\"half");
  test::write_row(sink, {"{}", ""});
  EXPECT_EQ(sink.rows(), 1u);
  EXPECT_EQ(sink.fingerprint(), row_hash("{}"));
  EXPECT_EQ(sink.logical_bytes(), 2u);
}

}  // namespace
}  // namespace snapback
