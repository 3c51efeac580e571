#include "core/graph/embedded_ids.hpp"

#include <gtest/gtest.h>

namespace snapback::graph {
namespace {

std::string found(const std::vector<EmbeddedId>& ids) {
  std::string list;
  for (auto& id : ids) list += (list.empty() ? "" : " ") + std::to_string(id.offset) + ":" + std::to_string(id.size) + (id.quoted ? "'" : "") + id.id;
  return list;
}

std::string at_path(std::string_view json, const char* path) { return found(ids_in_json(json, *parse_path(path))); }

TEST(EmbeddedIds, InJson) {
  EXPECT_EQ(at_path(R"({"a":"x","b":7})", "$.a"), "6:1'x");
  EXPECT_EQ(at_path(R"({"a":"x","b": 7 })", "$.b"), "14:1" "7");
  EXPECT_EQ(at_path(R"({"blocks":[{"lessonId":"u1"},{"lessonId":12},{"other":1},{"lessonId":1.5}]})", "$.blocks[*].lessonId"), "24:2'u1 41:212");
  EXPECT_EQ(at_path(R"({"a":{"b":[{"id":1}]},"id":2,"c":[]})", "$.**.id"), "17:11 27:12");
  EXPECT_EQ(at_path(R"(["x","y"])", "$[*]"), "2:1'x 6:1'y");
  EXPECT_EQ(at_path(R"({"k\u0031":"a\u0062"})", "$.k1"), "12:7'ab");
  EXPECT_EQ(at_path(R"({"a":true,"b":{}, "c" : [ ] })", "$.a"), "");
  EXPECT_EQ(at_path(R"("u1")", "$"), "1:2'u1");
}

TEST(EmbeddedIds, NothingInWhatIsNoJson) {
  for (auto* bad : {"", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{a:1}", "[1", "\"x", "{\"a\":\"x\\", "[1]x", "{\"a\":,}", "{\"a\":\"\\q\"}", "{\"a\" 1}"}) EXPECT_EQ(at_path(bad, "$.**.a"), "") << bad;
  EXPECT_EQ(at_path(std::string(2000, '[') + std::string(2000, ']'), "$.**.a"), "");
}

TEST(EmbeddedIds, InText) {
  EXPECT_EQ(found(ids_in_text("see [x](/lessons/u-1) and /lessons/7.", "/lessons/", "")), "17:3u-1 35:17");
  EXPECT_EQ(found(ids_in_text("<a id=7><a id=x>", "id=", ">")), "6:17 14:1x");
  EXPECT_EQ(found(ids_in_text("/lessons/", "/lessons/", "")), "");
  EXPECT_EQ(found(ids_in_text("{a,b-1,NULL}", "", "")), "1:1a 3:3b-1 7:4NULL");
  EXPECT_EQ(found(ids_in_text("/lessons/7x", "/lessons/", "y")), "");
}

TEST(EmbeddedIds, LongWords) {
  std::string list;
  long_words("a 00000000-0000-4000-8000-000000000001, short/clh3am1f30000udocc0p5qjsk", [&](std::string_view word) { list += std::string(word) + ";"; });
  EXPECT_EQ(list, "00000000-0000-4000-8000-000000000001;clh3am1f30000udocc0p5qjsk;");
}

TEST(EmbeddedIds, NamedIds) {
  for (auto* name : {"id", "ids", "lesson_id", "lessonId", "lessonIds", "courseID"}) EXPECT_TRUE(names_an_id(name)) << name;
  for (auto* name : {"paid", "idea", "_id", "title", "Id"}) EXPECT_FALSE(names_an_id(name)) << name;
  std::string list;
  named_ids_in_json(R"({"lessonId":7,"x":8,"ids":[1,"b"],"deep":{"quiz_id":"q"}})", [&](std::string_view member, std::string_view id) { list += std::string(member) + "=" + std::string(id) + ";"; });
  EXPECT_EQ(list, "lessonId=7;ids=1;ids=b;quiz_id=q;");
}

TEST(EmbeddedIds, ArrayText) {
  std::string text;
  ASSERT_TRUE(array_text(R"(["a\"b\\",1,true,null,[1,2],{"x":1}])", text));
  EXPECT_EQ(text, R"({"a\"b\\","1","true",NULL,{"1","2"},"{\"x\":1}"})");
  EXPECT_FALSE(array_text("{}", text));
  EXPECT_FALSE(array_text("[", text));
}

}  // namespace
}  // namespace snapback::graph
