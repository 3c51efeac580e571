#include "core/format/manifest.hpp"

#include "core/format/json_builder.hpp"
#include "format_support.hpp"

namespace snapback {
namespace {

using test::raised_text;

Manifest sample() {
  Manifest manifest;
  manifest.backup = Json{{"id", "backup_20261121T020000Z_9f3c01ab"}, {"zeta", 1}, {"alpha", Json::array({1.5, true, nullptr, -7})}};
  TableEntry table;
  table.head = test::make_head("subjects");
  table.row_count = 18446744073709551615u;
  table.fingerprint = {1, 2};
  table.logical_bytes = 100;
  table.stored_bytes = 50;
  table.first_frame = 1;
  table.frame_count = 2;
  manifest.tables.push_back(table);
  table.head = test::make_head("línea \"x\"");
  manifest.tables.push_back(table);
  FrameEntry frame;
  frame.size = 10;
  frame.text_size = 20;
  frame.sha256[0] = 0xab;
  manifest.frames.push_back(frame);
  frame.offset = 10;
  frame.has_rows = true;
  frame.rows = 3;
  frame.first_key = R"(["á",1.50])";
  frame.last_key = "[2]";
  frame.fingerprint = {3, 0xff00000000000000};
  manifest.frames.push_back(frame);
  frame.rows = 0;
  frame.continues = true;
  frame.first_key = frame.last_key = "";
  manifest.frames.push_back(frame);
  return manifest;
}

TEST(Manifest, ReadsBackEverythingItWrote) {
  const Manifest before = sample();
  const std::string text = dump_manifest(before);
  const Manifest after = parse_manifest(text);
  EXPECT_EQ(after.backup.dump(), before.backup.dump());
  ASSERT_EQ(after.tables.size(), before.tables.size());
  for (std::size_t i = 0; i < before.tables.size(); ++i) {
    const TableEntry &a = before.tables[i], &b = after.tables[i];
    EXPECT_EQ(a.head.text(), b.head.text());
    EXPECT_EQ(a.row_count, b.row_count);
    EXPECT_EQ(a.fingerprint, b.fingerprint);
    EXPECT_EQ(a.logical_bytes, b.logical_bytes);
    EXPECT_EQ(a.stored_bytes, b.stored_bytes);
    EXPECT_EQ(a.first_frame, b.first_frame);
    EXPECT_EQ(a.frame_count, b.frame_count);
  }
  EXPECT_EQ(after.tables[1].schema(), "public");
  EXPECT_EQ(after.tables[1].name(), "línea \"x\"");
  ASSERT_EQ(after.frames.size(), before.frames.size());
  for (std::size_t i = 0; i < before.frames.size(); ++i) {
    const FrameEntry &a = before.frames[i], &b = after.frames[i];
    EXPECT_EQ(a.offset, b.offset);
    EXPECT_EQ(a.size, b.size);
    EXPECT_EQ(a.text_size, b.text_size);
    EXPECT_EQ(a.has_rows, b.has_rows);
    EXPECT_EQ(a.rows, b.rows);
    EXPECT_EQ(a.continues, b.continues);
    EXPECT_EQ(a.first_key, b.first_key);
    EXPECT_EQ(a.last_key, b.last_key);
    EXPECT_EQ(a.sha256, b.sha256);
    EXPECT_EQ(a.fingerprint, b.fingerprint);
  }
  EXPECT_EQ(dump_manifest(after), text);
  EXPECT_EQ(before.rows(), 18446744073709551614u);
  EXPECT_EQ(before.logical_bytes(), 200u);
}

TEST(Manifest, IsJsonWithOneTableOrFramePerLine) {
  const std::string text = dump_manifest(sample());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
  const Json json = Json::parse(text);
  EXPECT_EQ(json["format"], "pg_snapback");
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["frames"][1]["first_key"], R"(["á",1.50])");
  EXPECT_EQ(json["frames"][1]["sha256"], "ab" + std::string(62, '0'));
  EXPECT_EQ(json["frames"][1]["fingerprint"], "ff000000000000000000000000000003");
  EXPECT_FALSE(json["frames"][0].contains("rows"));
  Manifest empty;
  empty.backup = Json::object();
  EXPECT_TRUE(parse_manifest(dump_manifest(empty)).frames.empty());
}

TEST(Manifest, IgnoresMembersItDoesNotKnow) {
  Json json = Json::parse(dump_manifest(sample()));
  Json extended;
  extended["later"] = Json::parse(R"({"a":[1,{"b":[[]]},-1,2.5,true,null,"x"]})");
  extended["scalar"] = 1;
  for (const auto& [key, value] : json.items()) extended[key] = value;
  extended["frames"][0]["later"] = Json::array({1, Json::object()});
  extended["tables"][0]["later"] = "x";
  extended["tables"][0]["head"]["owner"] = "me";
  extended["list"] = Json::array({1, 2, Json::array()});
  const Manifest manifest = parse_manifest(extended.dump());
  EXPECT_EQ(manifest.tables.size(), 2u);
  EXPECT_EQ(manifest.tables[0].head.json()["owner"], "me");
  EXPECT_EQ(manifest.frames.size(), 3u);
}

TEST(Manifest, RefusesANewerFormatAndSaysWhatToDo) {
  try {
    parse_manifest(R"({"format":"pg_snapback","version":2,"tables":{"not":"a list"}})");
    FAIL();
  } catch (const error& e) {
    EXPECT_STREQ(e.sqlstate(), "0A000");
    EXPECT_EQ(e.message(), "backup has format version 2, this pg_snapback reads up to 1");
    EXPECT_EQ(e.hint(), "Upgrade pg_snapback to read it.");
  }
}

TEST(Manifest, RefusesWhatIsNoManifest) {
  const std::string good = R"({"format":"pg_snapback","version":1,"backup":{},"tables":[],"frames":[]})";
  EXPECT_EQ(raised_text([&] { parse_manifest(good); }), "");
  const std::string frame = R"({"offset":0,"size":1,"text_size":1,"sha256":")" + std::string(64, '0') + '"';
  const std::string rows = frame + R"(,"rows":1,"fingerprint":")" + std::string(32, '0') + '"';
  const std::string head = R"("head":{"schema":"s","name":"n","columns":[]})";
  const std::string totals = R"(,"row_count":0,"fingerprint":")" + std::string(32, '0') + R"(","logical_bytes":0,"stored_bytes":0,"first_frame":0)";
  const auto with = [](const std::string& tables, const std::string& frames) {
    return R"({"format":"pg_snapback","version":1,"backup":{},"tables":[)" + tables + R"(],"frames":[)" + frames + "]}";
  };
  EXPECT_EQ(raised_text([&] { parse_manifest(with("{" + head + totals + R"(,"frame_count":0})", frame + "}," + rows + "}")); }), "");
  const std::string bad[] = {
      "", "{", "[]", "1", "\"x\"", "null", good + "x", "{}",
      R"({"format":"other","version":1,"backup":{},"tables":[],"frames":[]})",
      R"({"format":1,"version":1,"backup":{},"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":"1","backup":{},"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":-1,"backup":{},"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":1.0,"backup":{},"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":0,"backup":{},"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":1,"backup":[],"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":1,"tables":[],"frames":[]})",
      R"({"format":"pg_snapback","version":1,"backup":{},"frames":[]})",
      R"({"format":"pg_snapback","version":1,"backup":{},"tables":[]})",
      R"({"format":"pg_snapback","version":1,"backup":{},"tables":{},"frames":[]})",
      R"({"format":"pg_snapback","version":1,"backup":{},"tables":[],"frames":1})",
      with("1", ""), with("[]", ""), with("{}", ""), with("", "1"), with("", "{}"), with("", "null"),
      with("", frame + R"(,"rows":1})"),
      with("", frame + R"(,"rows":-1})"),
      with("", rows + R"(,"continues":1})"),
      with("", rows + R"(,"first_key":[1]})"),
      with("", frame + R"(,"rows":1,"fingerprint":"00"})"),
      with("", R"({"offset":0,"size":1,"text_size":1,"sha256":"00"})"),
      with("", R"({"offset":0,"size":1.5,"text_size":1,"sha256":"00"})"),
      with("{" + head + totals + "}", ""),
      with("{" + totals.substr(1) + R"(,"frame_count":0})", ""),
      with(R"({"head":[])" + totals + R"(,"frame_count":0})", ""),
      with(R"({"head":{"schema":"s","name":1,"columns":[]})" + totals + R"(,"frame_count":0})", ""),
      with(R"({"head":{"schema":"s","name":"n","columns":1})" + totals + R"(,"frame_count":0})", ""),
      with(R"({"head":{"schema":"s","name":"n","columns":[],"rows":[]})" + totals + R"(,"frame_count":0})", ""),
      with("{" + head + R"(,"row_count":0,"fingerprint":"x","logical_bytes":0,"stored_bytes":0,"first_frame":0,"frame_count":0})", ""),
      "\xff" + good,
  };
  for (const std::string& text : bad) EXPECT_TRUE(raised_text([&] { parse_manifest(text); }).starts_with("XX001: manifest is damaged: ")) << text;
}

