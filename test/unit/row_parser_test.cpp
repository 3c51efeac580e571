#include "core/format/row_parser.hpp"

#include "format_support.hpp"

namespace snapback {
namespace {

using test::raised_text;

// Hands out a text in pieces that end at given places; every piece lies in memory of its own, so that reading past it is found by the sanitizers.
class SplitSource final : public TextSource {
 public:
  SplitSource(std::string_view text, std::vector<std::size_t> ends) : text_(text), ends_(std::move(ends)) { ends_.push_back(text.size()); }
  SplitSource(std::string_view text, std::size_t step) : text_(text) {
    for (std::size_t end = step; end < text.size(); end += step) ends_.push_back(end);
    ends_.push_back(text.size());
  }
  std::string_view next() override {
    while (index_ < ends_.size()) {
      const std::size_t end = ends_[index_++];
      if (end == at_) continue;
      piece_.assign(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.begin() + static_cast<std::ptrdiff_t>(end));
      piece_.shrink_to_fit();
      at_ = end;
      return {piece_.data(), piece_.size()};
    }
    piece_.clear();
    return {};
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> ends_;
  std::size_t index_ = 0, at_ = 0;
  std::vector<char> piece_;
};

// What a row says, in one line: every value with the means its kind asks for.
std::string describe_value(RowParser& parser);

std::string describe_object(RowParser& parser) {
  std::string text = "{";
  std::string_view key;
  while (parser.next_key(key)) {
    text += std::string(key) + "=";
    text += describe_value(parser) + ";";
  }
  return text + "}";
}

std::string describe_value(RowParser& parser) {
  std::string value;
  switch (parser.peek()) {
    case JsonToken::object:
      parser.enter_object();
      return describe_object(parser);
    case JsonToken::array:
      parser.enter_array();
      value = "[";
      while (parser.next_element()) value += describe_value(parser) + ";";
      return value + "]";
    case JsonToken::string:
      parser.read_string(value);
      return "<" + value + ">";
    case JsonToken::null_value:
      parser.read_null();
      return "null";
    default:
      parser.read_scalar(value);
      return value;
  }
}

const std::string sample_rows[] = {
    R"({"id":1,"título":"Física \"I\"\n\\ \/ \b\f\r\t é","big":-12.5e+10,"yes":true,"no":false,"nothing":null})",
    R"({})",
    R"({"a":[],"b":[1,[2,"x"],{"c":{}}],"o":{"p":"\ud83d\ude00\u00e9\u20ac\u0041","q\n":0}})",
    R"({"long":"0123456789abcdef0123456789abcdef","e":"","z":[{},[],""]})",
};
const std::string sample_values[] = {
    "{id=1;título=<Física \"I\"\n\\ / \b\f\r\t é>;big=-12.5e+10;yes=true;no=false;nothing=null;}",
    "{}",
    "{a=[];b=[1;[2;<x>;];{c={};};];o={p=<😀é€A>;q\n=0;};}",
    "{long=<0123456789abcdef0123456789abcdef>;e=<>;z=[{};[];<>;];}",
};
constexpr std::size_t samples = std::size(sample_rows);

std::string sample_text() {
  std::string text;
  for (const std::string& row : sample_rows) text += (text.empty() ? "" : ",\n") + row;
  return text;
}

void expect_samples(TextSource& source) {
  RowParser parser(source);
  Fingerprint sum;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    ASSERT_TRUE(parser.next_row());
    EXPECT_EQ(parser.row_number(), i);
    EXPECT_EQ(describe_object(parser), sample_values[i]);
    EXPECT_EQ(parser.last_row_hash(), row_hash(sample_rows[i]));
    EXPECT_EQ(parser.last_row_size(), sample_rows[i].size());
    sum.add(row_hash(sample_rows[i]));
    bytes += sample_rows[i].size();
  }
  EXPECT_FALSE(parser.next_row());
  EXPECT_FALSE(parser.next_row());
  EXPECT_EQ(parser.rows_begun(), samples);
  EXPECT_EQ(parser.fingerprint(), sum);
  EXPECT_EQ(parser.logical_bytes(), bytes);
}

TEST(RowParser, ReadsRowsInOnePiece) {
  const std::string text = sample_text();
  SingleTextSource source(text);
  expect_samples(source);
}

