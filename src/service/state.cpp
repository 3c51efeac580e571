#include "service/state.hpp"

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"

namespace snapback::service {

Oid extension_owner() {
  auto rows = pg::query("SELECT e.extowner FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_snapback'");
  if (rows.empty())
    throw snapback::error(sqlstate::undefined_object, "extension \"pg_snapback\" is not installed in this database", "", "Install it: CREATE EXTENSION pg_snapback.");
  return static_cast<Oid>(std::stoul(*rows[0][0]));
}

std::vector<pg::Row> query_state(const std::string& sql, const std::vector<pg::Cell>& parameters) {
  pg::RunAs owner(extension_owner());
  return pg::query(sql, parameters);
}

std::vector<pg::Row> modify_state(const std::string& sql, const std::vector<pg::Cell>& parameters) {
  pg::RunAs owner(extension_owner());
  return pg::modify(sql, parameters);
}

}  // namespace snapback::service
