// What only looks wrong: ids of the source that were left in a text, quizzes without questions and the like.
#include <algorithm>
#include <unordered_set>

#include "core/graph/embedded_ids.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using Kind = PlannedValue::Kind;

namespace {

constexpr std::size_t shown_places = 100;

const char* const passing_scores[] = {"passing_score", "pass_score", "minimum_score", "min_score", "passing_grade", "passing_percentage"};
const char* const question_types[] = {"type", "question_type", "kind"};
const char* const right_options[] = {"is_correct", "correct", "is_right"};

template <std::size_t n>
std::optional<std::size_t> first_column(const graph::DocumentTable& table, const char* const (&names)[n]) {
  for (auto* name : names)
    if (auto at = table.column(name)) return at;
  return std::nullopt;
}

bool is_single_choice(std::string type) {
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '-' || c == ' ' ? '_' : c;
  return type == "single" || type == "single_choice" || type == "radio" || type == "unica" || type == "escolha_unica";
}

// How many rows of `child` point at each row of `parent`, of those that `counts` lets through. Nothing when no reference leads there.
template <class Counts>
std::optional<std::vector<std::size_t>> children(const ImportPlan& plan, const ImportPlanTable& parent, const ImportPlanTable& child, Counts counts) {
  for (auto& reference : plan.target_of(child).references) {
    if (reference.table != parent.target || reference.columns.size() != 1) continue;
    auto ours = child.source[reference.columns[0]], theirs = parent.source[reference.to[0]];
    if (!ours || !theirs) continue;
    RowIndex index(*parent.document, {*theirs});
    std::vector<std::size_t> numbers(parent.rows.size(), 0);
    for (auto& row : child.document->rows) {
      auto key = RowIndex::key_of(row, {*ours});
      if (!key) continue;
      if (auto found = index.find(*key); found && counts(row)) ++numbers[*found];
    }
    return numbers;
  }
  return std::nullopt;
}

ImportPlanTable* planned(ImportPlan& plan, const char* name) {
  auto found = plan.target.by_name.find(name);
  return found == plan.target.by_name.end() ? nullptr : plan.table_of_target(found->second);
}

void check_quizzes(ImportPlan& plan, ImportPlanTable& quizzes) {
  auto& document = *quizzes.document;
  if (auto at = first_column(document, passing_scores))
    for (std::size_t r = 0; r < document.rows.size(); ++r) {
      if (!has_cell(document, r, *at)) continue;
      double score = std::strtod(document.rows[r][*at].text.c_str(), nullptr);
      if (score < 0 || score > 100)
        plan.report.warning("passing_score", "quizzes", document.place(r, document.columns[*at].name), "a passing score is not between 0 and 100", "Correct it after the import.", plan.source_key(quizzes, r));
    }
  auto* questions = planned(plan, "questions");
  if (questions == nullptr) return;
  auto numbers = children(plan, quizzes, *questions, [](auto&) { return true; });
  for (std::size_t r = 0; numbers && r < numbers->size(); ++r)
    if ((*numbers)[r] == 0) plan.report.warning("quiz_empty", "quizzes", document.place(r), "a quiz has no questions", "Add some, or delete the quiz, after the import.", plan.source_key(quizzes, r));
}

void check_questions(ImportPlan& plan, ImportPlanTable& questions, ImportPlanTable& options) {
  auto& document = *questions.document;
  auto type = first_column(document, question_types);
  auto right = first_column(*options.document, right_options);
  if (!type || !right) return;
  auto numbers = children(plan, questions, options, [&](auto& row) { return *right < row.size() && row[*right].text == "true"; });
  for (std::size_t r = 0; numbers && r < numbers->size(); ++r)
    if ((*numbers)[r] != 1 && has_cell(document, r, *type) && is_single_choice(document.rows[r][*type].text))
      plan.report.warning("single_choice", plan.target_of(questions).name(), document.place(r), "a single-choice question has not exactly one right option", "Correct it after the import.", plan.source_key(questions, r));
}

class IdSearch {
 public:
  explicit IdSearch(ImportPlan& plan) : plan_(plan) {}

