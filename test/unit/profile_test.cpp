#include "core/graph/profile.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace snapback::graph {
namespace {

Json sample() {
  return Json::parse(R"json({
    "format": "pg_snapback_profile", "version": 1, "root": "courses",
    "tables": {
      "courses": {"class": "root", "names": ["courses", "Course"], "force": {"status": "DRAFT", "published": false}, "unique": {"slug": "suffix"}},
      "lessons": {
        "class": "own", "columns": {"video": ["videoUrl", "video_url"]}, "key": "id", "order": ["position"], "owned_by": [["course_id"], ["parent_id"]],
        "omit": ["search"], "filter": {"deleted_at": null, "kind": ["text", "video"]}, "reset": {"views": 0}, "fill": {"updated_at": "now"},
        "context": {"tenant_id": "tenant"}, "id": {"expression": "gen_random_uuid()"}, "enum_map": {"kind": {"OLD": "NEW"}},
        "references": [
          {"columns": ["course_id"], "table": "courses"},
          {"kind": "foreign_key", "columns": ["a", "b"], "table": "courses", "to": ["x", "y"]},
          {"kind": "polymorphic", "type_column": "owner_type", "column": "owner_id", "types": {"Course": "courses"}},
          {"kind": "array", "column": "related", "table": "lessons"},
          {"kind": "json", "column": "content", "path": "$.blocks[*].lessonId", "table": "lessons"},
          {"kind": "text", "column": "body", "pattern": "/lessons/{id})", "table": "lessons"}]},
      "competencies": {"class": "ref", "natural_key": [["code"], ["name"]], "missing": "create"},
      "genres": {"class": "ref", "natural_key": ["name"], "display": ["color"], "missing": "skip_row", "reason": "shared", "rows": 3},
      "bank": {"class": "bank", "hash": ["text"], "id": "cuid"},
      "users": {"class": "context"},
      "progress": {"class": "exclude"}
    }})json");
}

std::string problems_of(const Json& definition) {
  try {
    parse_profile("course", definition);
  } catch (const error& problem) {
    EXPECT_STREQ(problem.sqlstate(), sqlstate::invalid_parameter_value);
    EXPECT_EQ(problem.message(), "profile \"course\" is not valid");
    return problem.detail();
  }
  return "";
}

TEST(Profile, ReadsEveryMember) {
  const Profile profile = parse_profile("course", sample());
  EXPECT_EQ(profile.root, "courses");
  EXPECT_TRUE(profile.strict);
  const auto& lessons = *profile.table("lessons");
  EXPECT_EQ(lessons.table_class, TableClass::own);
  EXPECT_EQ(lessons.names, std::vector<std::string>{"lessons"});
  EXPECT_EQ(lessons.key, std::vector<std::string>{"id"});
  EXPECT_EQ(lessons.owned_by.size(), 2u);
  EXPECT_EQ(lessons.filter[0].values, std::vector<Json>{nullptr});
  EXPECT_EQ(lessons.filter[1].values.size(), 2u);
  EXPECT_EQ(lessons.id, IdGenerator::expression);
  EXPECT_EQ(lessons.id_expression, "gen_random_uuid()");
  ASSERT_EQ(lessons.references.size(), 6u);
  EXPECT_EQ(lessons.references[0].kind, ReferenceKind::foreign_key);
  EXPECT_EQ(lessons.references[2].types[0].second, "courses");
  EXPECT_EQ(lessons.references[4].path.size(), 3u);
  EXPECT_EQ(lessons.references[5].before, "/lessons/");
  EXPECT_EQ(lessons.references[5].after, ")");
  EXPECT_TRUE(profile.table("competencies")->whole);
  EXPECT_EQ(profile.table("competencies")->missing, MissingPolicy::create);
  EXPECT_EQ(profile.table("genres")->natural_key[0], std::vector<std::string>{"name"});
  EXPECT_EQ(profile.table("courses")->unique[0].second, UniquePolicy::suffix);
  EXPECT_EQ(profile.table("nothing"), nullptr);
}

TEST(Profile, WritesWhatItReads) {
  const Json once = profile_to_json(parse_profile("course", sample()));
  EXPECT_EQ(profile_to_json(parse_profile("course", once)).dump(), once.dump());
  EXPECT_EQ(once["tables"]["lessons"]["filter"].dump(), R"json({"deleted_at":null,"kind":["text","video"]})json");
  EXPECT_EQ(once["tables"]["lessons"]["references"][5]["pattern"], "/lessons/{id})");
}

