#include "service/drift.hpp"

#include <algorithm>
#include <map>

#include "pg/spi.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

void note(PlannedTable& table, const std::string& text) { table.result.notes.push_back(text); }

const Json* find_named(const Json& list, const std::string& name) {
  for (auto& item : list)
    if (string_of(item, "name") == name) return &item;
  return nullptr;
}

void note_columns(PlannedTable& table, const Json& definition) {
  std::vector<AttrNumber> order;
  for (auto& column : definition.at("columns")) {
    auto* live = table.live->column(string_of(column, "name"));
    if (live == nullptr) continue;
    order.push_back(live->number);
    if (live->not_null && !column.value("not_null", false)) note(table, "column \"" + live->name + "\" is NOT NULL now");
    bool was_generated = column.contains("generated_stored") || column.contains("generated_virtual");
    if (was_generated && !live->generated) note(table, "column \"" + live->name + "\" is no longer generated: it gets its default, for the backup has no values of it");
  }
  if (!std::is_sorted(order.begin(), order.end())) note(table, "the columns are in another order now: they are matched by name");
}

void note_constraints(PlannedTable& table, const Json& definition) {
  auto& before = definition.at("constraints");
  for (auto& constraint : table.live->constraints) {
    if (constraint.inherited) continue;
    auto* old = find_named(before, constraint.name);
    if (old == nullptr)
      note(table, "constraint \"" + constraint.name + "\" is new: " + constraint.definition);
    else if (string_of(*old, "definition") != constraint.definition)
      note(table, "constraint \"" + constraint.name + "\" is another now: " + constraint.definition);
  }
  for (auto& old : before) {
    auto name = string_of(old, "name");
    bool there = std::any_of(table.live->constraints.begin(), table.live->constraints.end(), [&](auto& constraint) { return constraint.name == name; });
    if (!there) note(table, "constraint \"" + name + "\" of the backup is gone");
  }
}

void note_foreign_keys(PlannedTable& table, const Json& definition) {
  auto& before = definition.at("foreign_keys");
  for (auto& key : table.live->foreign_keys)
    if (find_named(before, key.name) == nullptr) note(table, "foreign key \"" + key.name + "\" is new: it points at \"" + key.referenced_schema + "." + key.referenced_table + "\"");
  for (auto& old : before) {
    auto name = string_of(old, "name");
    bool there = std::any_of(table.live->foreign_keys.begin(), table.live->foreign_keys.end(), [&](auto& key) { return key.name == name; });
    if (!there) note(table, "foreign key \"" + name + "\" of the backup is gone");
  }
}

void note_unique_indexes(PlannedTable& table, const Json& definition) {
  auto& before = definition.at("indexes");
  for (auto& index : table.live->indexes)
    if (index.unique && find_named(before, index.name) == nullptr) note(table, "unique index \"" + index.name + "\" is new");
}

// Labels of an enum type that values of the backup may have and the live type lacks.
std::string missing_labels(const Json& type) {
  auto name = pg::qualified(string_of(type, "schema"), string_of(type, "name"));
  std::set<std::string> live;
  for (auto& row : pg::query("SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = pg_catalog.to_regtype($1)", {name})) live.insert(*row[0]);
  std::string missing;
  if (live.empty()) return missing;  // no enum any more: the column's change of type says so
  for (auto& label : type.at("labels"))
    if (!live.count(label.get<std::string>())) missing += (missing.empty() ? "\"" : ", \"") + label.get<std::string>() + "\"";
  return missing;
}

void note_enums(const BackupSchema& schema, PlannedTable& table, const Json& definition) {
  for (auto& type : schema.types()) {
    if (string_of(type, "kind") != "enum") continue;
    auto name = pg::qualified(string_of(type, "schema"), string_of(type, "name"));
    bool used = false;
    for (auto& column : definition.at("columns")) {
      auto type_name = string_of(column, "type");
      used |= (type_name == name || type_name == name + "[]") && table.live->column(string_of(column, "name")) != nullptr;
    }
    if (!used) continue;
    auto missing = missing_labels(type);
    if (!missing.empty()) note(table, "type " + name + " no longer has the labels " + missing);
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> likely_renames(const PlannedTable& table, const TableDescription& live, const std::set<std::string>& dropped) {
  std::map<std::string, std::vector<std::string>> gone, came;  // by type
  std::set<std::string> before;
  const Json head = table.backup->head.json();
  for (auto& column : head.at("columns")) {
    before.insert(name_of(column));
    if (dropped.count(name_of(column))) gone[type_of(column)].push_back(name_of(column));
  }
  for (auto& column : live.columns)
    if (!before.count(column.name) && !column.generated) came[column.type_name].push_back(column.name);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (auto& [type, names] : gone)
    if (names.size() == 1 && came[type].size() == 1) pairs.emplace_back(names[0], came[type][0]);
  return pairs;
}

void note_drift(const RestorePlan& plan, PlannedTable& table) {
  if (!table.live) return;
  const Json definition = plan.definition_of(table);
  if (!definition.is_object()) return;
  note_columns(table, definition);
  note_constraints(table, definition);
  note_foreign_keys(table, definition);
  note_unique_indexes(table, definition);
  note_enums(plan.source->schema, table, definition);
}

}  // namespace snapback::service
