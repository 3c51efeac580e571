// Profile to JSON.
#include "core/graph/profile.hpp"

namespace snapback::graph {

namespace {

void put_list(Json& json, const char* name, const std::vector<std::string>& list) {
  if (!list.empty()) json[name] = list;
}

void put_lists(Json& json, const char* name, const std::vector<std::vector<std::string>>& lists) {
  if (!lists.empty()) json[name] = lists;
}

void put_values(Json& json, const char* name, const std::vector<ColumnValue>& values) {
  for (const auto& [column, value] : values) json[name][column] = value;
}

Json reference_to_json(const Reference& reference) {
  Json json{{"kind", kind_name(reference.kind)}};
  if (reference.kind == ReferenceKind::foreign_key)
    json["columns"] = reference.columns;
  else
    json["column"] = reference.columns.front();
  if (!reference.type_column.empty()) json["type_column"] = reference.type_column;
  for (const auto& [type, table] : reference.types) json["types"][type] = table;
  if (!reference.table.empty()) json["table"] = reference.table;
  put_list(json, "to", reference.to);
  if (!reference.path_text.empty()) json["path"] = reference.path_text;
  if (reference.kind == ReferenceKind::text) json["pattern"] = reference.before + "{id}" + reference.after;
  return json;
}

Json table_to_json(const TableProfile& table) {
  Json json{{"class", class_name(table.table_class)}};
  if (table.names != std::vector<std::string>{table.name}) json["names"] = table.names;
  for (const auto& [column, names] : table.columns) json["columns"][column] = names;
  put_list(json, "key", table.key);
  put_list(json, "order", table.order);
  put_lists(json, "owned_by", table.owned_by);
  put_lists(json, "natural_key", table.natural_key);
  put_list(json, "display", table.display);
  if (table.whole && table.missing != MissingPolicy::create) json["whole"] = true;
  if (table.missing != MissingPolicy::automatic) json["missing"] = policy_name(table.missing);
  put_list(json, "hash", table.hash);
  put_list(json, "omit", table.omit);
  for (const auto& filter : table.filter) json["filter"][filter.column] = filter.values.size() == 1 ? filter.values.front() : Json(filter.values);
  put_values(json, "force", table.force);
  put_values(json, "reset", table.reset);
  put_values(json, "fill", table.fill);
  for (const auto& [column, member] : table.context) json["context"][column] = member;
  if (table.id == IdGenerator::expression)
    json["id"]["expression"] = table.id_expression;
  else if (table.id != IdGenerator::automatic)
    json["id"] = generator_name(table.id);
  for (const auto& [column, policy] : table.unique) json["unique"][column] = policy_name(policy);
  for (const auto& [column, labels] : table.enum_map)
    for (const auto& [from, to] : labels) json["enum_map"][column][from] = to;
  for (const auto& reference : table.references) json["references"].push_back(reference_to_json(reference));
  return json;
}

}  // namespace

Json profile_to_json(const Profile& profile) {
  Json json{{"format", "pg_snapback_profile"}, {"version", profile_version}, {"name", profile.name}, {"root", profile.root}, {"strict", profile.strict}};
  json["tables"] = Json::object();
  for (const auto& table : profile.tables) json["tables"][table.name] = table_to_json(table);
  return json;
}

Json extend_profile(const Json& base, const Json& definition) {
  Json extended = base;
  for (const auto& [name, value] : definition.items()) {
    if (name == "extends") continue;
    if (name != "tables" || !value.is_object()) {
      extended[name] = value;
      continue;
    }
    for (const auto& [table, members] : value.items()) {
      Json& tables = extended["tables"];
      if (members.is_null()) {
        tables.erase(table);
      } else if (members.is_object() && tables.contains(table) && tables[table].is_object()) {
        for (const auto& [member, setting] : members.items()) {
          if (setting.is_null())
            tables[table].erase(member);
          else
            tables[table][member] = setting;
        }
      } else {
        tables[table] = members;
      }
    }
  }
  return extended;
}

}  // namespace snapback::graph
