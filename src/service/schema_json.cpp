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

// The enum types among types of columns, or of their elements.
Json enums_to_json(const std::vector<Oid>& types) {
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

void SchemaText::add(const TableDescription& table) {
  for (auto& column : table.columns) types_.insert(column.type);
  for (auto& sequence : table.sequences) append(sequences_, sequence_to_json(sequence));
  append(tables_, table_to_json(table));
}

std::string SchemaText::finish() {
  std::string types;
  for (auto& type : enums_to_json({types_.begin(), types_.end()})) append(types, type);
  return "{\"types\":[" + types + "],\"sequences\":[" + sequences_ + "],\"tables\":[" + tables_ + "]}";
}

void SchemaText::append(std::string& list, const Json& part) {
  look_(part);
  if (!list.empty()) list += ',';
  list += dump_object(part, "the schema");
}

BackupSchema::BackupSchema(BackupReader& reader) {
  auto name_in = [](const Json& object, const char* schema, const char* name) { return TableName(string_of(object, schema), string_of(object, name)); };
  reader.schema([&](const std::string& list, Json& element) {
    if (list == "types") {
      types_.push_back(std::move(element));
    } else if (list == "sequences") {
      sequences_of_.emplace(name_in(element, "table_schema", "table_name"), sequences_.size());
      sequences_.push_back(element.dump());
    } else {
      auto name = name_in(element, "schema", "name");
      tables_[name] = element.dump();
      if (auto parent = element.find("partition_of"); parent != element.end()) partitions_.emplace_back(name, name_in(*parent, "schema", "name"));
      for (auto& parent : element.value("inherits", Json::array())) parents_[name].push_back(name_in(parent, "schema", "name"));
    }
  });
}

Json BackupSchema::table(const TableName& name) const {
  auto found = tables_.find(name);
  return found == tables_.end() ? Json() : Json::parse(found->second);
}

std::vector<Json> BackupSchema::sequences(const TableName& table) const {
  std::vector<Json> found;
  auto [begin, end] = sequences_of_.equal_range(table);
  for (auto it = begin; it != end; ++it) found.push_back(Json::parse(sequences_[it->second]));
  return found;
}

std::vector<TableName> BackupSchema::parents(const TableName& table) const {
  auto found = parents_.find(table);
  return found == parents_.end() ? std::vector<TableName>{} : found->second;
}

std::vector<Json> BackupSchema::all_sequences() const {
  std::vector<Json> all;
  for (auto& text : sequences_) all.push_back(Json::parse(text));
  return all;
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
