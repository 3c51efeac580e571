// Conditions and orders of the statements that collect rows.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "service/graph/source.hpp"

namespace snapback::service {

using Lists = std::vector<std::vector<std::string>>;  // a list of texts per column, UTF-8

// A condition on the rows of one table, which a statement calls t, and the lists it needs as parameters $1 … $n. Alternatives are joined by OR.
class Condition {
 public:
  // `columns` of the table equal one of the tuples in `lists`, which are values of `types`. An empty operator compares texts.
  void add_tuples(const SourceTable& table, const std::vector<std::size_t>& columns, const std::vector<std::string>& types, const std::vector<std::string>& equality, Lists lists);
  // The type column says `type` and the id is one of `ids`, as texts.
  void add_polymorphic(const SourceTable& table, const SourceReference& reference, const std::string& type, std::vector<std::string> ids);

  bool empty() const { return alternatives_.empty(); }
  std::string sql() const;
  std::vector<const std::vector<std::string>*> lists() const;
  std::size_t values() const;

 private:
  std::vector<std::string> alternatives_;
  Lists lists_;
};

std::vector<std::string> types_of(const SourceTable& table, const std::vector<std::size_t>& columns);
// t."name"
std::string column_sql(const SourceTable& table, std::size_t column);
// A value of a profile as a literal of a type.
std::string literal_of(const Json& value, const std::string& type);
// The profile's row filters that apply to the table; empty when none does.
std::string filter_sql(const SourceTable& table);
// ORDER BY the order columns, then the key; without a key every column as text. Text byte by byte, so that the order is the same in every database.
std::string order_sql(const SourceTable& table);

}  // namespace snapback::service
