// What an export and an import see alike of the tables of a profile: which relation a name means, what its columns are called, by which rows are told apart.
#pragma once

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

// Positions of the columns by which rows are told apart where the profile names no key: the primary key, else the shortest whole unique key of NOT NULL columns; empty when there is neither.
std::vector<std::size_t> catalog_key(const TableDescription& table);

}  // namespace snapback::service
