#include "core/graph/document_reader.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace snapback::graph {
namespace {

class NoInterrupts final : public Interrupts {
 public:
  void check() override { ++checks; }
  int checks = 0;
};

struct Read {
  Document document;
  PlanReport report;
};

Read read(const std::string& text, DocumentLimits limits = {}) {
  Read result;
  NoInterrupts interrupts;
  result.document = read_document(text, limits, result.report, interrupts);
  return result;
}

std::string refused(const std::string& text, DocumentLimits limits = {}) {
  try {
    read(text, limits);
  } catch (const error& e) {
    return std::string(e.sqlstate()) + " " + e.detail();
  }
  return "read";
}

std::string with_tables(const std::string& tables) { return R"({"format":"pg_snapback_graph","version":1,"profile":"course","root":{"table":"courses","key":[7]},"source":{"system":"s-1"},"tables":[)" + tables + "]}"; }

std::string codes(const PlanReport& report) {
  std::string list;
  for (auto& problem : report.to_json()) list += (list.empty() ? "" : " ") + problem["code"].get<std::string>();
  return list;
}

TEST(DocumentReader, RowsByColumn) {
  auto [document, report] = read(with_tables(
      R"({"name":"courses","class":"root","key":["id"],"natural_key":["x"],"columns":[{"name":"id","type":"bigint","form":"number"},{"name":"title","type":"text"}],
         "references":[{"kind":"json","column":"a","path":"$.b","table":"c"},{"kind":"foreign_key","columns":["p"],"table":"courses","to":["id"]}],
         "rows":[{"id":7,"title":"A\"\u00e9\n","tags":["x",{"y":null,"z":[1.50,true]}],"none":null},{"title":"B","id":9007199254740993,"ok":false,"n":-1,"f":1.10}]})"));
  EXPECT_EQ(codes(report), "");
  EXPECT_EQ(document.profile, "course");
  ASSERT_EQ(document.tables.size(), 1u);
  auto& table = *document.table("courses");
  EXPECT_EQ(document.table("nothing"), nullptr);
  EXPECT_EQ(table.table_class, "root");
  EXPECT_EQ(table.key, std::vector<std::string>{"id"});
  EXPECT_EQ(table.columns[0].type, "bigint");
  ASSERT_EQ(table.references.size(), 1u);
  EXPECT_EQ(table.references[0].to, std::vector<std::string>{"id"});
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(document.row_count(), 2u);
  auto cell = [&](std::size_t row, const char* name) { return table.rows[row][*table.column(name)]; };
  EXPECT_EQ(cell(0, "title").text, "A\"\u00e9\n");
  EXPECT_EQ(cell(0, "tags").kind, DocumentCell::Kind::structure);
  EXPECT_EQ(cell(0, "tags").text, R"(["x",{"y":null,"z":[1.50,true]}])");
  EXPECT_EQ(cell(0, "none").kind, DocumentCell::Kind::null);
  EXPECT_FALSE(cell(0, "none").has_value());
  EXPECT_EQ(cell(1, "id").text, "9007199254740993");
  EXPECT_EQ(cell(1, "id").kind, DocumentCell::Kind::number);
  EXPECT_EQ(cell(1, "ok").text, "false");
  EXPECT_EQ(cell(1, "n").text, "-1");
  EXPECT_EQ(cell(1, "f").text, "1.10");
  EXPECT_EQ(table.column("nothing"), std::nullopt);
  EXPECT_EQ(table.place(1), "tables[0].rows[1]");
  EXPECT_EQ(table.place(1, "id"), "tables[0].rows[1].id");
}

TEST(DocumentReader, EscapesInsideValuesStay) {
  auto [document, report] = read(with_tables(R"({"name":"a","rows":[{"j":{"k\"\\":"\u0001\t\"x\\"}}]})"));
  auto again = Json::parse(document.tables[0].rows[0][0].text);
  EXPECT_EQ(again["k\"\\"], "\x01\t\"x\\");
}

TEST(DocumentReader, TheDigestIsOfTheContent) {
  auto one = read(with_tables(R"({"name":"a","columns":[{"name":"id"}],"rows":[{"id":1,"j":{"a":1,"b":2},"n":null}]},{"name":"b","rows":[]})")).document.digest;
  auto other = read(R"({"version":1, "tables":[{"rows":[],"name":"b"},{"rows":[{"j":{"b":2,"a":1},"id":1}],"name":"a"}],"source":{"system":"s-1","database":"x"},"root":{"key":[7],"table":"courses"},"profile":"course","format":"pg_snapback_graph","report":{}})").document.digest;
  EXPECT_EQ(one, other);
  EXPECT_NE(one, read(with_tables(R"({"name":"a","rows":[{"id":2}]})")).document.digest);
}

