#include "service/definition_check.hpp"

#include <functional>
#include <set>

#include "core/error.hpp"
#include "pg/definition.hpp"
#include "pg/subtransaction.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

[[noreturn]] void refuse(const PlannedTable& table, const std::string& why) {
  throw snapback::error(sqlstate::invalid_parameter_value, "the backup's definition of table \"" + table.qualified_name() + "\" is refused", why,
                        "No version of pg_snapback writes such a definition: do not trust the file. Restore into a table that is there, or use another backup.");
}

// What is looked at, for the error that the parser may raise.
struct Place {
  const PlannedTable& table;
  std::string what;

  // `piece` is what is being checked from here on.
  void require(bool (*is)(const std::string&), const Json& object, const char* member, const std::string& piece, const char* kind) {
    if (!object.contains(member)) return;
    what = piece;
    if (!is(object.at(member).get<std::string>())) refuse(table, what + " is not " + kind + ".");
  }
};

std::string quoted(const Json& object, const char* member) { return "\"" + string_of(object, member) + "\""; }

void check_columns(Place& place, const Json& definition) {
  std::set<std::string> names;
  for (auto& column : definition.at("columns")) {
    std::string name = quoted(column, "name");
    if (!names.insert(column.at("name").get<std::string>()).second) refuse(place.table, "It has column " + name + " twice.");
    place.what = "The type of column " + name;
    if (!pg::is_type_name(column.at("type").get<std::string>())) refuse(place.table, place.what + " is not the name of a type.");
    place.require(pg::is_collation, column, "collation", "The collation of column " + name, "the name of a collation");
    place.require(pg::is_expression, column, "default", "The default of column " + name, "one expression");
    place.require(pg::is_expression, column, "generated_stored", "The generation expression of column " + name, "one expression");
    place.require(pg::is_expression, column, "generated_virtual", "The generation expression of column " + name, "one expression");
  }
}

void check_keys(Place& place, const Json& definition) {
  for (auto& key : definition.value("foreign_keys", Json::array())) {
    place.what = "Foreign key " + quoted(key, "name");
    if (!pg::is_constraint("FOREIGN KEY (a) REFERENCES b (c)" + string_of(key, "options"), "foreign key")) refuse(place.table, place.what + " is not one foreign key.");
  }
}

void check_parts(Place& place, const Json& definition, const std::vector<Json>& sequences) {
  check_columns(place, definition);
  place.require(pg::is_partition_key, definition, "partition_by", "The partition key", "one partition key");
  if (auto parent = definition.find("partition_of"); parent != definition.end())
    place.require(pg::is_partition_bound, *parent, "bound", "The partition bound", "one bound made of constants");
  for (auto& constraint : definition.value("constraints", Json::array())) {
    place.what = "Constraint " + quoted(constraint, "name");
    if (!pg::is_constraint(string_of(constraint, "definition"), string_of(constraint, "kind"))) refuse(place.table, place.what + " is not one " + string_of(constraint, "kind") + " constraint.");
  }
  for (auto& index : definition.value("indexes", Json::array())) place.require(pg::is_index_definition, index, "definition", "Index " + quoted(index, "name"), "one index");
  check_keys(place, definition);
  for (auto& sequence : sequences) place.require(pg::is_type_name, sequence, "type", "The type of sequence " + quoted(sequence, "name"), "the name of a type");
}

// The parser raises an error where it can make nothing of a text, and a member may be of another kind than expected.
void run_checks(Place& place, const std::function<void()>& checks) {
  try {
    auto failure = pg::in_subtransaction(checks, [](const std::string& state) { return state.starts_with("42") || state.starts_with("0A"); }, false);
    if (failure) refuse(place.table, place.what + ": " + failure->message + ".");
  } catch (const Json::exception&) {
    refuse(place.table, "A member of it is missing or of another kind than the format has.");
  }
}

}  // namespace

void check_definition(const PlannedTable& table, const Json& definition, const std::vector<Json>& sequences) {
  Place place{table, "The definition"};
  run_checks(place, [&] { check_parts(place, definition, sequences); });
}

void check_foreign_key_definitions(const PlannedTable& table, const Json& definition) {
  Place place{table, "A foreign key"};
  run_checks(place, [&] { check_keys(place, definition); });
}

}  // namespace snapback::service
