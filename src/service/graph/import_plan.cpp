#include "service/graph/import_plan.hpp"

#include "core/backup_id.hpp"

namespace snapback::service {

using graph::DocumentCell;
using graph::TableClass;

namespace {

bool is_imported(TableClass table_class) { return table_class != TableClass::context && table_class != TableClass::exclude; }

bool contains(const std::vector<std::string>& list, const std::string& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

std::string table_place(const graph::DocumentTable& table) { return "tables[" + std::to_string(table.position) + "]"; }

// The columns of the document and those of the target, side by side.
void match_columns(ImportPlan& plan, ImportPlanTable& planned) {
  const TargetTable& target = plan.target_of(planned);
  const auto& document = *planned.document;
  planned.source.assign(target.columns.size(), std::nullopt);
  for (std::size_t at = 0; at < document.columns.size(); ++at) {
    const std::string& name = document.columns[at].name;
    if (contains(target.profile->omit, name)) continue;
    if (auto column = target.column(name)) {
      planned.source[*column] = at;
      continue;
    }
    std::size_t values = 0, first = 0;
    for (std::size_t r = 0; r < document.rows.size(); ++r)
      if (at < document.rows[r].size() && document.rows[r][at].has_value() && values++ == 0) first = r;
    std::string message = "column \"" + printable(name) + "\" of the document does not exist in table \"" + target.name() + "\"; " + std::to_string(values) + " values are not imported";
    if (values > 0)
      plan.report.warning("column_missing", target.name(), document.place(first, name), message, "Add the column to the table, or tell the profile which column it is (\"columns\").");
    else
      plan.report.note("column_missing", target.name(), message);
  }
  for (auto& column : target.columns)
    if (!document.column(column.logical) && !column.generated() && !document.rows.empty() && !document.columns.empty() && !column.required())
      plan.report.note("column_new", target.name(), "column \"" + column.live->name + "\" is not in the document", "It gets its default, or stays empty.");
}

void match_tables(ImportPlan& plan) {
  for (auto& document : plan.document.tables) {
    const graph::TableProfile* profile = plan.target.profile.table(document.name);
    const TargetTable* target = plan.target.table(document.name);
    if (profile == nullptr) {
      plan.report.error("table_unknown", printable(document.name), table_place(document), "table \"" + printable(document.name) + "\" is not in profile \"" + plan.target.profile.name + "\"",
                        "Only tables of the profile are imported. Add the table to the profile, or take it out of the document.");
    } else if (!is_imported(profile->table_class)) {
      plan.report.error("table_not_importable", document.name, table_place(document),
                        "table \"" + document.name + "\" has class " + graph::class_name(profile->table_class) + " in the profile and is never imported", "Take it out of the document.");
    } else if (target == nullptr) {
      if (document.rows.empty())
        plan.report.note("table_missing", document.name, "table \"" + document.name + "\" does not exist here and has no rows in the document");
      else
        plan.report.error("table_missing", document.name, table_place(document),
                          "table \"" + document.name + "\" does not exist here; its " + std::to_string(document.rows.size()) + " rows have no place to go",
                          "Create the table, or tell the profile its name here (\"names\").");
    } else {
      ImportPlanTable planned;
      planned.target = plan.target.by_name.at(document.name);
      planned.document = &document;
      planned.used.assign(target->columns.size(), 0);
      planned.drawn.assign(target->columns.size(), 0);
      planned.rows.resize(document.rows.size());
      for (auto& row : planned.rows) row.values.resize(target->columns.size());
      plan.tables.push_back(std::move(planned));
    }
  }
  for (auto& planned : plan.tables) match_columns(plan, planned);
}

void check_keys(ImportPlan& plan) {
  std::size_t roots = 0;
  for (auto& planned : plan.tables) {
    const auto& document = *planned.document;
    const TargetTable& target = plan.target_of(planned);
    if (target.profile->table_class == TableClass::root) roots += document.rows.size();
    std::vector<std::size_t> key;
    for (auto& name : document.key) {
      if (auto at = document.column(name))
        key.push_back(*at);
      else
        plan.report.error("key_missing", target.name(), table_place(document), "the key column \"" + printable(name) + "\" is not among the table's columns in the document", "Export the document again.");
    }
    if (key.empty()) continue;
    for (std::size_t r = 0; r < document.rows.size(); ++r)
      if (!RowIndex::key_of(document.rows[r], key)) plan.report.error("key_null", target.name(), document.place(r), "a row has no key", "Export the document again.");
    for (auto& [row, earlier] : RowIndex(document, key).duplicates())
      plan.report.error("duplicate_row", target.name(), document.place(row), "a row has the key of an earlier row of table \"" + target.name() + "\"", "Remove one of the two from the document.",
                        plan.source_key(planned, row));
  }
  plan.has_root = roots == 1;
  if (plan.has_root) return;
  auto* root = plan.target.profile.table(plan.target.profile.root);
  plan.report.error("root_count", root != nullptr ? root->name : "", "tables", "the document has " + std::to_string(roots) + " rows of the root table \"" + plan.target.profile.root + "\" instead of one",
                    roots == 0 ? "Export the document again." : "Import each in a document of its own.");
}

}  // namespace

ImportPlanTable* ImportPlan::table_of_target(std::size_t index) {
  for (auto& table : tables)
    if (table.target == index) return &table;
  return nullptr;
}

std::string ImportPlan::source_key(const ImportPlanTable& table, std::size_t row) const {
  const auto& document_table = *table.document;
  std::string key;
  for (auto& name : document_table.key) {
    auto at = document_table.column(name);
    if (&name != &document_table.key.front()) key += ',';
    if (at && *at < document_table.rows[row].size()) key += document_table.rows[row][*at].text;
  }
  return key;
}

const PlannedValue& ImportPlan::resolve(const PlannedValue& value) const {
  const PlannedValue* current = &value;
  // a chain is as long as keys that are foreign keys are deep; more is a circle
  for (int depth = 0; current->kind == PlannedValue::Kind::reference && depth < 100; ++depth)
    current = &tables[current->cell.table].rows[current->cell.row].values[current->cell.column];
  return *current;
}

std::optional<std::string> ImportPlan::known_text(const PlannedValue& value) const {
  const PlannedValue& end = resolve(value);
  if (end.kind == PlannedValue::Kind::text) return end.text;
  return std::nullopt;
}

std::string ImportPlan::column_label(const ImportPlanTable& table, std::size_t column) const { return "column \"" + target_of(table).columns[column].live->name + "\""; }

RowIndex::RowIndex(const graph::DocumentTable& table, const std::vector<std::size_t>& columns) {
  rows_.reserve(table.rows.size());
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto key = key_of(table.rows[r], columns);
    if (!key) continue;
    auto [known, is_new] = rows_.emplace(std::move(*key), r);
    if (!is_new) duplicates_.emplace_back(r, known->second);
  }
}

std::optional<std::size_t> RowIndex::find(const std::string& key) const {
  auto found = rows_.find(key);
  return found == rows_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> RowIndex::key_of(const std::vector<DocumentCell>& row, const std::vector<std::size_t>& columns) {
  std::string key;
  for (std::size_t at : columns) {
    if (at >= row.size() || !row[at].has_value()) return std::nullopt;
    key += row[at].text;
    key += '\x1f';
  }
  return key;
}

ImportPlan make_plan(const ImportRequest& request, Target target, graph::Document document, graph::PlanReport report) {
  ImportPlan plan;
  plan.request = &request;
  plan.target = std::move(target);
  plan.document = std::move(document);
  plan.report = std::move(report);
  if (plan.document.profile != plan.target.profile.name)
    plan.report.error("profile_other", "", "profile",
                      "the document was exported with profile \"" + printable(plan.document.profile) + "\" and is imported with profile \"" + plan.target.profile.name + "\"",
                      "Import it with graph_import() and the name of its profile.");
  match_tables(plan);
  check_keys(plan);
  check_rights(plan);
  match_shared(plan);
  match_banks(plan);
  fill_values(plan);
  check_unique(plan);
  check_values(plan);
  check_ids_left(plan);
  check_content(plan);
  find_order(plan);
  for (auto& table : plan.tables)
    for (auto& row : table.rows) ++(row.action == RowAction::create ? table.created : row.action == RowAction::reuse ? table.reused : table.skipped);
  return plan;
}

}  // namespace snapback::service
