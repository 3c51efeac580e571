// The rows that belong to one root row, read as the caller, table by table.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "pg/json_rows.hpp"
#include "service/graph/source.hpp"

namespace snapback::service {

using KeySet = std::unordered_set<std::string>;

struct CollectedTable {
  pg::JsonRows rows;
  std::vector<std::size_t> kept_column;  // column position -> position among the kept columns, or no_table
  std::uint64_t filtered = 0;            // rows that the profile's filters left out
  std::vector<bool> dropped;             // by row: join rows whose other end is outside; empty: none
  std::map<std::size_t, std::vector<std::size_t>> cut;  // row -> kept columns to leave out of it

  std::size_t row_count() const;
  bool is_dropped(std::size_t row) const { return !dropped.empty() && dropped[row]; }
  // The text of a row's values of these columns, joined; empty when one is NULL.
  std::string tuple(std::size_t row, const std::vector<std::size_t>& columns) const;
};

struct Collection {
  std::vector<CollectedTable> tables;   // by position in Source::tables; those that are not for a document are empty
  std::vector<std::size_t> order;       // positions, a table after those it depends on, as far as there is no cycle

  KeySet tuples(std::size_t table, const std::vector<std::size_t>& columns) const;
};

// Reads everything that belongs to the root row with this key, one statement per table (one per table and level where ownership forms a cycle). pg::CallerForms must be in force.
// Raises 42704 when there is no such row, or none that the caller may see, and what the server raises, such as 22P02 for a key that is no value of its type.
Collection collect(const Source& source, const std::string& root_key);

// Rows of a table of class `exclude` that point at rows of the collection, as the caller sees them.
std::uint64_t count_excluded(const Source& source, const Collection& collection, std::size_t table);

// Whether the values of a column are at hand after the rows were read: keys, references, what these point at, content of a bank.
bool is_kept(const Source& source, std::size_t table, std::size_t column);

}  // namespace snapback::service