TEST(DocumentReader, WhatIsNoDocument) {
  EXPECT_EQ(refused("").substr(0, 5), "22P02");
  EXPECT_EQ(refused("{").substr(0, 5), "22P02");
  EXPECT_EQ(refused(with_tables("").substr(0, 60)).substr(0, 5), "22P02");
  EXPECT_EQ(refused("[]"), "22023 It is an array.");
  EXPECT_EQ(refused("7"), "22023 It is not an object.");
  EXPECT_EQ(refused("{}"), "22023 It has no member \"format\".");
  EXPECT_EQ(refused(R"({"format":"pg_snapback_graph"})"), "22023 It has no member \"version\".");
  EXPECT_EQ(refused(R"({"format":"pg_snapback_graph","version":1})"), "22023 It has no list \"tables\".");
  EXPECT_EQ(refused(R"({"format":"other"})"), "22023 Its \"format\" is not \"pg_snapback_graph\".");
  EXPECT_EQ(refused(R"({"format":"pg_snapback_graph","format":1})"), "22023 It has the member \"format\" twice.");
  for (auto* version : {"0", "-1", "1.5", "\"1\"", "null", "12345678901"}) EXPECT_EQ(refused(std::string(R"({"version":)") + version + "}"), "22023 Its \"version\" is not a whole number from 1.") << version;
  EXPECT_EQ(refused(R"({"version":2})").substr(0, 5), "0A000");
  EXPECT_EQ(refused(R"({"profile":7})"), "22023 Its \"profile\" is not a text.");
  EXPECT_EQ(refused(R"({"root":[]})"), "22023 Its \"root\" is not an object.");
  EXPECT_EQ(refused(R"({"tables":7})"), "22023 Its \"tables\" is not a list.");
  EXPECT_EQ(refused(R"({"tables":{}})"), "22023 Its \"tables\" is not a list.");
  EXPECT_EQ(refused(R"({"tables":[],"tables":[]})"), "22023 It has the member \"tables\" twice.");
  EXPECT_EQ(refused(R"({"tables":[7]})"), "22023 An element of \"tables\" is not an object.");
  EXPECT_EQ(refused(R"({"tables":[[]]})"), "22023 An element of \"tables\" is not an object.");
}

TEST(DocumentReader, HeadsThatAreNone) {
  auto detail = [](const std::string& table) { return refused(with_tables(table)); };
  EXPECT_EQ(detail("{}"), "22023 Element 0 of \"tables\" has no name.");
  for (auto* head : {R"("name":7)", R"("name":"")", R"("name":"a","name":"b")", R"("class":7)", R"("key":7)", R"("key":[7])", R"("columns":7)", R"("columns":[7])", R"("columns":[{}])", R"("columns":[{"name":7}])",
                     R"("references":7)", R"("references":[7])", R"("references":[{}])", R"("references":[{"table":"a"}])", R"("references":[{"table":"a","columns":7}])",
                     R"("references":[{"table":"a","columns":["x"],"to":[]}])", R"("rows":7)", R"("rows":{})"})
    EXPECT_EQ(detail(std::string("{") + head + "}").substr(0, 5), "22023") << head;
  EXPECT_EQ(detail(R"({"name":"a"},{"name":"a"})"), "22023 Table \"a\" stands in it twice.");
  EXPECT_EQ(detail(R"({"name":"a","rows":[{}],"rows":[]})"), "22023 A table has the member \"rows\" twice.");
}

TEST(DocumentReader, FlawsOfRowsAreReported) {
  auto [document, report] = read(with_tables(R"({"name":"a","rows":[7,[1,[2]],"x",{"id":1,"id":2},{"t":"a\u0000b"},null]})"));
  EXPECT_EQ(codes(report), "row_not_object duplicate_column invalid_text");
  EXPECT_EQ(report.errors(), 6u);
  EXPECT_EQ(document.tables[0].rows.size(), 2u);
  EXPECT_EQ(document.tables[0].rows[0][0].text, "1");
}

TEST(DocumentReader, Limits) {
  DocumentLimits limits;
  limits.bytes = 10;
  EXPECT_EQ(refused(with_tables(""), limits).substr(0, 5), "54000");
  limits = {};
  limits.rows = 2;
  EXPECT_EQ(refused(with_tables(R"({"name":"a","rows":[{},{},{}]})"), limits), "54000 It has more than 2 rows.");
  limits = {};
  limits.tables = 1;
  EXPECT_EQ(refused(with_tables(R"({"name":"a"},{"name":"b"})"), limits), "54000 It has more than 1 tables.");
  limits = {};
  limits.columns = 1;
  EXPECT_EQ(refused(with_tables(R"({"name":"a","rows":[{"x":1,"y":2}]})"), limits), "54000 Table \"a\" has more than 1 columns.");
  limits = {};
  limits.depth = 3;
  EXPECT_EQ(refused(with_tables(R"({"name":"a","rows":[{"x":[[[]]]}]})"), limits), "read");
  EXPECT_EQ(refused(with_tables(R"({"name":"a","rows":[{"x":[[[[]]]]}]})"), limits), "54000 A value is nested more than 3 levels deep.");
  EXPECT_EQ(refused(std::string(100000, '[')).substr(0, 5), "22023");
  EXPECT_EQ(refused(R"({"x":)" + std::string(100000, '[')).substr(0, 5), "54000");
  EXPECT_EQ(refused(R"({"report":{"x":")" + std::string(5 << 20, 'x') + "\"}}"), "54000 A member beside the rows has more than 4 MiB.");
}

TEST(DocumentReader, CanBeInterrupted) {
  std::string rows = "{}";
  for (int i = 0; i < 3000; ++i) rows += ",{}";
  NoInterrupts interrupts;
  PlanReport report;
  (void)read_document(with_tables(R"({"name":"a","rows":[)" + rows + "]}"), {}, report, interrupts);
  EXPECT_EQ(interrupts.checks, 2);
}

}  // namespace
}  // namespace snapback::graph
