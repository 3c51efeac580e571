#include "service/graph/import_values.hpp"

#include <algorithm>

#include "core/backup_id.hpp"
#include "core/graph/embedded_ids.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::DocumentCell;
using graph::MissingPolicy;
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

std::optional<CellAddress> ValueFiller::find_row(const std::string& name, const std::vector<std::string>& to, const std::string& id) {
  auto at = plan_.target.by_name.find(name);
  ImportPlanTable* table = at == plan_.target.by_name.end() ? nullptr : plan_.table_of_target(at->second);
  if (table == nullptr) return std::nullopt;
  auto& target = plan_.target_of(*table);
  std::vector<std::size_t> columns = target.key;
  if (!to.empty()) {
    auto column = target.column(to.front());
    if (!column) return std::nullopt;
    columns = {*column};
  }
  auto where = sources(*table, columns);
  if (columns.size() != 1 || !where) return std::nullopt;
  auto t = static_cast<std::size_t>(table - plan_.tables.data());
  auto row = index({t, *where}).find(id + '\x1f');
  if (!row || table->rows[*row].action == RowAction::skip) return std::nullopt;
  return CellAddress{static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(*row), static_cast<std::uint32_t>(columns[0])};
}

// A row that needs a row that is left out is left out as well, or refused, as the profile has it.
bool ValueFiller::leave_out_row(std::size_t t, std::size_t row) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  for (auto& reference : target.references) {
    ImportPlanTable* other = plan_.table_of_target(reference.table);
    if (other == nullptr) continue;
    auto ours = sources(table, reference.columns), theirs = sources(*other, reference.to);
    if (!ours || !theirs) continue;
    auto key = RowIndex::key_of(table.document->rows[row], *ours);
    if (!key) continue;
    auto found = index({static_cast<std::size_t>(other - plan_.tables.data()), *theirs}).find(*key);
    if (!found || other->rows[*found].action != RowAction::skip) continue;
    bool required = std::any_of(reference.columns.begin(), reference.columns.end(), [&](std::size_t c) { return target.columns[c].live->not_null; });
    auto& profile = *plan_.target_of(*other).profile;
    if (required && (profile.table_class != TableClass::ref || profile.missing == MissingPolicy::skip_row)) return true;
    if (profile.table_class == TableClass::ref && profile.missing == MissingPolicy::skip_row) return true;
  }
  return false;
}

void ValueFiller::leave_out_rows() {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t t = 0; t < plan_.tables.size(); ++t) {
      auto& table = plan_.tables[t];
      for (std::size_t r = 0; r < table.rows.size(); ++r) {
        if (table.rows[r].action != RowAction::create || !leave_out_row(t, r)) continue;
        table.rows[r].action = RowAction::skip;
        changed = true;
        plan_.report.warning("row_skipped", plan_.target_of(table).name(), table.document->place(r), "a row is left out because it needs a row that does not exist here", "Create the missing row here first, or use the argument \"mapping\".",
                             plan_.source_key(table, r));
      }
    }
  }
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

void ValueFiller::fill_forced(std::size_t t, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  bool forced = false;
  auto apply = [&](const graph::ColumnValue& entry, bool force) {
    auto column = target.column(entry.column);
    if (!column || settled[*column]) return;
    auto& described = target.columns[*column];
    auto value = scalar(entry.value);
    bool fits = entry.value.is_null() || (entry.value.is_boolean() && described.type_category == 'B') || (entry.value.is_number() && described.type_category == 'N') ||
                (entry.value.is_string() && described.type_category != 'B' && described.type_category != 'N');
    if (!value || !fits) {
      plan_.report.warning(force ? "force_unfit" : "reset_unfit", target.name(), "", "the value that the profile sets for column \"" + described.live->name + "\" does not fit its type; it is copied",
                           "Correct the profile.");
      return;
    }
    if (entry.value.is_null() && described.live->not_null) {
      if (!described.has_default()) return;
      settled[*column] = 1;  // unset in every row: it gets its default
      return;
    }
    if (value->kind == Kind::text && !described.labels.empty()) {
      auto label = std::find_if(described.labels.begin(), described.labels.end(), [&](auto& l) { return same_but_case(l, value->text); });
      if (label == described.labels.end()) {
        plan_.report.error("label_missing", target.name(), "", "column \"" + described.live->name + "\" knows no label \"" + value->text + "\", which the profile sets",
                           "Its labels are: " + joined(described.labels) + ". Set one of them in the profile (\"force\").");
        return;
      }
      value->text = *label;
    }
    set_all(table, *column, *value);
    settled[*column] = 1;
    forced = forced || force;
  };
  for (auto& entry : target.profile->force) apply(entry, true);
  for (auto& entry : target.profile->reset) apply(entry, false);
  if (target.profile->table_class == TableClass::root && !target.profile->force.empty() && !forced)
    plan_.report.warning("no_status", target.name(), "", "table \"" + target.name() + "\" has no column that marks the copy as a draft", "The copy is as visible as the original was. Tell the profile which column it is (\"force\").");
}