TEST(RowParser, ReadsTheSameWhereverItsTextIsSplit) {
  const std::string text = sample_text();
  for (std::size_t at = 1; at < text.size(); ++at) {
    SplitSource source(text, std::vector<std::size_t>{at});
    expect_samples(source);
    ASSERT_FALSE(::testing::Test::HasFailure()) << at;
  }
  for (std::size_t step = 1; step < 20; ++step) {
    SplitSource source(text, step);
    expect_samples(source);
    ASSERT_FALSE(::testing::Test::HasFailure()) << step;
  }
}

// A piece lasts until the next call only, so it is made anew each time.
class LongSource final : public TextSource {
 public:
  explicit LongSource(std::string text) : text_(std::move(text)) {}
  std::string_view next() override {
    const std::size_t size = std::min(text_.size() - at_, std::size_t{5} << 20);
    piece_ = text_.substr(at_, size);
    at_ += size;
    return piece_;
  }

 private:
  std::string text_, piece_;
  std::size_t at_ = 0;
};

TEST(RowParser, PutsLongValuesTogether) {
  std::string text, other;
  while (text.size() < (std::size_t{130} << 20)) text += "0123456789" + std::to_string(text.size());
  other.assign(std::size_t{60} << 20, 'o');
  LongSource source("{\"a\":\"" + text + "\",\"b\":[\"" + text + "\"],\"c\":\"" + other + "\",\"d\":\"d\"}");
  RowParser parser(source);
  std::string_view key;
  ASSERT_TRUE(parser.next_row());
  std::string value = "before ";
  ASSERT_TRUE(parser.next_key(key));
  parser.read_string(value);
  EXPECT_TRUE(value == "before " + text);
  EXPECT_EQ(parser.row_size_so_far(), text.size() + 7);
  value.clear();
  ASSERT_TRUE(parser.next_key(key));
  parser.read_raw(value);
  EXPECT_TRUE(value == "[\"" + text + "\"]");
  for (const std::string& wanted : {other, std::string("d")}) {
    value.clear();
    ASSERT_TRUE(parser.next_key(key));
    parser.read_string(value);
    EXPECT_TRUE(value == wanted);
  }
  EXPECT_FALSE(parser.next_key(key));
  EXPECT_FALSE(parser.next_row());
}

TEST(RowParser, PutsALongKeyTogether) {
  const std::string name = std::string(std::size_t{60} << 20, 'k') + "id";
  LongSource source("{\"" + name + "\":\"v\"}");
  RowParser parser(source);
  std::string_view key;
  ASSERT_TRUE(parser.next_row());
  ASSERT_TRUE(parser.next_key(key));
  EXPECT_TRUE(key == name);
  std::string value;
  parser.read_string(value);
  EXPECT_EQ(value, "v");
  EXPECT_FALSE(parser.next_key(key));
}

TEST(RowParser, SkipsWhateverWasNotRead) {
  const std::string text = sample_text();
  for (std::size_t step = 1; step < 60; ++step) {
    SplitSource source(text, step);
    RowParser parser(source);
    std::size_t i = 0;
    for (; parser.next_row(); ++i) {
      parser.skip_row();
      EXPECT_EQ(parser.last_row_hash(), row_hash(sample_rows[i]));
      parser.skip_row();
    }
    ASSERT_EQ(i, samples);
  }
}

// A reader that stops in the middle of a row, at any place, goes on with the next row.
TEST(RowParser, SkipsTheRestOfARowFromAnyPlace) {
  const std::string row = R"({"a":[1,"x",[true]],"b":{"c":"d","e":[]},"f":[],"g":{},"h":"i"})";
  const std::string text = row + ",\n{\"last\":1}";
  for (int stop = 0; stop < 30; ++stop) {
    SplitSource source(text, 3);
    RowParser parser(source);
    ASSERT_TRUE(parser.next_row());
    int steps = 0;
    std::string_view key;
    std::vector<char> open = {'o'};
    std::string value;
    // one step: a key, an element, or a value
    bool pending = false;
    while (steps++ < stop && !open.empty()) {
      if (pending) {
        pending = false;
        switch (parser.peek()) {
          case JsonToken::object:
            parser.enter_object();
            open.push_back('o');
            break;
          case JsonToken::array:
            parser.enter_array();
            open.push_back('a');
            break;
          case JsonToken::string:
            parser.read_string(value);
            break;
          default:
            parser.read_scalar(value);
        }
      } else if (open.back() == 'o' ? parser.next_key(key) : parser.next_element()) {
        pending = true;
      } else {
        open.pop_back();
      }
    }
    parser.skip_row();
    EXPECT_EQ(parser.last_row_hash(), row_hash(row)) << stop;
    ASSERT_TRUE(parser.next_row()) << stop;
    ASSERT_TRUE(parser.next_key(key));
    EXPECT_EQ(key, "last");
    parser.skip_row();
    EXPECT_FALSE(parser.next_row());
  }
}