TEST(Profile, NamesEveryProblemWithItsPlace) {
  const std::string problems = problems_of(Json::parse(R"json({
    "format": "other", "version": 2, "name": "x", "strict": 1, "more": 1, "root": "courses",
    "tables": {
      "courses": {"class": "own", "names": [], "columns": 1, "enum_map": [], "unique": {"slug": "never"}},
      "other": {"class": "root"},
      "lessons": {"klass": "own", "id": "snowflake", "key": 1, "owned_by": {}, "fill": {"a": []}, "filter": {"a": {}, "b": []}, "order": [""], "context": {"a": 1}, "whole": 1}
    }})json"));
  for (const char* expected :
       {"$.format: must be pg_snapback_profile", "$.version: is newer", "$.name: must be \"course\"", "$.strict: must be true or false", "$: unknown member \"more\"",
        "$.tables.courses.names: must name a table", "$.tables.courses.columns: must be an object", "$.tables.courses.enum_map: must be an object",
        "$.tables.courses.unique.slug: must be one of suffix, regenerate, null, error", "$.tables.lessons: unknown member \"klass\"",
        "$.tables.lessons.id: must be one of", "$.tables.lessons.key: must be a list of names", "$.tables.lessons.owned_by: must be a list of lists",
        "$.tables.lessons.fill.a: must be null", "$.tables.lessons.filter.a: must be a value", "$.tables.lessons.filter.b: must name a value",
        "$.tables.lessons.order[0]: must be a string", "$.tables.lessons.context.a: must be a string", "$.tables.lessons.whole: must be true or false", "more"})
    EXPECT_NE(problems.find(expected), std::string::npos) << expected << "\n" << problems;
}

TEST(Profile, ChecksTheWhole) {
  EXPECT_NE(problems_of(Json::array()).find("$: must be an object"), std::string::npos);
  EXPECT_NE(problems_of(Json::object()).find("$: needs \"root\""), std::string::npos);
  EXPECT_NE(problems_of(Json::parse(R"json({"root":"a","tables":{}})json")).find("$.root: table \"a\" is not in the profile"), std::string::npos);
  EXPECT_NE(problems_of(Json::parse(R"json({"root":"a","tables":{"a":{"class":"own"}}})json")).find("$.tables.a: must be of class root"), std::string::npos);
  EXPECT_NE(problems_of(Json::parse(R"json({"root":"a","tables":{"a":{"class":"root"},"b":{"class":"root"}}})json")).find("only \"a\" may be of class root"), std::string::npos);
  EXPECT_NE(problems_of(Json::parse(R"json({"root":"a","tables":{"a":{"class":"root","missing":"error"}}})json")).find("for tables of class ref"), std::string::npos);
  EXPECT_NE(problems_of(Json::parse(R"json({"version":"1","root":"a","tables":[]})json")).find("$.tables: must be an object"), std::string::npos);
  EXPECT_NE(problems_of(Json::parse(R"json({"root":"a","tables":{"a":{"class":"root"},"b":3}})json")).find("$.tables.b: must be an object"), std::string::npos);
}

TEST(Profile, ChecksReferences) {
  const auto with = [](const char* reference) {
    Json definition = Json::parse(R"json({"root":"a","tables":{"a":{"class":"root"}}})json");
    definition["tables"]["a"]["references"].push_back(Json::parse(reference));
    return problems_of(definition);
  };
  const std::pair<const char*, const char*> cases[] = {
      {R"json(1)json", "references[0]: must be an object"},
      {R"json({"kind":"foreign"})json", "references[0].kind: must be one of"},
      {R"json({"columns":["b"]})json", "references[0]: needs \"table\""},
      {R"json({"columns":["b"],"table":"c"})json", "table \"c\" is not in the profile"},
      {R"json({"table":"a"})json", "needs \"columns\""},
      {R"json({"columns":["b"],"table":"a","to":["x","y"]})json", "references[0].to: must name as many columns"},
      {R"json({"kind":"array","columns":["b","c"],"table":"a"})json", "needs \"column\""},
      {R"json({"kind":"json","column":"b","table":"a"})json", "needs \"path\""},
      {R"json({"kind":"json","column":"b","table":"a","path":"b"})json", "references[0].path: must be a path"},
      {R"json({"kind":"text","column":"b","table":"a"})json", "needs \"pattern\""},
      {R"json({"kind":"text","column":"b","table":"a","pattern":"x"})json", "must hold {id} once"},
      {R"json({"kind":"text","column":"b","table":"a","pattern":"{id}x"})json", "must have some text before {id}"},
      {R"json({"kind":"polymorphic","column":"b"})json", "needs \"type_column\""},
      {R"json({"kind":"polymorphic","column":"b","type_column":"t","types":{"X":"c"}})json", "references.types.X: table \"c\""},
      {R"json({"kind":"polymorphic","column":"b","type_column":"t"})json", "needs \"types\""},
  };
  for (const auto& [reference, expected] : cases) EXPECT_NE(with(reference).find(expected), std::string::npos) << reference << "\n" << with(reference);
  Json definition = Json::parse(R"json({"root":"a","tables":{"a":{"class":"root","references":{},"id":{}}}})json");
  EXPECT_NE(problems_of(definition).find("references: must be a list"), std::string::npos);
  EXPECT_NE(problems_of(definition).find("must be a generator's name"), std::string::npos);
}

