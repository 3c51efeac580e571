// One root row and everything that belongs to it, as a JSON document (docs/course.md).
#pragma once

#include <string>

namespace snapback::service {

// The document as JSON text in the database's encoding. Runs as the caller, with the active snapshot, and writes nothing. Raises 42704 when the profile or the row is not there (or not
// visible), 42P01 and 55000 when the profile does not fit the tables, 42501 when rights are missing or row security hides rows, 23503 when the rows cannot stand on their own.
std::string export_graph(const std::string& profile_name, const std::string& key);

}  // namespace snapback::service
