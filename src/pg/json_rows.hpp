// The rows of a query as JSON objects in memory, with the values of some columns at hand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/encoding.hpp"
#include "pg/pg.hpp"
#include "pg/text_forms.hpp"

namespace snapback::pg {

struct JsonColumn {
  std::string name;   // UTF-8, as it stands in the object
  bool shown = true;  // part of the object
  bool kept = false;  // its value is at hand for every row
};

struct JsonRows {
  // Where a kept value stands. `size` 0: NULL. `label` to `end`: the member within `text`, label included; equal when it is not part of the object.
  struct Kept {
    std::size_t offset = 0, size = 0, label = 0, end = 0;
  };

  std::string text;                // the objects one after the other
  std::vector<std::size_t> ends;   // of each object in `text`
  std::string values;              // the kept values, as JSON
  std::vector<Kept> kept;          // row by row
  std::size_t kept_columns = 0;

  std::size_t size() const { return ends.size(); }
  std::string_view row(std::size_t index) const;
  const Kept& kept_at(std::size_t row, std::size_t column) const { return kept[row * kept_columns + column]; }
  // The JSON value of a kept column; empty when it is NULL.
  std::string_view value(std::size_t row, std::size_t column) const;
  // The object without the members of these kept columns.
  std::string row_without(std::size_t row, std::vector<std::size_t> columns) const;
};

// Runs one SELECT with the active snapshot, as the current user; CallerForms must be in force. $1 … $n are lists that become text[], in UTF-8 as the result; the statement is in the
// database's encoding. A jsonb value that a
// reader with double numbers would change is wrapped (docs/course.md). The query has as many columns as `columns`. Raises PostgreSQL errors.
JsonRows select_json(const std::string& sql, const std::vector<const std::vector<std::string>*>& lists, const std::vector<JsonColumn>& columns);

// One number, the same way.
std::int64_t select_count(const std::string& sql, const std::vector<const std::vector<std::string>*>& lists);

}  // namespace snapback::pg
