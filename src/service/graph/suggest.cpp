// graph_profile_suggest(): a draft from the catalog. The catalog knows who points at whom, not who belongs to whom, so every class comes with its reason.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/joined.hpp"
#include "pg/call.hpp"
#include "pg/json_rows.hpp"
#include "service/graph/profiles.hpp"

namespace snapback::service {

namespace {

constexpr std::array user_data_words{"progress", "attempt", "enrol", "certificate", "ticket", "assignment", "submission", "audit", "log", "notification", "comment", "review", "rating", "favorite", "bookmark",
                                     "completion", "invoice", "payment", "purchase", "order", "answer", "session", "event", "history"};
constexpr std::array person_words{"user", "profile", "account", "student", "teacher", "instructor", "member", "person", "people", "customer", "employee", "tenant", "organization", "organisation", "school", "company"};
constexpr std::array author_columns{"author_id", "created_by", "created_by_id", "updated_by", "updated_by_id", "owner_id", "teacher_id", "instructor_id"};
constexpr std::array order_names{"position", "order", "order_index", "sort_order", "display_order", "ordinal", "sequence", "number"};

template <class Words>
const char* word_in(const std::string& name, const Words& words) {
  for (const char* word : words)
    if (name.find(word) != std::string::npos) return word;
  return nullptr;
}

template <class Words>
bool is_one_of(const std::string& name, const Words& words) {
  return std::find(words.begin(), words.end(), name) != words.end();
}

class Draft {
 public:
  explicit Draft(Oid root);
  Json json();

 private:
  struct Place {
    const char* table_class = "";
    std::string reason;
  };
  void place(Oid table, const char* table_class, const std::string& reason);
  void go_down(Oid from);
  void classify_child(const ForeignKeyDescription& key);
  void go_up();
  std::string logical_name(const TableDescription& table) const;
  std::string describe(const ForeignKeyDescription& key) const;
  Json table_json(const TableDescription& table, const Place& place);
  void add_hints(Json& json, const TableDescription& table, const Place& place) const;
  void add_unique(Json& json, const TableDescription& table, const Place& place) const;

