// References of new rows to other rows, by foreign keys and inside values; rows that are left out because what they need is not there.
#include <algorithm>

#include "core/graph/embedded_ids.hpp"
#include "service/graph/import_values.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::DocumentCell;
using graph::MissingPolicy;
using graph::TableClass;
using Kind = PlannedValue::Kind;

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

}  // namespace snapback::service
