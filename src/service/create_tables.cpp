#include "service/create_tables.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "service/definition_check.hpp"
#include "service/owners_code.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

using pg::execute;
using pg::qualified;
using pg::quote_identifier;
using pg::quote_literal;

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
    if (table.live || !table.result.action.empty()) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object()) continue;
    for (auto& column : definition.at("columns")) types.insert(string_of(column, "type"));
  }
  return types;
}

// Enum types that the new tables use and the database lacks; types of other kinds must be there.
void create_types(const RestorePlan& plan) {
  auto used = types_of_new_tables(plan);
  auto types = plan.source->schema.types();
  for (std::size_t i = 0; i < types.size(); ++i) {
    auto& type = types[i];
    if (string_of(type, "kind") != "enum") continue;
    std::string name = qualified(string_of(type, "schema"), string_of(type, "name"));
    auto found = pg::query("SELECT pg_catalog.to_regtype($1)", {name});
    if (found[0][0]) continue;
    if (std::none_of(used.begin(), used.end(), [&](auto& one) { return one.starts_with(name); })) continue;
    plan.source->schema.check_encoding(i);
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
  for (auto& sequence : plan.source->schema.sequences(*table.backup)) {
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

void create_sequences(const RestorePlan& plan, const PlannedTable& table, const std::string& into_schema) {
  for (auto& sequence : sequences_of(plan, table, into_schema)) {
    if (sequence.definition.value("identity", false)) continue;
    std::string name = string_of(sequence.definition, "name");
    if (relation_exists(sequence.schema, name)) continue;
    execute("CREATE SEQUENCE " + qualified(sequence.schema, name) + " AS " + string_of(sequence.definition, "type") + sequence_options(sequence.definition));
  }
}

// As definitions have it: with standard_conforming_strings, which pg::TextForms sets, a backslash stands for itself.
std::string plain_literal(const std::string& text) {
  std::string literal = "'";
  for (char c : text) literal += c == '\'' ? "''" : std::string(1, c);
  return literal + "'";
}

std::string default_of(const Json& column, const std::vector<SequenceTarget>& sequences) {
  std::string expression = string_of(column, "default");
  for (auto& sequence : sequences) {
    std::string old_name = qualified(string_of(sequence.definition, "schema"), string_of(sequence.definition, "name"));
    if (expression == "nextval(" + plain_literal(old_name) + "::regclass)")
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
  if (column.contains("default")) text += " DEFAULT (" + default_of(column, sequences) + ")";
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
    for (auto& other : plan.tables) planned |= name_of(*other.backup) == TableName(schema, name) && other.result.action != "skipped";
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
  text += table.target();
  if (definition.contains("partition_of")) {
    auto& parent = definition.at("partition_of");
    text += " PARTITION OF " + qualified(into_schema.empty() ? string_of(parent, "schema") : into_schema, string_of(parent, "name")) + " " + string_of(parent, "bound");
  } else {
    std::string columns;
    for (auto& column : definition.at("columns")) columns += (columns.empty() ? "\n  " : ",\n  ") + column_definition(column, sequences);
    text += " (" + columns + "\n)" + inherits_clause(plan, table, definition, into_schema);
  }
  if (definition.contains("partition_by"))
    text += " PARTITION BY " + string_of(definition, "partition_by");
  else
    text += " USING " + quote_identifier(definition.value("access_method", "heap"));  // whatever default_table_access_method is
  return text;
}

void own_sequences(const PlannedTable& table, const std::vector<SequenceTarget>& sequences, const std::string& owner) {
  for (auto& sequence : sequences) {
    if (sequence.definition.value("identity", false) || !sequence.definition.value("owned", false)) continue;
    std::string name = qualified(sequence.schema, string_of(sequence.definition, "name"));
    if (!owner.empty()) execute("ALTER SEQUENCE " + name + " OWNER TO " + owner);
    execute("ALTER SEQUENCE " + name + " OWNED BY " + table.target() + "." + quote_identifier(string_of(sequence.definition, "column")));
  }
}

// A schema that this restore made is nobody's but the user's: the owner of a table in it has to be let in, and may create only while the restore runs.
void let_in(RestorePlan& plan, const PlannedTable& table, const std::string& former_owner_name) {
  if (!plan.created_schemas.count(table.schema)) return;
  std::string owner = quote_identifier(former_owner_name);
  if (plan.guests.emplace(table.schema, owner).second) execute("GRANT USAGE, CREATE ON SCHEMA " + quote_identifier(table.schema) + " TO " + owner);
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
  if ((OidIsValid(owner) || is_strangers_code(plan, definition)) && is_code_when_made(definition))
    throw snapback::error(sqlstate::insufficient_privilege, "cannot recreate table \"" + table.qualified_name() + "\" for its owner",
                          "Its generated columns, or defaults and bounds with values of user-defined types, are code of role \"" + string_of(definition, "owner") +
                              "\", which may not create tables in schema \"" + table.schema + "\" or cannot be acted for.",
                          "Let a superuser restore it, or grant that role CREATE on the schema for the time of the restore.");
  create_sequences(plan, table, into_schema);
  execute(statement);
  std::string owner_name = OidIsValid(owner) ? quote_identifier(string_of(definition, "owner")) : "";
  if (!owner_name.empty()) execute("ALTER TABLE " + table.target() + " OWNER TO " + owner_name);
  own_sequences(table, sequences, owner_name);
}

}  // namespace

bool relation_exists(const std::string& schema, const std::string& name) {
  return pg::call([&] {
    Oid space = get_namespace_oid(schema.c_str(), true);
    return OidIsValid(space) && OidIsValid(get_relname_relid(name.c_str(), space));
  });
}

void create_missing_tables(RestorePlan& plan, const std::string& into_schema) {
  create_schemas(plan);
  create_types(plan);
  for (auto& table : plan.tables) {
    if (table.live || !table.result.action.empty()) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object())
      throw snapback::error(sqlstate::undefined_table, "table \"" + table.qualified_name() + "\" does not exist", "The backup has no definition to create it from.");
    plan.source->schema.check_encoding(*table.backup);
    check_definition(table, definition, plan.source->schema.sequences(*table.backup));
    create_table(plan, table, definition, into_schema);
    table.result.action = "created";
    auto described = describe_tables({find_live_table(table.schema, table.name)}, false);
    table.live = described.at(0);
  }
}

}  // namespace snapback::service
