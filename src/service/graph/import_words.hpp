// Small things that the steps of an import share.
#pragma once

#include <string>
#include <vector>

#include "core/joined.hpp"
#include "pg/bulk.hpp"
#include "pg/spi.hpp"
#include "service/graph/import_plan.hpp"

namespace snapback::service {

// Equal when ASCII letters of both cases count as one.
bool same_but_case(const std::string& a, const std::string& b);
// What external ids begin with.
std::string source_system(const graph::Document& document);
// True when the document has a value there.
bool has_cell(const graph::DocumentTable& table, std::size_t row, std::size_t column);

// "r.c3::integer": parameter column `n` as a value of the column's type; composites come as JSON.
std::string typed_parameter(const TargetColumn& column, std::size_t n);
// "ROWS FROM (pg_catalog.unnest($1::text[]), ...) WITH ORDINALITY AS r(c1, c2, n)"; parameters from $`first` on, columns from c1 on
std::string parameter_rows(std::size_t count, std::size_t first = 1);

// The privilege on a table, or on all the columns named, as the current user. `privilege`: ACL_SELECT, ACL_INSERT, ...
bool may(const TargetTable& table, AclMode privilege, const std::vector<std::size_t>& columns);

// The rights with which a table's rows are read to see what became of them: its owner's, whose code is all that may run.
Oid reader_of(const TableDescription& table);
// The columns by which rows of a table are found again: its key, else all that an import writes.
std::vector<std::size_t> identifying_columns(const TargetTable& table, const std::vector<char>& used);

// Columns that other tables of the profile point at, and the key.
std::vector<std::size_t> referenced_columns(const Target& target, std::size_t table);

}  // namespace snapback::service
