// The profile `course` that ships: conventional tables of a learning platform, in snake_case and as Prisma names them.
#include <algorithm>

#include "core/graph/profile.hpp"

namespace snapback::graph {

namespace {

// bank_questions -> BankQuestions
std::string pascal_case(const std::string& snake) {
  std::string pascal;
  bool begins = true;
  for (const char c : snake) {
    if (c == '_') {
      begins = true;
      continue;
    }
    pascal += begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    begins = false;
  }
  return pascal;
}

std::string camel_case(const std::string& snake) {
  std::string camel = pascal_case(snake);
  if (!camel.empty() && camel[0] >= 'A' && camel[0] <= 'Z') camel[0] = static_cast<char>(camel[0] - 'A' + 'a');
  return camel;
}

struct Noun {
  std::string plural, singular;  // snake_case
};

// Every conventional name of tables of these things: bank_questions, bank_question, BankQuestion, BankQuestions, bankQuestions.
Json conventional_names(const std::vector<Noun>& nouns) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  for (const auto& [plural, singular] : nouns) {
    add(plural);
    add(singular);
    add(pascal_case(singular));
    add(pascal_case(plural));
    add(camel_case(plural));
  }
  return names;
}

Json refers(const char* column, const char* table) { return Json{{"kind", "foreign_key"}, {"columns", {column}}, {"table", table}}; }

// What rows of every copied table have in common. A profile may name columns that a table does not have.
Json copied(const char* table_class, const std::vector<Noun>& nouns, Json references) {
  Json table{{"class", table_class}, {"names", conventional_names(nouns)}};
  table["order"] = {"position", "order", "order_index", "sort_order", "display_order", "order_number", "ordinal", "sequence", "sequence_number", "number"};
  table["context"] = {{"tenant_id", "tenant_id"},   {"organization_id", "organization_id"}, {"school_id", "school_id"},   {"author_id", "author_id"}, {"created_by", "author_id"},
                      {"created_by_id", "author_id"}, {"updated_by", "author_id"},          {"updated_by_id", "author_id"}, {"owner_id", "author_id"},  {"user_id", "author_id"},
                      {"teacher_id", "author_id"},  {"instructor_id", "author_id"},         {"manager_id", "author_id"}};
  table["fill"] = {{"created_at", "now"}, {"updated_at", "now"}};
  if (!references.empty()) table["references"] = std::move(references);
  return table;
}

Json owned(const char* table_class, const std::vector<Noun>& nouns, Json references) {
  Json table = copied(table_class, nouns, std::move(references));
  table["filter"] = {{"deleted_at", nullptr}, {"is_deleted", false}, {"deleted", false}};
  return table;
}

Json plain(const char* table_class, const Noun& noun) { return Json{{"class", table_class}, {"names", conventional_names({noun})}}; }

void add_content(Json& tables) {
  Json course = copied("root", {{"courses", "course"}}, Json::array());
  course["force"] = {{"status", "DRAFT"}, {"state", "DRAFT"}, {"published", false}, {"is_published", false}};
  for (const char* counter : {"views", "view_count", "views_count", "enrollment_count", "enrollments_count", "student_count", "students_count", "rating_count", "ratings_count", "review_count",
                              "completion_count"})
    course["reset"][counter] = 0;
  for (const char* result : {"published_at", "archived_at", "rating", "average_rating"}) course["reset"][result] = nullptr;
  course["unique"] = {{"slug", "suffix"}, {"code", "suffix"}, {"join_code", "regenerate"}, {"invite_code", "regenerate"}, {"access_code", "regenerate"}, {"enrollment_key", "regenerate"}};
  tables["courses"] = std::move(course);

  tables["modules"] = owned("own", {{"modules", "module"}, {"course_modules", "course_module"}}, {refers("course_id", "courses")});
  Json lessons = owned("own", {{"lessons", "lesson"}, {"course_lessons", "course_lesson"}}, {refers("module_id", "modules"), refers("course_id", "courses")});
  lessons["reset"] = {{"view_count", 0}, {"views_count", 0}, {"completion_count", 0}};
  lessons["unique"] = {{"slug", "suffix"}};
  tables["lessons"] = std::move(lessons);
  tables["lesson_resources"] = owned("own", {{"lesson_resources", "lesson_resource"}, {"lesson_attachments", "lesson_attachment"}, {"lesson_materials", "lesson_material"}},
                                     {refers("lesson_id", "lessons")});
  tables["checklist_items"] = owned("own", {{"checklist_items", "checklist_item"}, {"lesson_checklist_items", "lesson_checklist_item"}, {"lesson_checklists", "lesson_checklist"}},
                                    {refers("lesson_id", "lessons")});
  tables["quizzes"] = owned("own", {{"quizzes", "quiz"}, {"lesson_quizzes", "lesson_quiz"}},
                            {refers("lesson_id", "lessons"), refers("module_id", "modules"), refers("course_id", "courses")});
  Json questions = owned("own", {{"questions", "question"}, {"quiz_questions", "quiz_question"}}, {refers("quiz_id", "quizzes")});
  questions["reset"] = {{"times_answered", 0}, {"times_correct", 0}};
  tables["questions"] = std::move(questions);
  Json options = owned("own", {{"options", "option"}, {"question_options", "question_option"}, {"quiz_options", "quiz_option"}, {"answer_options", "answer_option"}},
                       {refers("question_id", "questions")});
  options["reset"] = {{"times_chosen", 0}};
  tables["options"] = std::move(options);
  tables["course_faqs"] = owned("own", {{"course_faqs", "course_faq"}, {"faqs", "faq"}, {"course_faq_items", "course_faq_item"}}, {refers("course_id", "courses")});
  for (auto& name : {"FAQ", "CourseFAQ"}) tables["course_faqs"]["names"].push_back(name);
}

void add_competencies(Json& tables) {
  Json competencies = copied("ref", {{"competencies", "competency"}}, Json::array());
  competencies["natural_key"] = {{"code"}, {"slug"}, {"name"}, {"title"}};
  competencies["missing"] = "create";
  tables["competencies"] = std::move(competencies);

  Json links = copied("link", {{"lesson_competencies", "lesson_competency"}, {"competency_lessons", "competency_lesson"}},
                      {refers("lesson_id", "lessons"), refers("competency_id", "competencies")});
  // Prisma's implicit many-to-many table: its column A belongs to the model that comes first in the alphabet
  links["names"].push_back("_CompetencyToLesson");
  links["names"].push_back("_LessonCompetencies");
  links["columns"] = {{"competency_id", {"competency_id", "competencyId", "A"}}, {"lesson_id", {"lesson_id", "lessonId", "B"}}};
  tables["lesson_competencies"] = std::move(links);

  tables["question_banks"] = owned("bank", {{"question_banks", "question_bank"}, {"competency_question_banks", "competency_question_bank"}}, {refers("competency_id", "competencies")});
  Json questions = owned("bank",
                         {{"bank_questions", "bank_question"},
                          {"question_bank_questions", "question_bank_question"},
                          {"question_bank_items", "question_bank_item"},
                          {"competency_questions", "competency_question"}},
                         {refers("question_bank_id", "question_banks"), refers("competency_id", "competencies")});
  questions["reset"] = {{"times_answered", 0}, {"times_correct", 0}, {"usage_count", 0}};
  tables["bank_questions"] = std::move(questions);
  Json options = owned("bank",
                       {{"bank_options", "bank_option"}, {"bank_question_options", "bank_question_option"}, {"question_bank_options", "question_bank_option"}},
                       {refers("bank_question_id", "bank_questions"), refers("question_bank_id", "question_banks")});
  tables["bank_options"] = std::move(options);

  Json categories = plain("ref", {"categories", "category"});
  categories["natural_key"] = {{"code"}, {"slug"}, {"name"}, {"title"}};
  categories["missing"] = "null";
  tables["categories"] = std::move(categories);
}

void add_others(Json& tables) {
  for (const auto& noun : std::vector<Noun>{{"users", "user"},           {"user_profiles", "user_profile"}, {"profiles", "profile"},           {"accounts", "account"}, {"teachers", "teacher"}, {"instructors", "instructor"},
                                            {"tenants", "tenant"},       {"organizations", "organization"}, {"schools", "school"}})
    tables[noun.plural] = plain("context", noun);
  tables["auth_users"] = Json{{"class", "context"}, {"names", {"auth.users"}}};
  for (const auto& noun : std::vector<Noun>{
           {"user_progress", "user_progress"}, {"course_progress", "course_progress"}, {"module_progress", "module_progress"}, {"lesson_progress", "lesson_progress"}, {"progress", "progress"},
           {"lesson_completions", "lesson_completion"}, {"enrollments", "enrollment"}, {"course_enrollments", "course_enrollment"}, {"quiz_attempts", "quiz_attempt"}, {"attempts", "attempt"},
           {"attempt_answers", "attempt_answer"}, {"quiz_answers", "quiz_answer"}, {"answers", "answer"}, {"user_answers", "user_answer"}, {"certificates", "certificate"},
           {"support_tickets", "support_ticket"}, {"tickets", "ticket"}, {"ticket_messages", "ticket_message"}, {"assignments", "assignment"}, {"course_assignments", "course_assignment"},
           {"submissions", "submission"}, {"audit_logs", "audit_log"}, {"audit_log_entries", "audit_log_entry"}, {"activity_logs", "activity_log"}, {"notifications", "notification"},
           {"comments", "comment"}, {"lesson_comments", "lesson_comment"}, {"reviews", "review"}, {"course_reviews", "course_review"}, {"ratings", "rating"}, {"favorites", "favorite"},
           {"bookmarks", "bookmark"}, {"notes", "note"}, {"user_notes", "user_note"}, {"study_sessions", "study_session"}, {"orders", "order"}, {"payments", "payment"}})
    tables[noun.plural] = plain("exclude", noun);
}

}  // namespace

const Json& shipped_course_profile() {
  static const Json profile = [] {
    Json json{{"format", "pg_snapback_profile"}, {"version", profile_version}, {"name", "course"}, {"root", "courses"}, {"strict", true}};
    add_content(json["tables"]);
    add_competencies(json["tables"]);
    add_others(json["tables"]);
    return json;
  }();
  return profile;
}

}  // namespace snapback::graph