void ValueFiller::fill_tracking(std::size_t t, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  if (auto column = target.column("external_id"); column && !settled[*column]) {
    settled[*column] = 1;
    if (target.columns[*column].type_category == 'S') {
      std::string system = source_system(plan_.document);
      for (std::size_t r = 0; r < table.rows.size(); ++r) {
        auto& value = table.rows[r].values[*column];
        value.kind = Kind::text;
        value.text = system + "/" + target.name() + "/" + plan_.source_key(table, r);
      }
    } else {
      plan_.report.warning("external_id_type", target.name(), "", "column \"" + target.columns[*column].live->name + "\" is no text and stays empty", "The import's own tables know where each row came from.");
    }
  }
  if (auto column = target.column("import_batch_id"); column && !settled[*column]) {
    settled[*column] = 1;
    PlannedValue value;
    if (target.columns[*column].bare_type == "uuid" || target.columns[*column].type_category == 'S')
      value.kind = Kind::batch;
    else
      plan_.report.warning("batch_id_type", target.name(), "", "column \"" + target.columns[*column].live->name + "\" is neither uuid nor text and stays empty", "The import's own tables know which rows it made.");
    set_all(table, *column, value);
  }
}

void ValueFiller::fill_context(std::size_t t, std::size_t column, const std::string& member, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  auto& described = target.columns[column];
  settled[column] = 1;
  const graph::Json& context = plan_.request->context;
  auto found = context.is_object() ? context.find(member) : context.end();
  if (context.is_object() && found != context.end()) {
    context_used_.insert(member);
    if (auto value = scalar(*found)) {
      if (value->kind == Kind::text || !described.live->not_null) {
        set_all(table, column, *value);
        return;
      }
    } else {
      plan_.report.error("context_invalid", target.name(), "", "member \"" + printable(member) + "\" of argument \"context\" is neither text nor number", "Pass one value: context => '{\"" + printable(member) + "\": \"...\"}'.");
      return;
    }
  }
  if (described.required())
    plan_.report.error("context_missing", target.name(), "", "column \"" + described.live->name + "\" takes its value from \"" + member + "\" of argument \"context\", which is not there",
                       "Pass it: context => '{\"" + member + "\": \"...\"}'.");
  else if (!described.has_default())
    plan_.report.note("context_empty", target.name(), "column \"" + described.live->name + "\" stays empty: \"" + member + "\" of argument \"context\" is not there");
}

void ValueFiller::note_unused_context() {
  if (!plan_.request->context.is_object()) return;
  for (auto& [member, value] : plan_.request->context.items())
    if (!context_used_.contains(member))
      plan_.report.warning("context_unused", "", "", "member \"" + printable(member) + "\" of argument \"context\" is used by no column", "The profile names the members that columns take their values from (\"context\").");
}

void ValueFiller::fill_references(std::size_t t, const TargetReference& reference, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  auto& far = plan_.target.tables[reference.table];
  const TableClass far_class = far.profile->table_class;
  if (far_class == TableClass::context) {
    for (std::size_t column : reference.columns) {
      if (settled[column]) continue;
      std::string member = target.columns[column].logical;
      for (auto& [logical, named] : target.profile->context)
        if (logical == member) member = named;
      const graph::Json& context = plan_.request->context;
      if (context.is_object() && !context.contains(member) && context.contains(far.name())) member = far.name();
      fill_context(t, column, member, settled);
    }
    return;
  }
  ImportPlanTable* other = plan_.table_of_target(reference.table);
  auto ours = sources(table, reference.columns);
  auto theirs = other == nullptr ? std::nullopt : sources(*other, reference.to);
  const std::size_t other_index = other == nullptr ? 0 : static_cast<std::size_t>(other - plan_.tables.data());
  bool required = std::any_of(reference.columns.begin(), reference.columns.end(), [&](std::size_t c) { return target.columns[c].live->not_null; });
  std::string label;
  for (std::size_t column : reference.columns) label += (label.empty() ? "column \"" : ", \"") + target.columns[column].live->name + "\"";
  if (!ours) return;  // the document has no such columns: defaults and NOT NULL decide
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& row = table.rows[r];
    if (row.action != RowAction::create) continue;
    auto key = RowIndex::key_of(table.document->rows[r], *ours);
    if (!key) continue;
    auto place = [&] { return table.document->place(r, table.document->columns[ours->front()].name); };
    auto id = [&] { return plan_.source_key(table, r); };
    auto empty = [&] {
      for (std::size_t column : reference.columns)
        if (!target.columns[column].live->not_null) row.values[column] = {};
    };
    if (far_class == TableClass::exclude) {
      if (required)
        plan_.report.error("reference_excluded", target.name(), place(), label + " must point at a row of table \"" + far.name() + "\", which is not copied", "Give the column a value in the profile (\"force\").", id());
      else
        plan_.report.warning("reference_excluded", target.name(), place(), label + " becomes empty: table \"" + far.name() + "\" is not copied", "", id());
      empty();
      continue;
    }
    auto found = theirs ? index({other_index, *theirs}).find(*key) : std::nullopt;
    if (!found) {
      plan_.report.error("reference_missing", target.name(), place(), label + " points at a row of table \"" + far.name() + "\" that is not in the document", "Export the document again.", id());
      continue;
    }
    if (other->rows[*found].action == RowAction::skip) {
      if (required || far.profile->missing == MissingPolicy::error)
        plan_.report.error("reference_unmatched", target.name(), place(), label + " points at a row of table \"" + far.name() + "\" that does not exist here",
                           "Create it here, name its counterpart in the argument \"mapping\", or let the profile create it (\"missing\": \"create\").", id());
      else
        plan_.report.warning("reference_unmatched", target.name(), place(), label + " becomes empty: the row of table \"" + far.name() + "\" that it points at does not exist here",
                             "Create it here or name its counterpart in the argument \"mapping\".", id());
      empty();
      continue;
    }
    for (std::size_t i = 0; i < reference.columns.size(); ++i) {
      if (settled[reference.columns[i]]) continue;
      auto& value = row.values[reference.columns[i]];
      value.kind = Kind::reference;
      value.cell = {static_cast<std::uint32_t>(other_index), static_cast<std::uint32_t>(*found), static_cast<std::uint32_t>(reference.to[i])};
    }
  }
  // a part that other rows leave open falls back to what the document has
  for (std::size_t i = 0; i < reference.columns.size(); ++i) {
    if (settled[reference.columns[i]]) continue;
    settled[reference.columns[i]] = 1;
    if (reference.columns.size() == 1) continue;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      auto& value = table.rows[r].values[reference.columns[i]];
      auto& cells = table.document->rows[r];
      if (value.kind != Kind::none || RowIndex::key_of(cells, *ours) || (*ours)[i] >= cells.size()) continue;
      if (auto text = cell_text(cells[(*ours)[i]], target.columns[reference.columns[i]])) value = {Kind::text, {}, *text};
    }
  }
}

