#include "service/schema_json.hpp"

#include "pg/row_writer.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

namespace {

Json column_to_json(const ColumnDescription& column) {
  Json json{{"name", column.name}, {"type", column.type_name}};
  if (!column.collation.empty()) json["collation"] = column.collation;
  if (column.not_null) json["not_null"] = true;
  if (column.identity) json["identity"] = column.identity == 'a' ? "always" : "by default";
  if (column.generated)
    json[column.generated == 's' ? "generated_stored" : "generated_virtual"] = column.default_expression;
  else if (!column.default_expression.empty())
    json["default"] = column.default_expression;
  return json;
}

const char* constraint_kind(char kind) {
  switch (kind) {
    case 'p': return "primary key";
    case 'u': return "unique";
    case 'c': return "check";
    default: return "exclusion";
  }
}

const char* table_kind(char kind) {
  switch (kind) {
    case RELKIND_RELATION: return "table";
    case RELKIND_PARTITIONED_TABLE: return "partitioned table";
    case RELKIND_VIEW: return "view";
    case RELKIND_MATVIEW: return "materialized view";
    case RELKIND_FOREIGN_TABLE: return "foreign table";
    default: return "relation";
  }
}

Json table_to_json(const TableDescription& table) {
  Json json{{"schema", table.schema}, {"name", table.name}, {"kind", table_kind(table.kind)}, {"owner", table.owner_name}};
  if (table.persistence == 'u') json["unlogged"] = true;
  if (!table.partition_key.empty()) json["partition_by"] = table.partition_key;
  if (table.is_partition) json["partition_of"] = {{"schema", table.parent_schema}, {"name", table.parent_name}, {"bound", table.partition_bound}};
  for (auto& [schema, name] : table.inherits) json["inherits"].push_back({{"schema", schema}, {"name", name}});
  json["columns"] = Json::array();
  for (auto& column : table.columns) json["columns"].push_back(column_to_json(column));
  json["constraints"] = Json::array();
  for (auto& constraint : table.constraints)
    if (!constraint.inherited) json["constraints"].push_back({{"name", constraint.name}, {"kind", constraint_kind(constraint.kind)}, {"definition", constraint.definition}});
  json["foreign_keys"] = Json::array();
  for (auto& key : table.foreign_keys)
    json["foreign_keys"].push_back({{"name", key.name},
                                    {"columns", key.columns},
                                    {"referenced_schema", key.referenced_schema},
                                    {"referenced_table", key.referenced_table},
                                    {"referenced_columns", key.referenced_columns},
                                    {"options", key.suffix}});
  json["indexes"] = Json::array();
  for (auto& index : table.indexes)
    json["indexes"].push_back({{"name", index.name}, {"unique", index.unique}, {"expressions", index.code}, {"definition", index.definition}});
  return json;
}

Json sequence_to_json(const SequenceDescription& sequence) {
  return {{"schema", sequence.schema},
          {"name", sequence.name},
          {"type", sequence.type_name},
          {"start", sequence.start},
          {"increment", sequence.increment},
          {"minimum", sequence.minimum},
          {"maximum", sequence.maximum},
          {"cache", sequence.cache},
          {"cycle", sequence.cycle},
          {"last_value", sequence.last_value},
          {"is_called", sequence.is_called},
          {"identity", sequence.identity},
          {"owned", sequence.owned},
          {"table_schema", sequence.owner_schema},
          {"table_name", sequence.owner_table},
          {"column", sequence.owner_column}};
}

// Enum types that columns of the tables use, directly or as array elements.
Json enums_to_json(const std::vector<TableDescription>& tables) {
  std::vector<Oid> types;
  for (auto& table : tables)
    for (auto& column : table.columns) types.push_back(column.type);
  Json json = Json::array();
  for (auto& row : pg::query(R"(
      SELECT n.nspname, t.typname, (SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
       WHERE t.typtype = 'e'
         AND (t.oid = ANY ($1::oid[]) OR t.oid IN (SELECT a.typelem FROM pg_catalog.pg_type a WHERE a.oid = ANY ($1::oid[])))
       ORDER BY 1, 2)",
                         {oid_array(types)})) {
    Json labels = Json::parse(row[2].value_or("[]"), nullptr, false);
    if (labels.is_discarded()) labels = row[2].value_or("");  // not UTF-8: the backup is refused when its texts are looked at
    json.push_back({{"schema", row[0].value_or("")}, {"name", row[1].value_or("")}, {"kind", "enum"}, {"labels", std::move(labels)}});
  }
  return json;
}

}  // namespace

Json schema_to_json(const std::vector<TableDescription>& tables) {
  Json json{{"types", enums_to_json(tables)}, {"sequences", Json::array()}, {"tables", Json::array()}};
  for (auto& table : tables) {
    for (auto& sequence : table.sequences) json["sequences"].push_back(sequence_to_json(sequence));
    json["tables"].push_back(table_to_json(table));
  }
  return json;
}

Json table_head(const TableDescription& table) {
  Json head{{"schema", table.schema}, {"name", table.name}, {"kind", table_kind(table.kind)}, {"oid", table.oid}};
  head["columns"] = Json::array();
  if (table.kind != RELKIND_PARTITIONED_TABLE)
    for (auto* column : table.stored_columns()) {
      Json json{{"name", column->name}, {"type", column->type_name}};
      json.update(pg::value_form(column->type, "column \"" + column->name + "\" of table \"" + table.qualified_name() + "\""));
      head["columns"].push_back(std::move(json));
    }
  head["key"] = table.key_numbers().empty() ? Json::array() : Json(table.primary_key);
  return head;
}

}  // namespace snapback::service
