#include "service/create_tables.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/table_reload.hpp"
#include "pg/table_target.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

using pg::execute;
using pg::qualified;
using pg::quote_identifier;
using pg::quote_literal;

bool is_new(const PlannedTable& table) { return table.result.action == "created"; }

std::string target_name(const PlannedTable& table) { return qualified(table.schema, table.name); }

void create_schemas(RestorePlan& plan) {
  std::set<std::string> schemas;
  for (auto& table : plan.tables)
    if (!table.live && table.result.action.empty()) schemas.insert(table.schema);
  for (auto& schema : schemas) {
    bool exists = pg::call([&] { return OidIsValid(get_namespace_oid(schema.c_str(), true)); });
    if (exists) continue;
    execute("CREATE SCHEMA " + quote_identifier(schema));
    plan.created_schemas.insert(schema);
  }
}

// Names of the types that columns of the new tables have.
std::set<std::string> types_of_new_tables(const RestorePlan& plan) {
  std::set<std::string> types;
  for (auto& table : plan.tables) {
    if (table.live) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object()) continue;
    for (auto& column : definition.at("columns")) types.insert(string_of(column, "type"));
  }
  return types;
}

// Enum types that the new tables use and the database lacks; types of other kinds must be there.
void create_types(const RestorePlan& plan) {
  auto used = types_of_new_tables(plan);
  for (auto& type : plan.source->schema.types()) {
    if (string_of(type, "kind") != "enum") continue;
    std::string name = qualified(string_of(type, "schema"), string_of(type, "name"));
    auto found = pg::query("SELECT pg_catalog.to_regtype($1)", {name});
    if (found[0][0]) continue;
    if (std::none_of(used.begin(), used.end(), [&](auto& one) { return one.starts_with(name); })) continue;
    std::string labels;
    for (auto& label : type.at("labels")) labels += (labels.empty() ? "" : ", ") + quote_literal(label.get<std::string>());
    execute("CREATE TYPE " + name + " AS ENUM (" + labels + ")");
  }
}

struct SequenceTarget {
  Json definition;
  std::string schema;  // target
};

std::vector<SequenceTarget> sequences_of(const RestorePlan& plan, const PlannedTable& table, const std::string& into_schema) {
  std::vector<SequenceTarget> found;
  for (auto& sequence : plan.source->schema.sequences({table.backup->schema(), table.backup->name()})) {
    bool owned = sequence.value("owned", false);
    // a sequence that no column owns stays shared between the copy and the original
    std::string schema = owned && !into_schema.empty() ? into_schema : string_of(sequence, "schema");
    found.push_back({std::move(sequence), std::move(schema)});
  }
  return found;
}

std::string sequence_options(const Json& sequence) {
  return " INCREMENT BY " + std::to_string(sequence.at("increment").get<std::int64_t>()) + " MINVALUE " + std::to_string(sequence.at("minimum").get<std::int64_t>()) + " MAXVALUE " +
         std::to_string(sequence.at("maximum").get<std::int64_t>()) + " START WITH " + std::to_string(sequence.at("start").get<std::int64_t>()) + " CACHE " +
         std::to_string(sequence.at("cache").get<std::int64_t>()) + (sequence.at("cycle").get<bool>() ? " CYCLE" : " NO CYCLE");
}

bool relation_exists(const std::string& schema, const std::string& name) {
  return pg::call([&] {
    Oid space = get_namespace_oid(schema.c_str(), true);
    return OidIsValid(space) && OidIsValid(get_relname_relid(name.c_str(), space));
  });
}

void create_sequences(const RestorePlan& plan, const PlannedTable& table, const std::string& into_schema) {
  for (auto& sequence : sequences_of(plan, table, into_schema)) {
    if (sequence.definition.value("identity", false)) continue;
    std::string name = string_of(sequence.definition, "name");
    if (relation_exists(sequence.schema, name)) continue;
    execute("CREATE SEQUENCE " + qualified(sequence.schema, name) + " AS " + string_of(sequence.definition, "type") + sequence_options(sequence.definition));
  }
}

std::string default_of(const Json& column, const std::vector<SequenceTarget>& sequences) {
  std::string expression = string_of(column, "default");
  for (auto& sequence : sequences) {
    std::string old_name = qualified(string_of(sequence.definition, "schema"), string_of(sequence.definition, "name"));
    if (expression == "nextval(" + quote_literal(old_name) + "::regclass)")
      return "nextval(" + quote_literal(qualified(sequence.schema, string_of(sequence.definition, "name"))) + "::regclass)";
  }
  return expression;
}

