// The extension's own tables in schema "snapback". Nobody but the extension's owner has privileges on them; what callers may see and change of them is decided in C++.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"

namespace snapback::service {

// The owner of the extension. Raises 42704 when the extension is not in this database (its library can be loaded all the same).
Oid extension_owner();

// pg::query and pg::modify with the owner's rights.
std::vector<pg::Row> query_state(const std::string& sql, const std::vector<pg::Cell>& parameters = {});
std::vector<pg::Row> modify_state(const std::string& sql, const std::vector<pg::Cell>& parameters = {});

}  // namespace snapback::service
