#include "core/graph/plan_report.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace snapback::graph {
namespace {

using Json = nlohmann::ordered_json;

TEST(PlanReport, EqualProblemsAreOne) {
  PlanReport report;
  report.note("column_new", "lessons", "new");
  for (int i = 0; i < 9; ++i) report.warning("id_left", "lessons", "rows[" + std::to_string(i) + "]", "an id", "look", std::to_string(i));
  report.error("value_invalid", "quizzes", "rows[1].score", "no number");
  EXPECT_EQ(report.errors(), 1u);
  EXPECT_EQ(report.warnings(), 9u);
  EXPECT_TRUE(report.has("id_left"));
  EXPECT_FALSE(report.has("other"));
  Json list = report.to_json();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0], (Json{{"severity", "error"}, {"code", "value_invalid"}, {"count", 1}, {"message", "no number"}, {"table", "quizzes"}, {"place", "rows[1].score"}, {"examples", {{{"place", "rows[1].score"}}}}}));
  EXPECT_EQ(list[1]["count"], 9);
  EXPECT_EQ(list[1]["hint"], "look");
  EXPECT_EQ(list[1]["examples"].size(), PlanReport::shown_examples);
  EXPECT_EQ(list[1]["examples"][4], (Json{{"place", "rows[4]"}, {"id", "4"}}));
  EXPECT_EQ(list[2]["severity"], "note");
  EXPECT_FALSE(list[2].contains("examples"));
}

TEST(PlanReport, TheHashIsOfTheFacts) {
  EXPECT_EQ(plan_hash({{"a", 1}, {"b", {{"x", 1}, {"y", 2}}}}), plan_hash({{"b", {{"y", 2}, {"x", 1}}}, {"a", 1}}));
  EXPECT_NE(plan_hash({{"a", 1}}), plan_hash({{"a", 2}}));
  EXPECT_EQ(plan_hash({}).size(), 64u);
}

TEST(PlanReport, RowsOfAReportThatCameBack) {
  auto rows = report_rows(Json::parse(R"({"problems":[{"severity":"error","code":"x","table":"t","count":3,"place":"p","message":"m","hint":"h"},{"count":"many"}]})"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].severity + rows[0].code + rows[0].table + rows[0].place + rows[0].message + rows[0].hint, "errorxtpmh");
  EXPECT_EQ(rows[0].count, 3);
  EXPECT_EQ(rows[1].count, 1);
  for (auto* bad : {"[]", "7", "{}", R"({"problems":7})", R"({"problems":[7]})"}) EXPECT_THROW(report_rows(Json::parse(bad)), error) << bad;
}

}  // namespace
}  // namespace snapback::graph