std::string identity_options(const Json& column, const std::vector<SequenceTarget>& sequences) {
  for (auto& sequence : sequences)
    if (sequence.definition.value("identity", false) && string_of(sequence.definition, "column") == string_of(column, "name"))
      return " (SEQUENCE NAME " + qualified(sequence.schema, string_of(sequence.definition, "name")) + sequence_options(sequence.definition) + ")";
  return "";
}

std::string column_definition(const Json& column, const std::vector<SequenceTarget>& sequences) {
  std::string text = quote_identifier(string_of(column, "name")) + " " + string_of(column, "type");
  if (column.contains("collation")) text += " COLLATE " + string_of(column, "collation");
  if (column.contains("identity"))
    text += string_of(column, "identity") == "always" ? " GENERATED ALWAYS AS IDENTITY" : " GENERATED BY DEFAULT AS IDENTITY";
  if (column.contains("identity")) text += identity_options(column, sequences);
  if (column.contains("default")) text += " DEFAULT " + default_of(column, sequences);
  if (column.contains("generated_stored")) text += " GENERATED ALWAYS AS (" + string_of(column, "generated_stored") + ") STORED";
  if (column.contains("generated_virtual")) text += " GENERATED ALWAYS AS (" + string_of(column, "generated_virtual") + ") VIRTUAL";
  if (column.value("not_null", false)) text += " NOT NULL";
  return text;
}

// Parents that are restored along, or that stand where they stood; a note for each that is gone.
std::string inherits_clause(const RestorePlan& plan, PlannedTable& table, const Json& definition, const std::string& into_schema) {
  std::string parents;
  for (auto& parent : definition.value("inherits", Json::array())) {
    std::string schema = string_of(parent, "schema"), name = string_of(parent, "name");
    bool planned = false;
    for (auto& other : plan.tables) planned |= other.backup->schema() == schema && other.backup->name() == name && other.result.action != "skipped";
    std::string target = planned && !into_schema.empty() ? into_schema : schema;
    if ((planned || into_schema.empty()) && relation_exists(target, name))
      parents += (parents.empty() ? "" : ", ") + qualified(target, name);
    else
      table.result.notes.push_back("no longer inherits from " + schema + "." + name + ", which is not " + (into_schema.empty() ? "there" : "restored with it"));
  }
  return parents.empty() ? "" : " INHERITS (" + parents + ")";
}

std::string create_statement(const RestorePlan& plan, PlannedTable& table, const Json& definition, const std::vector<SequenceTarget>& sequences, const std::string& into_schema) {
  std::string text = definition.value("unlogged", false) ? "CREATE UNLOGGED TABLE " : "CREATE TABLE ";
  text += target_name(table);
  if (definition.contains("partition_of")) {
    auto& parent = definition.at("partition_of");
    text += " PARTITION OF " + qualified(into_schema.empty() ? string_of(parent, "schema") : into_schema, string_of(parent, "name")) + " " + string_of(parent, "bound");
  } else {
    std::string columns;
    for (auto& column : definition.at("columns")) columns += (columns.empty() ? "\n  " : ",\n  ") + column_definition(column, sequences);
    text += " (" + columns + "\n)" + inherits_clause(plan, table, definition, into_schema);
  }
  if (definition.contains("partition_by")) text += " PARTITION BY " + string_of(definition, "partition_by");
  return text;
}

// The role that owned the table in this database before, when the user may hand it, or its copy, back; InvalidOid otherwise.
Oid former_owner(const RestorePlan& plan, const Json& definition) {
  if (!plan.source->backup.is_own) return InvalidOid;
  std::string owner = string_of(definition, "owner");
  return pg::call([&]() -> Oid {
    Oid role = get_role_oid(owner.c_str(), true);
    return OidIsValid(role) && role != GetUserId() && has_privs_of_role(GetUserId(), role) ? role : InvalidOid;
  });
}

bool may_create_in(Oid role, const std::string& schema) {
  auto rows = pg::query("SELECT pg_catalog.has_schema_privilege($1::oid, oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $2", {std::to_string(role), schema});
  return !rows.empty() && rows[0][0] == "t";
}

// True when the table's expressions would run with the rights of a user who is neither the role that wrote them nor may act as it.
bool is_strangers_code(const RestorePlan& plan, const Json& definition) {
  if (!plan.source->backup.is_own) return false;  // trusted by name, with from_database
  std::string owner = string_of(definition, "owner");
  return pg::call([&] {
    Oid role = get_role_oid(owner.c_str(), true);
    return OidIsValid(role) && !has_privs_of_role(GetUserId(), role);
  });
}

