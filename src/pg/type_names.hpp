// Types by the names that backups hold.
#pragma once

#include <string>

#include "pg/pg.hpp"

namespace snapback::pg {

// A type's SQL name with modifier, as format_type prints it under search_path pg_catalog, to OID and modifier; false when this database has no such type.
bool find_type(const std::string& name, Oid& type, int32& typmod);

}  // namespace snapback::pg
