#include "service/graph/profiles.hpp"

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/json_rows.hpp"
#include "pg/server.hpp"

namespace snapback::service {

namespace {

constexpr std::size_t longest_name = 63;

// Our own table is read and written as its owner, whoever calls.
Oid state_owner() {
  return static_cast<Oid>(std::stoul(*pg::query("SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                                                "WHERE n.nspname = 'snapback' AND c.relname = 'profile'")
                                          .at(0)[0]));
}

Json parse_definition(const std::string& name, const std::string& text) {
  try {
    return parse_bounded("profile", pg::utf8_text(text), max_json_members);
  } catch (const error& problem) {
    throw error(sqlstate::invalid_parameter_value, "profile \"" + printable(name) + "\" is not valid", problem.message());
  }
}

std::optional<StoredProfile> find_profile(const std::string& name) {
  std::vector<pg::Row> rows;
  {
    const Oid owner_id = state_owner();
    pg::RunAs owner(owner_id);
    rows = pg::query("SELECT p.definition, p.catalog FROM snapback.profile p WHERE p.name = $1", {name});
  }
  if (!rows.empty()) return StoredProfile{Json::parse(pg::utf8_text(*rows[0][0])), Json::parse(pg::utf8_text(*rows[0][1]))};
  if (name == "course") return StoredProfile{graph::shipped_course_profile(), nullptr};
  return std::nullopt;
}

}  // namespace

StoredProfile stored_profile(const std::string& name) {
  if (auto found = find_profile(name)) return *found;
  throw error(sqlstate::undefined_object, "profile \"" + printable(name) + "\" does not exist", "", "Draft it with graph_profile_suggest('table') and store it with graph_profile('name', definition).");
}

graph::Profile load_profile(const std::string& name) { return graph::parse_profile(name, stored_profile(name).definition); }

std::string store_profile(const std::string& name, const std::string& definition) {
  if (name.empty() || name.size() > longest_name)
    throw error(sqlstate::invalid_parameter_value, "the name of a profile has 1 to " + std::to_string(longest_name) + " bytes");
  Json json = parse_definition(name, definition);
  if (json.is_object() && json.contains("extends")) {
    const Json base = json["extends"];
    if (!base.is_string()) throw error(sqlstate::invalid_parameter_value, "profile \"" + printable(name) + "\" is not valid", "$.extends: must be the name of a profile");
    // "course" means the one that ships, so that extending twice does not pile up
    Json start = base == "course" ? graph::shipped_course_profile() : stored_profile(base.get<std::string>()).definition;
    start["name"] = name;
    json = graph::extend_profile(start, json);
  }
  const Json whole = graph::profile_to_json(graph::parse_profile(name, json));
  const Json catalog = catalog_of(find_source(graph::parse_profile(name, whole)));
  const std::string caller = pg::role_name(GetUserId());
  {
    const Oid owner_id = state_owner();
    pg::RunAs owner(owner_id);
    pg::execute("INSERT INTO snapback.profile (name, definition, catalog, changed_by) VALUES (" + pg::quote_literal(name) + ", " + pg::quote_literal(pg::server_text(whole.dump())) + ", " +
                pg::quote_literal(pg::server_text(catalog.dump())) + ", " + pg::quote_literal(caller) +
                ") ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, catalog = excluded.catalog, changed_by = excluded.changed_by, changed_at = excluded.changed_at");
  }
  return pg::server_text(whole.dump());
}

}  // namespace snapback::service