bool has_generated_columns(const Json& definition) {
  for (auto& column : definition.at("columns"))
    if (column.contains("generated_stored") || column.contains("generated_virtual")) return true;
  return false;
}

void own_sequences(const PlannedTable& table, const std::vector<SequenceTarget>& sequences, const std::string& owner) {
  for (auto& sequence : sequences) {
    if (sequence.definition.value("identity", false) || !sequence.definition.value("owned", false)) continue;
    std::string name = qualified(sequence.schema, string_of(sequence.definition, "name"));
    if (!owner.empty()) execute("ALTER SEQUENCE " + name + " OWNER TO " + owner);
    execute("ALTER SEQUENCE " + name + " OWNED BY " + target_name(table) + "." + quote_identifier(string_of(sequence.definition, "column")));
  }
}

// A schema that this restore made is nobody's but the user's: the owner of a table in it has to be let in, and may create only while the restore runs.
void let_in(RestorePlan& plan, const PlannedTable& table, const std::string& former_owner_name) {
  if (!plan.created_schemas.count(table.schema)) return;
  std::string owner = quote_identifier(former_owner_name);
  if (plan.guests.emplace(table.schema, owner).second) execute("GRANT USAGE, CREATE ON SCHEMA " + quote_identifier(table.schema) + " TO " + owner);
}

void see_guests_out(const RestorePlan& plan) {
  for (auto& [schema, owner] : plan.guests) execute("REVOKE CREATE ON SCHEMA " + quote_identifier(schema) + " FROM " + owner);
}

// The bare table with its sequences. Its generation expressions are its owner's code, and already looking at them may run it: the owner makes the table where it may.
void create_table(RestorePlan& plan, PlannedTable& table, const Json& definition, const std::string& into_schema) {
  auto sequences = sequences_of(plan, table, into_schema);
  auto statement = create_statement(plan, table, definition, sequences, into_schema);
  Oid owner = former_owner(plan, definition);
  if (OidIsValid(owner)) let_in(plan, table, string_of(definition, "owner"));
  table.result.notes.push_back("its privileges, policies and triggers are not restored");
  if (OidIsValid(owner) && may_create_in(owner, table.schema)) {
    pg::RunAs as_owner(owner);
    create_sequences(plan, table, into_schema);
    execute(statement);
    own_sequences(table, sequences, "");
    return;
  }
  if ((OidIsValid(owner) || is_strangers_code(plan, definition)) && has_generated_columns(definition))
    throw snapback::error(sqlstate::insufficient_privilege, "cannot recreate table \"" + table.qualified_name() + "\" for its owner",
                          "Its generated columns are code of role \"" + string_of(definition, "owner") + "\", which may not create tables in schema \"" + table.schema + "\" or cannot be acted for.",
                          "Let a superuser restore it, or grant that role CREATE on the schema for the time of the restore.");
  create_sequences(plan, table, into_schema);
  execute(statement);
  std::string owner_name = OidIsValid(owner) ? quote_identifier(string_of(definition, "owner")) : "";
  if (!owner_name.empty()) execute("ALTER TABLE " + target_name(table) + " OWNER TO " + owner_name);
  own_sequences(table, sequences, owner_name);
}

bool constraint_exists(Oid table, const std::string& name) {
  auto rows = pg::query("SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid AND conname = $2", {std::to_string(table), name});
  return !rows.empty();
}

Oid owner_of(const PlannedTable& table) { return table.live->owner; }

void add_constraint(const PlannedTable& table, const Json& constraint) {
  std::string name = string_of(constraint, "name");
  if (constraint_exists(table.live->oid, name)) return;
  std::string statement = "ALTER TABLE " + target_name(table) + " ADD CONSTRAINT " + quote_identifier(name) + " " + string_of(constraint, "definition");
  try {
    if (string_of(constraint, "kind") == "check") {
      // the expression is its owner's code; index builds change to the owner by themselves
      pg::RunAs owner(owner_of(table));
      execute(statement);
    } else {
      execute(statement);
    }
  } catch (pg::error& e) {
    pg::rethrow_without_values(e, "add constraint \"" + name + "\" to table \"" + table.qualified_name() + "\"", -1);
  }
}

void add_index(const PlannedTable& table, const Json& index) {
  std::string name = string_of(index, "name");
  if (relation_exists(table.schema, name)) return;
  try {
    execute("CREATE " + std::string(index.value("unique", false) ? "UNIQUE " : "") + "INDEX " + quote_identifier(name) + " ON " + target_name(table) + " " + string_of(index, "definition"));
  } catch (pg::error& e) {
    pg::rethrow_without_values(e, "build index \"" + name + "\" of table \"" + table.qualified_name() + "\"", -1);
  }
}

