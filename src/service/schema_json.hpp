// Descriptions of tables as JSON, as a backup holds them (docs/format.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "service/catalog.hpp"

namespace snapback::service {

using Json = nlohmann::ordered_json;

// A text in a definition; empty when it has none.
inline std::string string_of(const Json& object, const char* key) { return object.value(key, std::string()); }

// The "schema" object of a backup.
Json schema_to_json(const std::vector<TableDescription>& tables);

// The head of a table in the document: schema, name, columns with their forms, key, ... Raises 0A000 for a type that cannot come back.
Json table_head(const TableDescription& table);

}  // namespace snapback::service
