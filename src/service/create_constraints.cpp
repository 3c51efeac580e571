#include "service/create_tables.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/table_reload.hpp"
#include "pg/table_target.hpp"
#include "service/definition_check.hpp"
#include "service/foreign_keys.hpp"
#include "service/owners_code.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

using pg::execute;
using pg::qualified;
using pg::quote_identifier;

bool is_new(const PlannedTable& table) { return table.result.action == "created"; }

void see_guests_out(const RestorePlan& plan) {
  for (auto& [schema, owner] : plan.guests) execute("REVOKE CREATE ON SCHEMA " + quote_identifier(schema) + " FROM " + owner);
}

bool constraint_exists(Oid table, const std::string& name) {
  auto rows = pg::query("SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid AND conname = $2", {std::to_string(table), name});
  return !rows.empty();
}

Oid owner_of(const PlannedTable& table) { return table.live->owner; }

// Runs a statement that makes something of a new table's. Already its literals may run its owner's code, so the owner runs it where it may create in the schema;
// where it may not, such a statement is left out.
void execute_for_owner(PlannedTable& table, const std::string& what, const std::string& statement, const std::string& definition, const Json& columns) {
  Oid owner = owner_of(table);
  if (owner == GetUserId() || may_create_in(owner, table.schema)) {
    pg::RunAs as_owner(owner);
    execute(statement);
  } else if (runs_when_parsed(definition, columns)) {
    table.result.notes.push_back(what + " left out: it is code of role " + table.live->owner_name + ", which may not create it in schema " + table.schema);
  } else {
    execute(statement);
  }
}

void add_constraint(PlannedTable& table, const Json& constraint, const Json& columns) {
  std::string name = string_of(constraint, "name"), definition = string_of(constraint, "definition");
  if (constraint_exists(table.live->oid, name)) return;
  std::string statement = "ALTER TABLE " + table.target() + " ADD CONSTRAINT " + quote_identifier(name) + " " + definition;
  try {
    if (string_of(constraint, "kind") == "check") {
      // makes nothing in the schema: the owner may always
      pg::RunAs owner(owner_of(table));
      execute(statement);
    } else {
      execute_for_owner(table, "constraint \"" + name + "\"", statement, definition, columns);
    }
  } catch (pg::error& e) {
    pg::rethrow_without_values(e, "add constraint \"" + name + "\" to table \"" + table.qualified_name() + "\"", -1);
  }
}

void add_index(PlannedTable& table, const Json& index, const Json& columns) {
  std::string name = string_of(index, "name"), definition = string_of(index, "definition");
  if (relation_exists(table.schema, name)) return;
  try {
    execute_for_owner(table, "index \"" + name + "\"",
                      "CREATE " + std::string(index.value("unique", false) ? "UNIQUE " : "") + "INDEX " + quote_identifier(name) + " ON " + table.target() + " " + definition, definition, columns);
  } catch (pg::error& e) {
    pg::rethrow_without_values(e, "build index \"" + name + "\" of table \"" + table.qualified_name() + "\"", -1);
  }
}

std::string column_list(const Json& columns) {
  std::string list;
  for (auto& column : columns) list += (list.empty() ? "" : ", ") + quote_identifier(column.get<std::string>());
  return list;
}

std::vector<std::string> names_of(const Json& list) {
  std::vector<std::string> names;
  for (auto& name : list) names.push_back(name.get<std::string>());
  return names;
}

using TablesByName = std::map<std::pair<std::string, std::string>, const PlannedTable*>;