TEST(TableHead, IsTextAndKnowsWhatIsAskedForOften) {
  Json head = test::make_head("subjects");
  EXPECT_EQ(TableHead(head).json(), head);
  EXPECT_EQ(TableHead(head).kind(), "");
  EXPECT_EQ(TableHead(head).oid(), 0u);
  head["kind"] = "view";
  head["oid"] = 4294967295u;
  EXPECT_EQ(TableHead(head).kind(), "view");
  EXPECT_EQ(TableHead(head).oid(), 4294967295u);
  EXPECT_EQ(TableHead(head).text(), head.dump());
  head["kind"] = 7;
  head["oid"] = "7";
  EXPECT_EQ(TableHead(head).kind(), "");
  EXPECT_EQ(TableHead(head).oid(), 0u);
  EXPECT_EQ(raised_text([] { TableHead(Json{{"schema", "s"}, {"name", "n"}}); }), "XX000: a table's head lacks schema, name or columns");
}

// Dumping is recursive and looking up a member is linear, so neither depth nor the number of members is the file's to choose.
TEST(Manifest, BoundsDepthAndMembers) {
  const auto with_backup = [](const std::string& backup) {
    return R"({"format":"pg_snapback","version":1,"backup":)" + backup + R"(,"tables":[],"frames":[]})";
  };
  std::string deep(1'000'000, '[');
  EXPECT_EQ(raised_text([&] { parse_manifest(with_backup(deep)); }), "XX001: manifest is damaged: it is nested too deeply");
  std::string many = "{";
  for (int i = 0; i < 2000; ++i) many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  EXPECT_EQ(raised_text([&] { parse_manifest(with_backup(many + "}")); }), "XX001: manifest is damaged: an object has too many members");
  // what is ignored may be as deep as it likes
  const std::string half = deep.substr(0, 100'000);
  const std::string ignored = R"({"later":)" + half + std::string(half.size(), ']') + R"(,"format":"pg_snapback","version":1,"backup":{},"tables":[],"frames":[]})";
  EXPECT_EQ(raised_text([&] { parse_manifest(ignored); }), "");
}

TEST(JsonBuilder, ReadsEveryKindOfValue) {
  const std::string text = R"({"a":[1,-1,1.5,"x",true,false,null,{},[]],"b":{"c":{"d":[[1]]}},"a2":18446744073709551615})";
  EXPECT_EQ(parse_bounded("text", text, 100).dump(), text);
  EXPECT_EQ(parse_bounded("text", "7", 100).dump(), "7");
  EXPECT_EQ(raised_text([] { parse_bounded("text", "{\"a\":", 100); }), "XX001: text is damaged: it is no JSON");
  EXPECT_EQ(raised_text([] { parse_bounded("text", R"({"a":1,"b":2})", 1); }), "XX001: text is damaged: an object has too many members");
}

TEST(DocumentText, RefusesTextThatIsNotUtf8AndWhatIsNoObject) {
  EXPECT_EQ(raised_text([] { dump_object(Json{{"label", "caf\xe9"}}, "the label"); }), "XX000: the label holds text that is not UTF-8");
  EXPECT_EQ(raised_text([] { dump_object(Json::array(), "the label"); }), "XX000: the label is no JSON object");
  Manifest manifest = sample();
  manifest.frames[1].first_key = "[\"\xff\"]";
  EXPECT_TRUE(raised_text([&] { dump_manifest(manifest); }).starts_with("XX000"));
}

Sidecar sample_sidecar() {
  Sidecar sidecar;
  sidecar.id = "backup_20261121T020000Z_9f3c01ab";
  sidecar.sha256 = std::string(64, 'a');
  sidecar.size = 12345678901234567890u;
  sidecar.backup = test::test_backup();
  sidecar.tables = 2;
  sidecar.rows = 3;
  sidecar.logical_bytes = 4;
  sidecar.seconds = 0.125;
  sidecar.verified = "content";
  sidecar.verified_at = "2026-11-21T02:00:00.000000Z";
  sidecar.pinned = true;
  sidecar.problem = "frame 3 is damaged";
  return sidecar;
}

TEST(Sidecar, ReadsBackEverythingItWrote) {
  const Sidecar before = sample_sidecar();
  const Sidecar after = parse_sidecar(dump_sidecar(before));
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.sha256, before.sha256);
  EXPECT_EQ(after.size, before.size);
  EXPECT_EQ(after.backup, before.backup);
  EXPECT_EQ(after.tables, before.tables);
  EXPECT_EQ(after.rows, before.rows);
  EXPECT_EQ(after.logical_bytes, before.logical_bytes);
  EXPECT_EQ(after.seconds, before.seconds);
  EXPECT_EQ(after.verified, before.verified);
  EXPECT_EQ(after.verified_at, before.verified_at);
  EXPECT_EQ(after.pinned, before.pinned);
  EXPECT_EQ(after.problem, before.problem);
}