TEST(RowParser, KeepsRawValuesExactly) {
  const std::string values[] = {R"({"a": 1, "b": [true, null, 1.50, "\u00e9\"", {}], "a": {"c": []}})", "[]",  "[ ]", "{}", "{ }", "[1, 2 , 3]", "\"text\\n\"", "12.00", "-0", "0e0",
                                "null", "true", "false", "123456789012345678901234567890.5e-7"};
  for (const std::string& value : values) {
    const std::string text = "{\"k\":" + value + ",\"z\":" + value + "}";
    for (std::size_t at = 1; at < text.size(); ++at) {
      SplitSource source(text, std::vector<std::size_t>{at});
      RowParser parser(source);
      std::string_view key;
      std::string out = "kept";
      ASSERT_TRUE(parser.next_row());
      ASSERT_TRUE(parser.next_key(key));
      parser.read_raw(out);
      EXPECT_EQ(out, "kept" + value) << at;
      ASSERT_TRUE(parser.next_key(key));
      EXPECT_EQ(key, "z");
      parser.skip_value();
      EXPECT_FALSE(parser.next_key(key));
    }
  }
}

TEST(RowParser, ReadsDeepValuesWithoutRecursion) {
  constexpr int depth = 100'000;
  std::string deep;
  for (int i = 0; i < depth; ++i) deep += i % 2 == 0 ? "[" : "{\"a\": ";
  deep += "1";
  for (int i = depth; i-- > 0;) deep += i % 2 == 0 ? "]" : "}";
  const std::string text = "{\"k\":" + deep + "}";
  for (const std::size_t step : {std::size_t{7}, text.size()}) {
    SplitSource source(text, step);
    RowParser parser(source);
    std::string_view key;
    std::string out;
    ASSERT_TRUE(parser.next_row());
    ASSERT_TRUE(parser.next_key(key));
    parser.read_raw(out);
    EXPECT_EQ(out, deep);
    EXPECT_FALSE(parser.next_key(key));
  }
  SplitSource source(text, 1000);
  RowParser parser(source);
  ASSERT_TRUE(parser.next_row());
  parser.skip_row();
  EXPECT_EQ(parser.last_row_hash(), row_hash(text));
}

TEST(RowParser, RefusesEveryMalformedRow) {
  const char* const bad[] = {
      "[]", "1", "{", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 }", "{ \"a\":1}", "{\"a\": 1}", "{\"a\" :1}", "{a:1}", "{\"a\":1,\"b\"}", "{\"a\":01}", "{\"a\":-}",
      "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":+1}", "{\"a\":1-2}", "{\"a\":--1}", "{\"a\":tru}", "{\"a\":nul}", "{\"a\":falsE}", "{\"a\":\"}", "{\"a\":\"\n\"}", "{\"a\":\"\t\"}",
      "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800x\"}", "{\"a\":\"\\ud800\\n\"}", "{\"a\":\"\\ud800\\u0041\"}",
      "{\"a\":[}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":{\"b\"}}", "{\"a\":{1:2}}", "{\"a\":{\"b\":1,}}", "{\"a\":[1}", "{\"a\":{\"b\":1]}", "{\"a\":[1,\n2]}", "{\"a\":[1\t]}",
      "{\"a\":1}}", "{\"a\":1}{}", "{\"a\":1},{}", "{\"a\":1}\n{}", "{\"a\":1},\n", "{\"a\":1},\n[]", "{\"a\":1},\n\n{}", "{\"a\":1} ", "{\"a\":NaN}", "{\"a\":Infinity}", "\xef\xbb\xbf{}",
      "{\"a\":1,1}", "{1}", "{\"a\\u0000\":1}", "{\"a",
  };
  for (const char* text : bad)
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}})
      for (const bool read : {true, false}) {
        SplitSource source(text, step);
        RowParser parser(source);
        const std::string what = raised_text([&] {
          while (parser.next_row())
            if (read)
              describe_object(parser);
            else
              parser.skip_row();
        });
        EXPECT_TRUE(what.starts_with("XX001: row ")) << text << " " << what;
        EXPECT_NE(what.find(" of the backup is malformed: "), std::string::npos) << what;
      }
}

