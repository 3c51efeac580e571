// The order in which the columns of new rows get their values, and those that come from the document as they are.
#include "service/graph/import_values.hpp"

#include <algorithm>

#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::DocumentCell;
using graph::TableClass;
using Kind = PlannedValue::Kind;

std::optional<std::string> cell_text(const DocumentCell& cell, const TargetColumn& column) {
  // an absent member is SQL NULL; null is a value of jsonb
  if (cell.kind == DocumentCell::Kind::null && column.is_jsonb) return "null";
  if (!cell.has_value()) return std::nullopt;
  if (cell.kind == DocumentCell::Kind::structure && (column.is_jsonb || column.is_json) && cell.text.rfind("{\"$json\":", 0) == 0) {
    auto wrapped = graph::Json::parse(cell.text, nullptr, false);
    if (wrapped.is_object() && wrapped.size() == 1 && wrapped["$json"].is_string()) return wrapped["$json"].get<std::string>();
  }
  if (cell.kind == DocumentCell::Kind::structure && column.type_category == 'A') {
    std::string text;
    if (graph::array_text(cell.text, text)) return text;
  }
  if (cell.kind == DocumentCell::Kind::text && column.is_jsonb) return graph::Json(cell.text).dump();
  return cell.text;
}

void fill_values(ImportPlan& plan) { ValueFiller(plan).run(); }

void ValueFiller::run() {
  leave_out_rows();
  for (auto& table : plan_.tables) decide_drawn(table);
  for (std::size_t t = 0; t < plan_.tables.size(); ++t) fill_table(t);
  note_unused_context();
}

const RowIndex& ValueFiller::index(const Where& where) {
  auto& found = indexes_[where];
  if (!found) found = std::make_unique<RowIndex>(*plan_.tables[where.first].document, where.second);
  return *found;
}

std::optional<std::vector<std::size_t>> ValueFiller::sources(const ImportPlanTable& table, const std::vector<std::size_t>& columns) {
  std::vector<std::size_t> found;
  for (std::size_t column : columns) {
    if (!table.source[column]) return std::nullopt;
    found.push_back(*table.source[column]);
  }
  return found;
}

void ValueFiller::decide_drawn(ImportPlanTable& table) {
  auto& target = plan_.target_of(table);
  std::set<std::size_t> referring;
  for (auto& reference : target.references) referring.insert(reference.columns.begin(), reference.columns.end());
  auto counted = [&](std::size_t c) { return target.columns[c].live->identity != '\0' || target.columns[c].live->default_expression.rfind("nextval(", 0) == 0; };
  for (std::size_t c : target.key)
    if (!referring.contains(c) && (target.key.size() == 1 || counted(c) || (target.columns[c].has_default() && target.columns[c].bare_type == "uuid"))) table.drawn[c] = 1;
  for (auto& unique : target.unique_keys)
    if (unique.columns.size() == 1 && !referring.contains(unique.columns[0]) && counted(unique.columns[0])) table.drawn[unique.columns[0]] = 1;
  // without a key there is nothing to draw: join tables whose columns all refer
}

void ValueFiller::set_all(ImportPlanTable& table, std::size_t column, const PlannedValue& value) {
  for (auto& row : table.rows)
    if (row.action == RowAction::create) row.values[column] = value;
}

std::optional<PlannedValue> ValueFiller::scalar(const graph::Json& value) {
  PlannedValue planned;
  if (value.is_null()) return planned;
  if (!value.is_string() && !value.is_number() && !value.is_boolean()) return std::nullopt;
  planned.kind = Kind::text;
  planned.text = value.is_string() ? value.get<std::string>() : value.dump();
  return planned;
}