  void run() {
    for (auto& table : plan_.tables) {
      auto& target = plan_.target_of(table);
      for (std::size_t r = 0; r < table.rows.size(); ++r) {
        if (table.rows[r].action != RowAction::create) continue;
        for (std::size_t c = 0; c < target.columns.size(); ++c) {
          if (!table.drawn[c] || !table.source[c] || !has_cell(*table.document, r, *table.source[c])) continue;
          const std::string& id = table.document->rows[r][*table.source[c]].text;
          (id.size() >= 16 ? long_ids_ : short_ids_).insert(id);
          ++plan_.old_ids;
        }
      }
    }
    for (auto& table : plan_.tables)
      for (std::size_t c = 0; c < plan_.target_of(table).columns.size(); ++c)
        if (table.used[c] && plan_.target_of(table).columns[c].logical != "external_id") search(table, c);
  }

 private:
  void search(ImportPlanTable& table, std::size_t c) {
    auto& column = plan_.target_of(table).columns[c];
    const bool named = graph::names_an_id(column.live->name);
    const bool json = column.is_json || column.is_jsonb;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      if (table.rows[r].action != RowAction::create) continue;
      auto& value = table.rows[r].values[c];
      if (value.kind != Kind::text && value.kind != Kind::composed) continue;
      bool certain = false, possible = false;
      auto look = [&](const std::string& text) {
        graph::long_words(text, [&](std::string_view word) { certain = certain || long_ids_.contains(std::string(word)); });
        if (json) graph::named_ids_in_json(text, [&](std::string_view, std::string_view id) { possible = possible || short_ids_.contains(std::string(id)); });
        // what the import's arguments or the profile set is no id of the source
        if (named && value.kind == Kind::text && table.source[c] && has_cell(*table.document, r, *table.source[c]) && table.document->rows[r][*table.source[c]].text == text) graph::ids_in_text(text, "", "").swap(words_), possible = possible || std::any_of(words_.begin(), words_.end(), [&](auto& w) { return short_ids_.contains(w.id); });
      };
      if (value.kind == Kind::text) {
        look(value.text);
      } else {
        // what a cell holds is new; a piece beside it may still be old
        std::string rest;
        for (auto& piece : plan_.compositions[value.cell.row].pieces) rest += piece.text + (piece.cell ? "0" : "");
        look(rest);
      }
      if (certain || possible) found(table, r, c, certain);
    }
  }

  void found(ImportPlanTable& table, std::size_t r, std::size_t c, bool certain) {
    auto& column = plan_.target_of(table).columns[c];
    std::string place = table.document->place(r, column.logical);
    if (certain) {
      ++plan_.ids_left;
      if (plan_.places_left.size() < shown_places) plan_.places_left.push_back(place);
      plan_.report.warning("id_left", plan_.target_of(table).name(), place, "column \"" + column.live->name + "\" holds the old id of a row that is imported",
                           "Tell the profile where ids stand in it (\"references\" of kind array, json or text), so that they are replaced.", plan_.source_key(table, r));
    } else {
      plan_.report.warning("id_possible", plan_.target_of(table).name(), place, "column \"" + column.live->name + "\" may hold the old id of a row that is imported: a number named like an id equals one",
                           "If it is one, tell the profile (\"references\").", plan_.source_key(table, r));
    }
  }

  ImportPlan& plan_;
  std::unordered_set<std::string> long_ids_, short_ids_;
  std::vector<graph::EmbeddedId> words_;
};

}  // namespace

void check_ids_left(ImportPlan& plan) { IdSearch(plan).run(); }

void check_content(ImportPlan& plan) {
  if (auto* quizzes = planned(plan, "quizzes")) check_quizzes(plan, *quizzes);
  auto *questions = planned(plan, "questions"), *options = planned(plan, "options");
  if (questions != nullptr && options != nullptr) check_questions(plan, *questions, *options);
}

}  // namespace snapback::service