TEST(Profile, TextMustBeBoundedJson) {
  EXPECT_EQ(parse_profile("course", std::string_view(sample().dump())).tables.size(), 7u);
  EXPECT_THROW(parse_profile("course", std::string_view("{")), error);
  std::string deep(100'000, '[');
  try {
    parse_profile("course", std::string_view(deep));
    FAIL();
  } catch (const error& problem) {
    EXPECT_STREQ(problem.sqlstate(), sqlstate::invalid_parameter_value);
    EXPECT_EQ(problem.detail(), "profile is damaged: it is nested too deeply");
  }
}

TEST(Profile, ExtendsMemberByMember) {
  const Json base = sample();
  const Json extended = extend_profile(base, Json::parse(R"json({"extends":"course","strict":false,"tables":{
    "lessons": {"order": ["number"], "reset": null}, "progress": null, "grades": {"class": "exclude"}}})json"));
  EXPECT_FALSE(extended.contains("extends"));
  const Profile profile = parse_profile("course", extended);
  EXPECT_FALSE(profile.strict);
  EXPECT_EQ(profile.table("lessons")->order, std::vector<std::string>{"number"});
  EXPECT_TRUE(profile.table("lessons")->reset.empty());
  EXPECT_EQ(profile.table("lessons")->references.size(), 6u);
  EXPECT_EQ(profile.table("progress"), nullptr);
  EXPECT_EQ(profile.table("grades")->table_class, TableClass::exclude);
  EXPECT_EQ(extend_profile(base, Json::parse(R"json({"tables":3})json"))["tables"], 3);
}

TEST(Profile, LogicalColumns) {
  const Profile profile = parse_profile("course", sample());
  EXPECT_EQ(profile.table("lessons")->logical_column("videoUrl"), "video");
  EXPECT_EQ(profile.table("lessons")->logical_column("moduleId"), "module_id");
  EXPECT_EQ(profile.table("lessons")->logical_column("module_id"), "module_id");
}

TEST(Profile, SnakeCase) {
  const std::pair<const char*, const char*> cases[] = {{"moduleId", "module_id"}, {"ModuleID", "module_id"},   {"HTMLText", "html_text"}, {"A", "a"},      {"_CompetencyToLesson", "_competency_to_lesson"},
                                                       {"passing_score", "passing_score"}, {"video2Url", "video2_url"}, {"título", "título"},      {"", ""}};
  for (const auto& [name, expected] : cases) EXPECT_EQ(to_snake_case(name), expected);
}

TEST(Profile, Paths) {
  const auto steps = parse_path("$.blocks[*].\"a b\".**.id");
  ASSERT_TRUE(steps);
  using Kind = PathStep::Kind;
  const std::vector<PathStep> expected{{Kind::member, "blocks"}, {Kind::elements, ""}, {Kind::member, "a b"}, {Kind::any_depth, ""}, {Kind::member, "id"}};
  EXPECT_EQ(*steps, expected);
  EXPECT_TRUE(parse_path("$"));
  for (const char* wrong : {"", "a", "$a", "$.", "$..a", "$.a[0]", "$.\"a", "$.**", "$.\"\""}) EXPECT_FALSE(parse_path(wrong)) << wrong;
}

TEST(Profile, TheShippedOneIsValid) {
  const Profile profile = parse_profile("course", shipped_course_profile());
  EXPECT_EQ(profile.root, "courses");
  const auto& banks = profile.table("bank_questions")->names;
  for (const char* name : {"bank_questions", "BankQuestion", "bankQuestions", "QuestionBankItem"}) EXPECT_NE(std::find(banks.begin(), banks.end(), name), banks.end()) << name;
  EXPECT_EQ(profile.table("lesson_competencies")->logical_column("A"), "competency_id");
  EXPECT_EQ(profile.table("user_progress")->table_class, TableClass::exclude);
  // no physical name stands for two tables
  std::vector<std::string> seen;
  for (const auto& table : profile.tables)
    for (const auto& name : table.names) {
      EXPECT_EQ(std::find(seen.begin(), seen.end(), name), seen.end()) << name;
      seen.push_back(name);
    }
}

TEST(Profile, Words) {
  EXPECT_STREQ(class_name(TableClass::exclude), "exclude");
  EXPECT_STREQ(policy_name(MissingPolicy::skip_row), "skip_row");
  EXPECT_STREQ(policy_name(UniquePolicy::regenerate), "regenerate");
  EXPECT_STREQ(generator_name(IdGenerator::column_default), "default");
  EXPECT_STREQ(kind_name(ReferenceKind::polymorphic), "polymorphic");
}

}  // namespace
}  // namespace snapback::graph