TEST(Sidecar, IsWrittenEvenWhenAMessageIsNoUtf8) {
  Sidecar sidecar = sample_sidecar();
  sidecar.problem = "bad \xff byte";
  EXPECT_EQ(parse_sidecar(dump_sidecar(sidecar)).problem, "bad \xef\xbf\xbd byte");
}

TEST(Sidecar, ReadsOneWithoutItsOptionalMembersAndWithUnknownOnes) {
  Json json = Json::parse(dump_sidecar(sample_sidecar()));
  for (const char* optional : {"verified_at", "pinned", "problem"}) json.erase(optional);
  json["later"] = 1;
  const Sidecar sidecar = parse_sidecar(json.dump());
  EXPECT_EQ(sidecar.verified_at, "");
  EXPECT_FALSE(sidecar.pinned);
  EXPECT_EQ(sidecar.problem, "");
}

TEST(Sidecar, RefusesWhatIsNoSidecar) {
  const Json good = Json::parse(dump_sidecar(sample_sidecar()));
  for (const auto& item : good.items()) {
    const std::string key = item.key();
    Json wrong = good;
    wrong[key] = Json::array();
    EXPECT_TRUE(raised_text([&] { parse_sidecar(wrong.dump()); }).starts_with("XX001: sidecar is damaged")) << key;
    if (key == "verified_at" || key == "pinned" || key == "problem") continue;
    wrong.erase(key);
    EXPECT_TRUE(raised_text([&] { parse_sidecar(wrong.dump()); }).starts_with("XX001: sidecar is damaged")) << key;
  }
  Json wrong = good;
  wrong["sha256"] = "xyz";
  EXPECT_TRUE(raised_text([&] { parse_sidecar(wrong.dump()); }).starts_with("XX001"));
  wrong = good;
  wrong["verified"] = "believed";
  EXPECT_TRUE(raised_text([&] { parse_sidecar(wrong.dump()); }).starts_with("XX001"));
  wrong = good;
  wrong["version"] = 2;
  EXPECT_TRUE(raised_text([&] { parse_sidecar(wrong.dump()); }).starts_with("0A000"));
  for (const char* text : {"", "{", "[]", "null", "7"}) EXPECT_TRUE(raised_text([&] { parse_sidecar(text); }).starts_with("XX001")) << text;
}

}  // namespace
}  // namespace snapback
