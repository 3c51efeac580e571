// Content hashes of shared rows, by which an import finds out that the target has them already.
#pragma once

#include <string>
#include <vector>

#include "service/graph/collect.hpp"

namespace snapback::service {

// SHA-256 as hex digits of each row's content, by table and row; empty lists for tables of other classes than bank. The content is the profile's `hash` columns, or every exported column
// that is no key, reference, order, time stamp or reset column, and the hashes of the bank rows it owns, whatever their order. Keys and names of tables are no part of it, so equal content
// of two databases has one hash.
std::vector<std::vector<std::string>> bank_hashes(const Source& source, const Collection& collection);

// Whether a column is part of the content hash.
bool is_hashed(const SourceTable& table, std::size_t column);

}  // namespace snapback::service