void ValueFiller::fill_embedded(std::size_t t, const graph::Reference& reference, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  auto column = reference.columns.empty() ? std::nullopt : target.column(reference.columns.front());
  if (!column || settled[*column] || !table.source[*column]) return;
  auto& described = target.columns[*column];
  const std::size_t source = *table.source[*column];
  std::optional<std::size_t> type_source;
  if (reference.kind == graph::ReferenceKind::polymorphic) type_source = table.document->column(reference.type_column);
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& cells = table.document->rows[r];
    if (table.rows[r].action != RowAction::create || source >= cells.size() || !cells[source].has_value()) continue;
    auto& value = table.rows[r].values[*column];
    // a column may hold ids of several kinds: the next reference goes on where the last one ended
    Composition composed;
    if (value.kind == Kind::composed)
      composed = std::move(plan_.compositions[value.cell.row]);
    else
      composed.pieces.push_back({cells[source].kind == DocumentCell::Kind::text && !described.is_jsonb ? cells[source].text : cell_text(cells[source], described).value_or(""), std::nullopt});
    std::string far = reference.table;
    if (type_source) {
      far.clear();
      if (*type_source < cells.size())
        for (auto& [type, name] : reference.types)
          if (type == cells[*type_source].text) far = name;
    }
    auto place = [&] { return table.document->place(r, table.document->columns[source].name); };
    bool changed = false;
    Composition next;
    for (auto& piece : composed.pieces) {
      std::vector<graph::EmbeddedId> ids;
      if (reference.kind == graph::ReferenceKind::json)
        ids = graph::ids_in_json(piece.text, reference.path);
      else if (reference.kind == graph::ReferenceKind::text)
        ids = graph::ids_in_text(piece.text, reference.before, reference.after);
      else if (reference.kind == graph::ReferenceKind::array)
        ids = graph::ids_in_text(piece.text, "", "");
      else if (!piece.text.empty())
        ids.push_back({0, piece.text.size(), piece.text, false});
      std::size_t begin = 0;
      for (auto& id : ids) {
        if (reference.kind == graph::ReferenceKind::array && id.id == "NULL") continue;
        auto cell = far.empty() ? std::nullopt : find_row(far, reference.to, id.id);
        if (!cell) {
          if (!far.empty() || type_source)
            plan_.report.warning("embedded_unmatched", target.name(), place(), "column \"" + described.live->name + "\" holds the id of a row that is not in the document; it is kept", "Correct it after the import.",
                                 plan_.source_key(table, r));
          continue;
        }
        next.pieces.push_back({piece.text.substr(begin, id.offset - begin), cell});
        begin = id.offset + id.size;
        changed = true;
      }
      next.pieces.push_back({piece.text.substr(begin), piece.cell});
    }
    if (value.kind == Kind::composed) {
      plan_.compositions[value.cell.row] = std::move(next);
    } else if (changed) {
      value.kind = Kind::composed;
      value.cell.row = static_cast<std::uint32_t>(plan_.compositions.size());
      plan_.compositions.push_back(std::move(next));
    }
  }
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