void add_foreign_key(PlannedTable& table, const Json& key, const TablesByName& by_name, const std::string& into_schema) {
  std::string name = string_of(key, "name");
  auto it = by_name.find({string_of(key, "referenced_schema"), string_of(key, "referenced_table")});
  bool referenced_is_new = it != by_name.end() && is_new(*it->second);
  // a key that a live table lost on purpose stays lost; one that went with the table it points at comes back
  if ((!is_new(table) && !referenced_is_new) || constraint_exists(table.live->oid, name)) return;
  TableName target;
  if (it != by_name.end())
    target = {it->second->schema, it->second->name};
  else if (into_schema.empty() && relation_exists(string_of(key, "referenced_schema"), string_of(key, "referenced_table")))
    target = {string_of(key, "referenced_schema"), string_of(key, "referenced_table")};
  if (target.second.empty()) {
    table.result.notes.push_back("foreign key \"" + name + "\" left out: table \"" + string_of(key, "referenced_schema") + "." + string_of(key, "referenced_table") + "\" is not " +
                                 (into_schema.empty() ? "there" : "restored with it"));
    return;
  }
  auto role = adding_role(*table.live, names_of(key.at("columns")), find_live_table(target.first, target.second), names_of(key.at("referenced_columns")));
  if (!role) {
    table.result.notes.push_back("foreign key \"" + name + "\" left out: checking it would run code of the tables' owners, and role " + table.live->owner_name + " may not read \"" + target.first + "." +
                                 target.second + "\" or would lend its rights to it");
    return;
  }
  try {
    pg::RunAs checking(*role);
    execute("ALTER TABLE " + table.target() + " ADD CONSTRAINT " + quote_identifier(name) + " FOREIGN KEY (" + column_list(key.at("columns")) + ") REFERENCES " + qualified(target.first, target.second) +
            " (" + column_list(key.at("referenced_columns")) + ")" + string_of(key, "options"));
  } catch (pg::error& e) {
    pg::rethrow_without_values(e, "add foreign key \"" + name + "\" to table \"" + table.qualified_name() + "\"", -1);
  }
  if (!is_new(table)) table.result.notes.push_back("foreign key \"" + name + "\" restored");
}

bool holds_code(const Json& constraint) { return string_of(constraint, "kind") == "exclusion"; }
// A unique index of a backup that does not say so may be what a foreign key points at, so it is taken for one without expressions.
bool index_holds_code(const Json& index) { return index.value("expressions", !index.value("unique", false)); }

// `code`: those whose expressions a query of the table would have to look at, or the others.
void add_constraints_and_indexes(RestorePlan& plan, bool code) {
  for (auto& table : plan.tables) {
    if (!is_new(table)) continue;
    const Json definition = plan.definition_of(table);
    bool code_left_out = is_strangers_code(plan, definition);
    auto& columns = definition.at("columns");
    for (auto& constraint : definition.value("constraints", Json::array())) {
      if (holds_code(constraint) != code) continue;
      if (code_left_out && (code || string_of(constraint, "kind") == "check"))
        table.result.notes.push_back("constraint \"" + string_of(constraint, "name") + "\" left out: it is code of role " + string_of(definition, "owner"));
      else
        add_constraint(table, constraint, columns);
    }
    for (auto& index : definition.value("indexes", Json::array())) {
      if (index_holds_code(index) != code) continue;
      if (code_left_out && index.value("expressions", true))
        table.result.notes.push_back("index \"" + string_of(index, "name") + "\" left out: it is code of role " + string_of(definition, "owner"));
      else
        add_index(table, index, columns);
    }
  }
  for (auto& table : plan.tables)
    if (is_new(table)) pg::release_indexes(table.live->oid);
}

}  // namespace

void create_constraints(RestorePlan& plan) { add_constraints_and_indexes(plan, false); }

namespace {

void add_foreign_keys(RestorePlan& plan, const std::string& into_schema) {
  TablesByName by_name;
  for (auto& table : plan.tables)
    if (table.live) by_name[name_of(*table.backup)] = &table;
  for (auto& table : plan.tables) {
    if (!table.live) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object()) continue;
    if (!is_new(table)) check_foreign_key_definitions(table, definition);
    for (auto& key : definition.value("foreign_keys", Json::array())) add_foreign_key(table, key, by_name, into_schema);
  }
}

}  // namespace

void create_foreign_keys(RestorePlan& plan, const std::string& into_schema) {
  // keys are lost with tables only: where none is new, no definition need be looked at
  if (std::any_of(plan.tables.begin(), plan.tables.end(), is_new)) {
    add_foreign_keys(plan, into_schema);
    // now that no query of ours is to be planned over these tables any more, unless by their owner
    add_constraints_and_indexes(plan, true);
  }
  see_guests_out(plan);
}

}  // namespace snapback::service
