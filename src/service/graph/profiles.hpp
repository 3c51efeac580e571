// The profiles of this database: what is stored in snapback.profile, and the one that ships.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph/profile.hpp"
#include "pg/spi.hpp"
#include "service/graph/source.hpp"

namespace snapback::service {

// The definition in force, and what the catalog looked like when it was stored (null for the shipped one). Raises 42704 when no profile has this name.
struct StoredProfile {
  Json definition, catalog;
};
StoredProfile stored_profile(const std::string& name);

graph::Profile load_profile(const std::string& name);

// Stores a definition, {"extends": "name", …} over that profile's, after checking it and finding its root. Returns what is in force now, as JSON text. Raises 22023 for a definition that is
// not valid, 42P01 when its root is not there. Text in the database's encoding.
std::string store_profile(const std::string& name, const std::string& definition);

// What the catalog says of the profile's tables, to be compared later.
Json catalog_of(const Source& source);

// Rows of graph_profile_check(): severity, code, table_name, column_name, message, hint.
std::vector<pg::Row> check_profile(const std::string& name);

// A draft of a profile for a root table, as JSON text: every table that hangs on it, with a class and the reason for it.
std::string suggest_profile(Oid root);

}  // namespace snapback::service
