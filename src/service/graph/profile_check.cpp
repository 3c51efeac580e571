// graph_profile_check(): what changed in the schema since the profile was stored, and what does not fit.
#include <set>

#include "core/joined.hpp"
#include "pg/json_rows.hpp"
#include "service/graph/profiles.hpp"

namespace snapback::service {

namespace {

std::string text_of(const Json& json, const char* key) { return json.value(key, std::string()); }

class Checker {
 public:
  explicit Checker(const std::string& function) : function_(function) {}

  void add(const char* severity, const char* code, const std::string& table, const std::string& column, const std::string& message, const std::string& hint = "") {
    const auto cell = [](const std::string& text) { return text.empty() ? pg::Cell() : pg::Cell(pg::server_text(text)); };
    rows_.push_back({severity, code, cell(table), cell(column), cell(message), cell(hint)});
  }
  void compare_tables(const Json& before, const Json& now);
  void compare_columns(const std::string& table, const Json& before, const Json& now);
  void compare_labels(const Json& before, const Json& now);
  void compare_keys(const Json& before, const Json& now);
  void check_fit(const Source& source);
  std::vector<pg::Row> rows() { return std::move(rows_); }

 private:
  std::string function_;
  std::vector<pg::Row> rows_;
};

void Checker::compare_columns(const std::string& table, const Json& before, const Json& now) {
  for (const auto& [column, type] : now.items()) {
    if (!before.contains(column))
      add("note", "column_added", table, column, "column " + column + " (" + type.get<std::string>() + ") came since the profile was stored; it is exported", "Name it under \"omit\" to leave it out.");
    else if (before[column] != type)
      add("note", "type_changed", table, column, "column " + column + " was " + before[column].get<std::string>() + " and is " + type.get<std::string>());
  }
  for (const auto& [column, type] : before.items())
    if (!now.contains(column)) add("warning", "column_removed", table, column, "column " + column + " is gone");
}

void Checker::compare_tables(const Json& before, const Json& now) {
  for (const auto& [table, entry] : now.items()) {
    if (!before.contains(table)) {
      add("note", "table_added", table, "", "table " + text_of(entry, "table") + " came since the profile was stored");
      continue;
    }
    if (text_of(before[table], "table") != text_of(entry, "table"))
      add("warning", "table_changed", table, "", table + " was " + text_of(before[table], "table") + " and is " + text_of(entry, "table"));
    compare_columns(table, before[table]["columns"], entry["columns"]);
  }
  for (const auto& [table, entry] : before.items())
    if (!now.contains(table)) add("warning", "table_removed", table, "", "table " + text_of(entry, "table") + " is gone");
}

void Checker::compare_labels(const Json& before, const Json& now) {
  for (const auto& [type, labels] : now.items()) {
    if (!before.contains(type)) continue;
    const std::set<std::string> old = before[type].get<std::set<std::string>>(), present = labels.get<std::set<std::string>>();
    for (const auto& label : present)
      if (!old.contains(label)) add("note", "label_added", "", "", "label \"" + label + "\" of type " + type + " came since the profile was stored");
    for (const auto& label : old)
      if (!present.contains(label)) add("warning", "label_removed", "", "", "label \"" + label + "\" of type " + type + " is gone", "Map it in the profile, under \"enum_map\", for documents that have it.");
  }
}

void Checker::compare_keys(const Json& before, const Json& now) {
  const std::set<std::string> old = before.get<std::set<std::string>>(), present = now.get<std::set<std::string>>();
  for (const auto& key : present)
    if (!old.contains(key)) add("note", "reference_added", "", "", "foreign key " + key + " came since the profile was stored");
  for (const auto& key : old)
    if (!present.contains(key)) add("warning", "reference_removed", "", "", "foreign key " + key + " is gone");
}

void Checker::check_fit(const Source& source) {
  for (const auto& table : source.unknown)
    add(source.profile.strict ? "error" : "warning", "unknown_table", table.name, "", "the profile has no class for this table: " + table.reference,
        "Give it a class: SELECT " + function_ + "{\"extends\": \"" + source.profile.name + "\", \"tables\": {\"" + graph::to_snake_case(table.name.substr(table.name.find('.') + 1)) +
            "\": {\"class\": \"exclude\", \"names\": [\"" + table.name + "\"]}}}')");
  for (const auto& table : source.tables) {
    bool reached = !table.through.empty();
    for (const auto& reference : table.references) reached = reached || reference.owns;
    if (table.is_content() && table.table_class() != graph::TableClass::root && !reached)
      add("warning", "table_not_reached", table.name(), "", "nothing leads from " + source.profile.root + " to " + table.name(), "Name its reference in the profile, under \"references\" or \"owned_by\".");
    if (table.table_class() == graph::TableClass::ref && table.natural_key.empty())
      add("warning", "no_natural_key", table.name(), "", "the profile names no natural key of " + table.name() + " that exists", "Name one in the profile, under \"natural_key\".");
  }
  for (const auto& name : source.absent) add("note", "table_absent", name, "", "no table of this database is " + name);
}

}  // namespace

Json catalog_of(const Source& source) {
  Json catalog{{"tables", Json::object()}, {"references", Json::array()}, {"labels", Json::object()}};
  std::vector<Oid> oids, types;
  for (const auto& table : source.tables) {
    oids.push_back(table.live.oid);
    Json columns = Json::object();
    for (const auto& column : table.columns) {
      columns[column.logical] = pg::utf8_text(column.live->type_name);
      types.push_back(column.live->type);
    }
    catalog["tables"][table.name()] = {{"table", pg::utf8_text(table.live.qualified_name())}, {"columns", columns}};
  }
  std::set<std::string> keys;
  for (const auto& key : foreign_keys_of(oids)) {
    keys.insert(pg::utf8_text(key.schema + "." + key.table_name + " (" + joined(key.columns) + ") -> " + key.referenced_schema + "." + key.referenced_table));
  }
  catalog["references"] = keys;
  for (const auto& row : pg::query(R"(
      SELECT n.nspname || '.' || t.typname, pg_catalog.json_agg(e.enumlabel ORDER BY e.enumlabel)
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
       WHERE t.oid = ANY ($1::oid[]) GROUP BY 1 ORDER BY 1)",
                                   {oid_array(types)}))
    catalog["labels"][pg::utf8_text(*row[0])] = Json::parse(pg::utf8_text(*row[1]));
  return catalog;
}

std::vector<pg::Row> check_profile(const std::string& name) {
  const StoredProfile stored = stored_profile(name);
  const Source source = find_source(graph::parse_profile(name, stored.definition));
  Checker checker(name == "course" ? "course_profile('" : "graph_profile('" + name + "', '");
  checker.check_fit(source);
  if (stored.catalog.is_object()) {
    const Json now = catalog_of(source);
    checker.compare_tables(stored.catalog["tables"], now["tables"]);
    checker.compare_keys(stored.catalog["references"], now["references"]);
    checker.compare_labels(stored.catalog["labels"], now["labels"]);
  }
  return checker.rows();
}

}  // namespace snapback::service
