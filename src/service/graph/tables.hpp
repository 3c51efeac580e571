// What an export and an import see alike of the tables of a profile: which relation a name means, what its columns are called, by which rows are told apart.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/profile.hpp"
#include "service/catalog.hpp"

namespace snapback::service {

// The OID of the first relation that one of the names means, "schema.name" or a name in the search path, as written (UTF-8); InvalidOid when there is none.
Oid find_graph_table(const std::vector<std::string>& names);

// The logical name of each column of the table, in UTF-8, in the order of its columns. Of two that would have the same, courseId and course_id, each keeps its own.
std::vector<std::string> logical_names(const graph::TableProfile& profile, const TableDescription& table);

// Positions of the columns whose physical names are given, in the order of the names.
std::vector<std::size_t> physical_positions(const TableDescription& table, const std::vector<std::string>& names);

// Positions of the columns by which rows are told apart: the profile's key, whose columns `position_of` finds by their logical names; where it names none, the primary key, else the shortest
// whole unique key of NOT NULL columns; empty when there is neither. Raises 22023 when the table lacks a column of the profile's key.
std::vector<std::size_t> row_key(const graph::TableProfile& profile, const TableDescription& table, const std::function<std::optional<std::size_t>(const std::string&)>& position_of);

}  // namespace snapback::service