TEST(RowParser, NamesTheRowAndNeverAValue) {
  SingleTextSource source("{\"a\":1},\n{\"password\":\"secret\\x\"}");
  RowParser parser(source, 1000);
  ASSERT_TRUE(parser.next_row());
  EXPECT_EQ(parser.row_number(), 1000u);
  parser.skip_row();
  EXPECT_EQ(parser.place(), 1001u);
  ASSERT_TRUE(parser.next_row());
  EXPECT_EQ(parser.place(), 1001u);
  EXPECT_EQ(raised_text([&] { parser.skip_row(); }), "XX001: row 1001 of the backup is malformed: unknown escape in a string");
  EXPECT_EQ(raised_text([&] { parser.fail("wrong number of fields"); }), "XX001: row 1001 of the backup is malformed: wrong number of fields");
}

TEST(RowParser, KeepsTheDigitsOfNumbers) {
  SingleTextSource source(R"({"a":9007199254740993,"b":1.10,"c":-0.0,"d":1E400})");
  RowParser parser(source);
  ASSERT_TRUE(parser.next_row());
  EXPECT_EQ(describe_object(parser), "{a=9007199254740993;b=1.10;c=-0.0;d=1E400;}");
}

TEST(RowParser, RefusesAValueOfAnotherKind) {
  const auto with = [](const char* text, auto&& action) {
    SingleTextSource source(text);
    RowParser parser(source);
    std::string_view key;
    parser.next_row();
    parser.next_key(key);
    return raised_text([&] { action(parser); });
  };
  std::string out;
  EXPECT_TRUE(with(R"({"a":1})", [&](RowParser& p) { p.read_string(out); }).starts_with("XX001"));
  EXPECT_TRUE(with(R"({"a":"1"})", [&](RowParser& p) { p.read_scalar(out); }).starts_with("XX001"));
  EXPECT_TRUE(with(R"({"a":null})", [&](RowParser& p) { p.read_scalar(out); }).starts_with("XX001"));
  EXPECT_TRUE(with(R"({"a":1})", [&](RowParser& p) { p.read_null(); }).starts_with("XX001"));
  EXPECT_TRUE(with(R"({"a":1})", [&](RowParser& p) { p.enter_object(); }).starts_with("XX001"));
  EXPECT_TRUE(with(R"({"a":1})", [&](RowParser& p) { p.enter_array(); }).starts_with("XX001"));
  EXPECT_TRUE(with(R"({"a":})", [&](RowParser& p) { p.peek(); }).starts_with("XX001"));
}

TEST(RowParser, RefusesCallsOutOfOrder) {
  SingleTextSource source(R"({"a":[1]})");
  RowParser parser(source);
  std::string_view key;
  EXPECT_TRUE(raised_text([&] { parser.next_key(key); }).starts_with("XX000"));
  ASSERT_TRUE(parser.next_row());
  EXPECT_TRUE(raised_text([&] { parser.next_row(); }).starts_with("XX000"));
  EXPECT_TRUE(raised_text([&] { parser.next_element(); }).starts_with("XX000"));
  ASSERT_TRUE(parser.next_key(key));
  EXPECT_TRUE(raised_text([&] { parser.next_key(key); }).starts_with("XX000"));
  parser.enter_array();
  EXPECT_TRUE(raised_text([&] { parser.next_key(key); }).starts_with("XX000"));
  ASSERT_TRUE(parser.next_element());
  EXPECT_TRUE(raised_text([&] { parser.next_element(); }).starts_with("XX000"));
}

TEST(RowParser, ReadsNoRowFromNoText) {
  SingleTextSource source("");
  RowParser parser(source);
  EXPECT_FALSE(parser.next_row());
  EXPECT_EQ(parser.fingerprint(), Fingerprint{});
}

// What a source raises (damage, cancel) comes through unchanged.
TEST(RowParser, PassesOnWhatTheSourceRaises) {
  class Failing final : public TextSource {
   public:
    std::string_view next() override {
      if (calls_++ == 0) return R"({"a":"be)";
      throw error(sqlstate::query_canceled, "canceling statement");
    }

   private:
    int calls_ = 0;
  } source;
  RowParser parser(source);
  std::string_view key;
  std::string out;
  ASSERT_TRUE(parser.next_row());
  ASSERT_TRUE(parser.next_key(key));
  EXPECT_EQ(raised_text([&] { parser.read_raw(out); }), "57014: canceling statement");
}

}  // namespace
}  // namespace snapback
