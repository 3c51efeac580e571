#include "service/schema_json.hpp"

#include "core/error.hpp"
#include "pg/encoding.hpp"
#include "pg/row_writer.hpp"
#include "pg/server.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

namespace {

std::string in_utf8(const std::string& text, const std::string& whose) {
  if (auto utf8 = pg::exact_utf8_text(text)) return *utf8;
  throw snapback::error(sqlstate::feature_not_supported, "cannot back up " + whose + ": a name or definition of it has no equal in UTF-8",
                        "The encoding of this database is " + pg::database_encoding() + ", the text is \"" + printable(pg::shown_utf8(text)) + "\".",
                        "Leave it out with exclude, or rename or redefine what has this text.");
}

// Names and definitions are as the catalog has them; the file is UTF-8.
void convert_texts(Json& json, const std::string& whose) {
  if (json.is_string()) {
    json = in_utf8(json.get_ref<const std::string&>(), whose);
  } else if (json.is_structured()) {
    for (auto& part : json) convert_texts(part, whose);
  }
}

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
  if (table.kind == RELKIND_RELATION && table.access_method != "heap") json["access_method"] = table.access_method;
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

// The enum types among types of columns, or of their elements. In UTF-8.
Json enums_to_json(const std::vector<Oid>& types) {
  Json json = Json::array();
  for (auto& row : pg::query(R"(
      SELECT n.nspname, t.typname, (SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
       WHERE t.typtype = 'e'
         AND (t.oid = ANY ($1::oid[]) OR t.oid IN (SELECT a.typelem FROM pg_catalog.pg_type a WHERE a.oid = ANY ($1::oid[])))
       ORDER BY 1, 2)",
                         {oid_array(types)})) {
    std::string schema = row[0].value_or(""), name = row[1].value_or(""), whose = "type \"" + schema + "." + name + "\"";
    json.push_back({{"schema", in_utf8(schema, whose)}, {"name", in_utf8(name, whose)}, {"kind", "enum"}, {"labels", Json::parse(in_utf8(row[2].value_or("[]"), whose))}});
  }
  return json;
}

}  // namespace

void SchemaText::add(const TableDescription& table) {
  for (auto& column : table.columns) types_.insert(column.type);
  for (auto& sequence : table.sequences) {
    Json json = sequence_to_json(sequence);
    convert_texts(json, "sequence \"" + sequence.schema + "." + sequence.name + "\"");
    append(sequences_, json);
  }
  Json json = table_to_json(table);
  convert_texts(json, "table \"" + table.qualified_name() + "\"");
  append(tables_, json);
}

std::string SchemaText::finish() {
  std::string types;
  for (auto& type : enums_to_json({types_.begin(), types_.end()})) append(types, type);
  return "{\"types\":[" + types + "],\"sequences\":[" + sequences_ + "],\"tables\":[" + tables_ + "]}";
}

void SchemaText::append(std::string& list, const Json& part) {
  if (!list.empty()) list += ',';
  list += dump_object(part, "the schema");
}

namespace {

[[noreturn]] void damaged(const std::string& list) {
  throw snapback::error(sqlstate::data_corrupted, "document is damaged: an entry of the schema's \"" + list + "\" is not of the form that the format has");
}

void check_sequence(const Json& sequence) {
  for (auto number : {"start", "increment", "minimum", "maximum", "cache", "last_value"})
    if (!sequence.at(number).is_number_integer()) damaged("sequences");
  for (auto flag : {"cycle", "is_called"})
    if (!sequence.at(flag).is_boolean()) damaged("sequences");
}

void check_type(const Json& type) {
  for (auto name : {"schema", "name", "kind"})
    if (!type.at(name).is_string()) damaged("types");
  for (auto& label : type.at("labels"))
    if (!label.is_string()) damaged("types");
}

}  // namespace

BackupSchema::BackupSchema(BackupReader& reader) {
  auto name_in = [](const Json& object, const char* schema, const char* name) { return TableName(string_of(object, schema), string_of(object, name)); };
  auto take = [&](const std::string& list, Json& element) {
    if (list == "types") {
      check_type(element);
      types_.push_back(element.dump());
    } else if (list == "sequences") {
      check_sequence(element);
      sequences_of_.emplace(name_in(element, "table_schema", "table_name"), sequences_.size());
      sequences_.push_back(element.dump());
    } else {
      auto name = name_in(element, "schema", "name");
      tables_[name] = element.dump();
      if (auto parent = element.find("partition_of"); parent != element.end()) partitions_.emplace_back(name, name_in(*parent, "schema", "name"));
      for (auto& parent : element.value("inherits", Json::array())) parents_[name].push_back(name_in(parent, "schema", "name"));
    }
  };
  reader.schema([&](const std::string& list, Json& element) {
    try {
      take(list, element);
    } catch (const Json::exception&) {
      damaged(list);
    }
  });
}