  Oid root_;
  std::map<Oid, TableDescription> tables_;
  std::vector<ForeignKeyDescription> keys_;
  std::vector<Oid> order_;
  std::map<Oid, Place> places_;
};

Draft::Draft(Oid root) : root_(root) {
  std::vector<Oid> oids;
  for (const auto& row : pg::query(R"(
      SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'snapback') AND n.nspname !~ '^pg_'
       ORDER BY n.nspname, c.relname)"))
    oids.push_back(static_cast<Oid>(std::stoul(*row[0])));
  if (std::find(oids.begin(), oids.end(), root) == oids.end())
    throw error(sqlstate::wrong_object_type, "the root of a profile must be a table of the user's", "It is a view, an index, a partition or a table of the server's.");
  for (auto& table : describe_tables(oids, false)) tables_[table.oid] = std::move(table);
  keys_ = foreign_keys_of(oids);
}

void Draft::place(Oid table, const char* table_class, const std::string& reason) {
  if (places_.contains(table)) return;
  places_[table] = {table_class, reason};
  order_.push_back(table);
}

std::string Draft::describe(const ForeignKeyDescription& key) const {
  return joined(key.columns) + " points at " + key.referenced_table;
}

// What a table is that points at one whose rows are copied.
void Draft::classify_child(const ForeignKeyDescription& key) {
  const TableDescription& child = tables_.at(key.table);
  const std::string name = graph::to_snake_case(child.name);
  if (const char* word = word_in(name, user_data_words)) return place(key.table, "exclude", "its name says what users did (" + std::string(word) + ")");
  std::set<std::string> in_keys(child.primary_key.begin(), child.primary_key.end());
  const ForeignKeyDescription* outside = nullptr;
  for (const auto& other : child.foreign_keys) {
    in_keys.insert(other.columns.begin(), other.columns.end());
    const auto* column = child.column(other.columns.front());
    const std::string column_name = graph::to_snake_case(other.columns.front());
    if (word_in(graph::to_snake_case(other.referenced_table), person_words) && column != nullptr && column->not_null && !is_one_of(column_name, author_columns))
      return place(key.table, "exclude", "each row belongs to one of " + other.referenced_table + " (" + column_name + " is NOT NULL)");
    if (other.referenced != key.referenced && !places_.contains(other.referenced)) outside = &other;
  }
  const bool only_keys = std::all_of(child.columns.begin(), child.columns.end(), [&](const auto& column) {
    const std::string column_name = graph::to_snake_case(column.name);
    return in_keys.contains(column.name) || is_one_of(column_name, order_names) || column_name == "created_at" || column_name == "updated_at";
  });
  if (only_keys && child.foreign_keys.size() >= 2) return place(key.table, "link", "it joins " + key.referenced_table + " with " + (outside ? outside->referenced_table : "itself or another table"));
  place(key.table, "own", "its " + describe(key) + (key.suffix.find("CASCADE") != std::string::npos ? " (ON DELETE CASCADE)" : ""));
}

void Draft::go_down(Oid from) {
  for (const auto& key : keys_) {
    if (key.referenced != from || places_.contains(key.table) || !tables_.contains(key.table)) continue;
    classify_child(key);
    if (std::string(places_.at(key.table).table_class) == "own") go_down(key.table);
  }
}

// Tables that the copied ones point at, and banks below them.
void Draft::go_up() {
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const std::string from_class = places_.at(order_[i]).table_class;
    if (from_class == "exclude" || from_class == "context") continue;
    for (const auto& key : tables_.at(order_[i]).foreign_keys) {
      if (places_.contains(key.referenced) || !tables_.contains(key.referenced)) continue;
      const std::string name = graph::to_snake_case(key.referenced_table);
      if (word_in(name, person_words))
        place(key.referenced, "context", "its rows are people or tenants, and " + key.table_name + "." + describe(key));
      else
        place(key.referenced, "ref", "shared: " + key.table_name + "." + describe(key));
    }
    if (from_class != "ref" && from_class != "bank") continue;
    for (const auto& key : keys_)
      if (key.referenced == order_[i] && !places_.contains(key.table) && tables_.contains(key.table) &&
          (from_class == "bank" || graph::to_snake_case(key.table_name).find("bank") != std::string::npos))
        place(key.table, "bank", "shared content under " + key.referenced_table);
  }
}

std::string Draft::logical_name(const TableDescription& table) const {
  std::string name = graph::to_snake_case(pg::utf8_text(table.name));
  const auto same = std::count_if(order_.begin(), order_.end(), [&](Oid other) { return graph::to_snake_case(pg::utf8_text(tables_.at(other).name)) == name; });
  return same > 1 ? graph::to_snake_case(pg::utf8_text(table.schema)) + "_" + name : name;
}

void Draft::add_unique(Json& json, const TableDescription& table, const Place& place) const {
  const bool shared = std::string(place.table_class) == "ref" || std::string(place.table_class) == "bank";
  for (const auto& constraint : table.constraints) {
    const std::string prefix = "UNIQUE (";
    if (constraint.kind != 'u' || !constraint.definition.starts_with(prefix)) continue;
    const std::string column = constraint.definition.substr(prefix.size(), constraint.definition.find(')') - prefix.size());
    if (column.find(',') != std::string::npos || table.column(column) == nullptr) continue;
    const std::string logical = graph::to_snake_case(pg::utf8_text(column));
    if (shared)
      json["natural_key"].push_back(Json::array({logical}));
    else if (logical.find("token") != std::string::npos || logical.find("_code") != std::string::npos || logical.find("_key") != std::string::npos)
      json["unique"][logical] = "regenerate";
    else
      json["unique"][logical] = "suffix";
  }
}

void Draft::add_hints(Json& json, const TableDescription& table, const Place& place) const {
  const std::string table_class = place.table_class;
  std::vector<std::string> columns;
  for (const auto& column : table.columns) columns.push_back(graph::to_snake_case(pg::utf8_text(column.name)));
  for (const char* name : order_names)
    if (is_one_of(name, columns)) json["order"].push_back(name);
  if (table_class == "root")
    for (const char* name : {"status", "state"})
      if (is_one_of(name, columns)) json["force"][name] = "DRAFT";
  if (table_class == "root")
    for (const char* name : {"published", "is_published"})
      if (is_one_of(name, columns)) json["force"][name] = false;
  if (table_class != "root") {
    if (is_one_of("deleted_at", columns)) json["filter"]["deleted_at"] = nullptr;
    if (is_one_of("is_deleted", columns)) json["filter"]["is_deleted"] = false;
  }
  add_unique(json, table, place);
  if (table_class != "ref" || json.contains("natural_key")) return;
  for (const char* name : {"code", "slug", "name", "title"})
    if (is_one_of(name, columns)) json["natural_key"].push_back(Json::array({name}));
}

Json Draft::table_json(const TableDescription& table, const Place& place) {
  Json json{{"class", place.table_class}, {"names", Json::array({pg::utf8_text(table.qualified_name())})}, {"reason", pg::utf8_text(place.reason)}};
  if (table.estimated_rows > 0) json["rows"] = static_cast<std::uint64_t>(table.estimated_rows);
  if (std::string(place.table_class) != "context" && std::string(place.table_class) != "exclude") add_hints(json, table, place);
  return json;
}

Json Draft::json() {
  place(root_, "root", "the table that was named");
  go_down(root_);
  go_up();
  Json draft{{"format", "pg_snapback_profile"}, {"version", graph::profile_version}, {"root", logical_name(tables_.at(root_))}, {"strict", true}, {"tables", Json::object()}};
  for (const Oid table : order_) draft["tables"][logical_name(tables_.at(table))] = table_json(tables_.at(table), places_.at(table));
  return draft;
}

}  // namespace

std::string suggest_profile(Oid root) { return pg::server_text(Draft(root).json().dump()); }

}  // namespace snapback::service