std::string column_list(const Json& columns) {
  std::string list;
  for (auto& column : columns) list += (list.empty() ? "" : ", ") + quote_identifier(column.get<std::string>());
  return list;
}

using TablesByName = std::map<std::pair<std::string, std::string>, const PlannedTable*>;

void add_foreign_key(PlannedTable& table, const Json& key, const TablesByName& by_name, const std::string& into_schema) {
  std::string name = string_of(key, "name");
  auto it = by_name.find({string_of(key, "referenced_schema"), string_of(key, "referenced_table")});
  bool referenced_is_new = it != by_name.end() && is_new(*it->second);
  // a key that a live table lost on purpose stays lost; one that went with the table it points at comes back
  if ((!is_new(table) && !referenced_is_new) || constraint_exists(table.live->oid, name)) return;
  std::string referenced;
  if (it != by_name.end())
    referenced = target_name(*it->second);
  else if (into_schema.empty() && relation_exists(string_of(key, "referenced_schema"), string_of(key, "referenced_table")))
    referenced = qualified(string_of(key, "referenced_schema"), string_of(key, "referenced_table"));
  if (referenced.empty()) {
    table.result.notes.push_back("foreign key \"" + name + "\" left out: table \"" + string_of(key, "referenced_schema") + "." + string_of(key, "referenced_table") + "\" is not " +
                                 (into_schema.empty() ? "there" : "restored with it"));
    return;
  }
  try {
    execute("ALTER TABLE " + target_name(table) + " ADD CONSTRAINT " + quote_identifier(name) + " FOREIGN KEY (" + column_list(key.at("columns")) + ") REFERENCES " + referenced + " (" +
            column_list(key.at("referenced_columns")) + ")" + string_of(key, "options"));
  } catch (pg::error& e) {
    pg::rethrow_without_values(e, "add foreign key \"" + name + "\" to table \"" + table.qualified_name() + "\"", -1);
  }
  if (!is_new(table)) table.result.notes.push_back("foreign key \"" + name + "\" restored");
}

}  // namespace

void create_missing_tables(RestorePlan& plan, const std::string& into_schema) {
  create_schemas(plan);
  create_types(plan);
  for (auto& table : plan.tables) {
    if (table.live || !table.result.action.empty()) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object())
      throw snapback::error(sqlstate::undefined_table, "table \"" + table.qualified_name() + "\" does not exist", "The backup has no definition to create it from.");
    create_table(plan, table, definition, into_schema);
    table.result.action = "created";
    auto described = describe_tables({find_live_table(table.schema, table.name)}, false);
    table.live = described.at(0);
  }
}

void create_constraints(RestorePlan& plan, const std::string&) {
  for (auto& table : plan.tables) {
    if (!is_new(table)) continue;
    const Json definition = plan.definition_of(table);
    bool code_left_out = is_strangers_code(plan, definition);
    for (auto& constraint : definition.value("constraints", Json::array())) {
      bool code = string_of(constraint, "kind") == "check" || string_of(constraint, "kind") == "exclusion";
      if (code && code_left_out)
        table.result.notes.push_back("constraint \"" + string_of(constraint, "name") + "\" left out: it is code of role " + string_of(definition, "owner"));
      else
        add_constraint(table, constraint);
    }
    for (auto& index : definition.value("indexes", Json::array())) {
      if (code_left_out && index.value("expressions", true))
        table.result.notes.push_back("index \"" + string_of(index, "name") + "\" left out: it is code of role " + string_of(definition, "owner"));
      else
        add_index(table, index);
    }
  }
  for (auto& table : plan.tables)
    if (is_new(table)) pg::release_indexes(table.live->oid);
}

namespace {

void add_foreign_keys(RestorePlan& plan, const std::string& into_schema) {
  TablesByName by_name;
  for (auto& table : plan.tables)
    if (table.live) by_name[{table.backup->schema(), table.backup->name()}] = &table;
  for (auto& table : plan.tables) {
    if (!table.live) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object()) continue;
    for (auto& key : definition.value("foreign_keys", Json::array())) add_foreign_key(table, key, by_name, into_schema);
  }
}

}  // namespace

void create_foreign_keys(RestorePlan& plan, const std::string& into_schema) {
  // keys are lost with tables only: where none is new, no definition need be looked at
  if (std::any_of(plan.tables.begin(), plan.tables.end(), is_new)) add_foreign_keys(plan, into_schema);
  see_guests_out(plan);
}

}  // namespace snapback::service