namespace {

Json in_server_encoding(const std::string& text) {
  Json json = Json::parse(text);
  pg::show_texts(json);
  return json;
}

void refuse_missing_text(const std::string& text, const std::string& whose) {
  auto here = pg::exact_server_text(text);
  if (!here)
    throw snapback::error(sqlstate::untranslatable_character, "cannot create " + whose + ": a name or definition of it has no equal in encoding " + pg::database_encoding(),
                          "The text is \"" + printable(pg::shown_text(text)) + "\".", "Restore it into a database of encoding UTF8, or leave it out with tables.");
}

// A name longer than the server takes would be cut, and another could be meant by it.
void refuse_long_name(const std::string& name, const std::string& whose) {
  std::string here = pg::shown_text(name);
  if (here.size() >= NAMEDATALEN)
    throw snapback::error(sqlstate::name_too_long, "cannot create " + whose + ": a name of it is too long in encoding " + pg::database_encoding(),
                          "It takes " + std::to_string(here.size()) + " bytes, at most " + std::to_string(NAMEDATALEN - 1) + " fit: \"" + printable(here) + "\".",
                          "Restore it into a database of the encoding it comes from.");
}

void refuse_untranslatable(const Json& json, const std::string& whose) {
  if (json.is_string()) refuse_missing_text(json.get_ref<const std::string&>(), whose);
  if (!json.is_structured()) return;
  for (auto& [key, part] : json.items()) {
    if (key == "owner") continue;  // a role that is not here, then
    refuse_untranslatable(part, whose);
    if ((key == "name" || key == "schema") && part.is_string()) refuse_long_name(part.get_ref<const std::string&>(), whose);
  }
}

}  // namespace

TableName name_of(const TableEntry& table) { return {pg::shown_text(table.schema()), pg::shown_text(table.name())}; }

std::string name_of(const Json& column) { return pg::shown_text(column.at("name").get_ref<const std::string&>()); }

std::string type_of(const Json& column) { return pg::shown_text(column.at("type").get_ref<const std::string&>()); }

bool has_exact_name(const TableEntry& table) { return pg::exact_server_text(table.schema()) && pg::exact_server_text(table.name()); }

std::vector<Json> BackupSchema::types() const {
  std::vector<Json> found;
  for (auto& text : types_) found.push_back(in_server_encoding(text));
  return found;
}

Json BackupSchema::table(const TableEntry& table) const {
  auto found = tables_.find({table.schema(), table.name()});
  return found == tables_.end() ? Json() : in_server_encoding(found->second);
}

std::vector<Json> BackupSchema::sequences(const TableEntry& table) const {
  std::vector<Json> found;
  auto [begin, end] = sequences_of_.equal_range({table.schema(), table.name()});
  for (auto it = begin; it != end; ++it) found.push_back(in_server_encoding(sequences_[it->second]));
  return found;
}

void BackupSchema::check_encoding(std::size_t type) const {
  const Json definition = Json::parse(types_[type]);
  refuse_untranslatable(definition, "type \"" + pg::shown_text(string_of(definition, "schema") + "." + string_of(definition, "name")) + "\"");
}

void BackupSchema::check_encoding(const TableEntry& table) const {
  auto [schema, name] = name_of(table);
  std::string whose = "table \"" + schema + "." + name + "\"";
  refuse_missing_text(table.schema(), whose);
  refuse_missing_text(table.name(), whose);
  if (auto found = tables_.find({table.schema(), table.name()}); found != tables_.end()) refuse_untranslatable(Json::parse(found->second), whose);
  auto [begin, end] = sequences_of_.equal_range({table.schema(), table.name()});
  for (auto it = begin; it != end; ++it) refuse_untranslatable(Json::parse(sequences_[it->second]), whose);
}

std::vector<TableName> BackupSchema::parents(const TableName& table) const {
  auto found = parents_.find(table);
  return found == parents_.end() ? std::vector<TableName>{} : found->second;
}

std::vector<Json> BackupSchema::all_sequences() const {
  std::vector<Json> all;
  for (auto& text : sequences_) all.push_back(in_server_encoding(text));
  return all;
}

Json table_head(const TableDescription& table) {
  const std::string whose = "table \"" + table.qualified_name() + "\"";
  Json head{{"schema", in_utf8(table.schema, whose)}, {"name", in_utf8(table.name, whose)}, {"kind", table_kind(table.kind)}, {"oid", table.oid}};
  head["columns"] = Json::array();
  if (table.kind != RELKIND_PARTITIONED_TABLE)
    for (auto* column : table.stored_columns()) {
      Json json{{"name", in_utf8(column->name, whose)}, {"type", in_utf8(column->type_name, whose)}};
      json.update(pg::value_form(column->type, "column \"" + column->name + "\" of table \"" + table.qualified_name() + "\""));
      head["columns"].push_back(std::move(json));
    }
  head["key"] = table.key_numbers().empty() ? Json::array() : Json(table.primary_key);
  convert_texts(head["key"], whose);
  return head;
}

}  // namespace snapback::service
