#include "core/graph/exact_json.hpp"

#include <gtest/gtest.h>

namespace snapback::graph {
namespace {

TEST(ExactJson, NumbersThatDoublesHold) {
  for (const char* json : {"1", "-1", "0", "0.5", "123456789012345", "0.001", "100000000000000000000", R"({"a": [1, 2.5, "1.10"]})", R"("1.10")", "true", "null", R"({"k\"": "1.0"})", R"("\\1.10")", "[]"})
    EXPECT_TRUE(survives_doubles(json)) << json;
  for (const char* json : {"1.10", "1.0", "0.0", "12345678901234567890", "0.1234567890123456", "1000000000000000000000", "1e5", R"({"a": [1, 2.50]})", "[9007199254740993]"})
    EXPECT_FALSE(survives_doubles(json)) << json;
  EXPECT_FALSE(survives_doubles(std::string(300, '1')));
}

TEST(ExactJson, WhatLooksLikeTheWrapping) {
  EXPECT_FALSE(survives_doubles(R"({"$json": 1})"));
  EXPECT_FALSE(survives_doubles(R"({ "$json":"1"})"));
  EXPECT_TRUE(survives_doubles(R"({"json": "$json"})"));
  EXPECT_TRUE(survives_doubles(R"(["$json"])"));
  EXPECT_TRUE(survives_doubles("{}"));
}

TEST(ExactJson, Wraps) {
  std::string out;
  append_wrapped_json(out, "{\"a\": 1.10, \"b\": \"\\n\"}");
  EXPECT_EQ(out, R"({"$json":"{\"a\": 1.10, \"b\": \"\\n\"}"})");
  std::string text;
  append_json_string(text, std::string_view("a\x01\n\"\\\x1f\xc3\xa9", 8));
  EXPECT_EQ(text, "\"a\\u0001\\u000a\\\"\\\\\\u001f\xc3\xa9\"");
}

TEST(ExactJson, ScalarsAsText) {
  EXPECT_EQ(scalar_text("12.50"), "12.50");
  EXPECT_EQ(scalar_text("true"), "true");
  EXPECT_EQ(scalar_text(R"("")"), "");
  EXPECT_EQ(scalar_text(R"("a\"b\\c\/\b\f\n\r\t")"), "a\"b\\c/\b\f\n\r\t");
  EXPECT_EQ(scalar_text(R"("\u00e9\u20AC\ud83d\ude00!")"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!");
}

}  // namespace
}  // namespace snapback::graph