void ValueFiller::fill_table(std::size_t t) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  if (std::none_of(table.rows.begin(), table.rows.end(), [](auto& row) { return row.action == RowAction::create; })) return;
  std::vector<char> settled(target.columns.size(), 0);
  for (std::size_t c = 0; c < target.columns.size(); ++c) settled[c] = target.columns[c].generated() ? 1 : 0;
  fill_forced(t, settled);
  fill_tracking(t, settled);
  for (std::size_t c = 0; c < target.columns.size(); ++c) {
    if (!table.drawn[c] || settled[c]) continue;
    PlannedValue value;
    value.kind = Kind::generated;
    set_all(table, c, value);
    settled[c] = 1;
  }
  // the longest foreign keys first: a part of one may be a shorter one of its own
  std::vector<const TargetReference*> references;
  for (auto& reference : target.references) references.push_back(&reference);
  std::stable_sort(references.begin(), references.end(), [&](auto* a, auto* b) {
    auto copied = [&](auto* r) { auto c = plan_.target.tables[r->table].profile->table_class; return c != TableClass::context && c != TableClass::exclude; };
    return std::make_pair(copied(a), a->columns.size()) > std::make_pair(copied(b), b->columns.size());
  });
  for (auto* reference : references) fill_references(t, *reference, settled);
  for (auto& reference : target.profile->references)
    if (reference.kind != graph::ReferenceKind::foreign_key) fill_embedded(t, reference, settled);
  for (auto& [logical, member] : target.profile->context)
    if (auto column = target.column(logical); column && !settled[*column]) fill_context(t, *column, member, settled);
  for (std::size_t c = 0; c < target.columns.size(); ++c)
    if (!settled[c]) fill_from_document(t, c);
  for (std::size_t c = 0; c < target.columns.size(); ++c)
    if (!target.columns[c].generated()) settle_missing(t, c);
}

void ValueFiller::fill_from_document(std::size_t t, std::size_t column) {
  auto& table = plan_.tables[t];
  if (!table.source[column]) return;
  auto& target = plan_.target_of(table);
  auto& described = target.columns[column];
  const std::size_t source = *table.source[column];
  const std::vector<std::pair<std::string, std::string>>* labels = nullptr;
  for (auto& [logical, map] : target.profile->enum_map)
    if (logical == described.logical) labels = &map;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& row = table.rows[r];
    if (row.action != RowAction::create || row.values[column].kind != Kind::none || source >= table.document->rows[r].size()) continue;
    auto text = cell_text(table.document->rows[r][source], described);
    if (!text) continue;
    if (labels != nullptr)
      for (auto& [from, to] : *labels)
        if (from == *text) {
          *text = to;
          break;
        }
    row.values[column].kind = Kind::text;
    row.values[column].text = std::move(*text);
  }
}

// Fills, defaults, and rows that would have no value where one is needed.
void ValueFiller::settle_missing(std::size_t t, std::size_t column) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  auto& described = target.columns[column];
  std::optional<PlannedValue> fill;
  for (auto& entry : target.profile->fill)
    if (entry.column == described.logical) fill = scalar(entry.value);
  if (!fill && described.required() && described.type_category == 'D' && (described.logical == "updated_at" || described.logical == "created_at")) fill = PlannedValue{Kind::text, {}, "now"};
  std::size_t empty = 0, rows = 0, first = 0;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& row = table.rows[r];
    if (row.action != RowAction::create) continue;
    ++rows;
    auto& value = row.values[column];
    if (value.kind != Kind::none) continue;
    if (fill && fill->kind != Kind::none && (described.live->not_null || !table.source[column]) && !(described.has_default() && !table.source[column])) {
      value = *fill;
      continue;
    }
    if (empty++ == 0) first = r;
  }
  const bool from_document = table.source[column].has_value();
  const bool all_empty = empty == rows;
  table.used[column] = all_empty ? from_document && !described.live->not_null && described.live->identity == '\0' : 1;
  if (empty == 0 || !described.live->not_null || (all_empty && described.has_default() && !table.used[column])) return;
  if (plan_.report.has("context_missing") && !from_document) return;  // said already, with the member's name
  if (!from_document || all_empty) {
    if (!from_document)
      plan_.report.error("column_required", target.name(), table.document->place(first), "column \"" + described.live->name + "\" needs a value and the document has none",
                         "Give it a default in the table, or a value in the profile (\"fill\").");
  }
  if (!from_document) return;
  for (std::size_t r = 0; r < table.rows.size(); ++r)
    if (table.rows[r].action == RowAction::create && table.rows[r].values[column].kind == Kind::none && !has_cell(*table.document, r, *table.source[column]))
      plan_.report.error("null_not_allowed", target.name(), table.document->place(r, described.logical), "column \"" + described.live->name + "\" has no value in the document and must have one here",
                         "Give it a value in the profile (\"fill\").", plan_.source_key(table, r));
}

}  // namespace snapback::service
