#include "service/graph/condition.hpp"

#include "pg/call.hpp"
#include "pg/json_rows.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "access/transam.h"
}

namespace snapback::service {

namespace {

std::string array_cast(std::size_t parameter, const std::string& type) { return "CAST($" + std::to_string(parameter) + " AS " + type + "[])"; }

bool collatable(Oid type) {
  return OidIsValid(pg::call([&] { return get_typcollation(type); }));
}

}  // namespace

std::string column_sql(const SourceTable& table, std::size_t column) { return "t." + pg::quote_identifier(table.columns[column].live->name); }

void Condition::add_tuples(const SourceTable& table, const std::vector<std::size_t>& columns, const std::vector<std::string>& types, const std::vector<std::string>& equality, Lists lists) {
  std::string sql;
  const std::size_t first = lists_.size() + 1;
  if (columns.size() == 1) {
    sql = equality[0].empty() ? "CAST(" + column_sql(table, columns[0]) + " AS pg_catalog.text) OPERATOR(pg_catalog.=) ANY ($" + std::to_string(first) + ")"
                              : column_sql(table, columns[0]) + " " + equality[0] + " ANY (" + array_cast(first, types[0]) + ")";
  } else {
    std::string arrays, names, pairs;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool text = equality[i].empty();
      arrays += (i > 0 ? ", " : "") + ("pg_catalog.unnest(" + array_cast(first + i, text ? "pg_catalog.text" : types[i]) + ")");
      names += (i > 0 ? ", c" : "c") + std::to_string(i);
      pairs += (i > 0 ? " AND " : "") + (text ? "CAST(" + column_sql(table, columns[i]) + " AS pg_catalog.text) OPERATOR(pg_catalog.=)" : column_sql(table, columns[i]) + " " + equality[i]) +
               " k.c" + std::to_string(i);
    }
    sql = "EXISTS (SELECT 1 FROM ROWS FROM (" + arrays + ") AS k (" + names + ") WHERE " + pairs + ")";
  }
  alternatives_.push_back(std::move(sql));
  for (auto& list : lists) lists_.push_back(std::move(list));
}

void Condition::add_polymorphic(const SourceTable& table, const SourceReference& reference, const std::string& type, std::vector<std::string> ids) {
  alternatives_.push_back("CAST(" + column_sql(table, *reference.type_column) + " AS pg_catalog.text) OPERATOR(pg_catalog.=) " + pg::quote_literal(pg::server_text(type)) + " AND CAST(" +
                          column_sql(table, reference.columns[0]) + " AS pg_catalog.text) OPERATOR(pg_catalog.=) ANY ($" + std::to_string(lists_.size() + 1) + ")");
  lists_.push_back(std::move(ids));
}

std::string Condition::sql() const {
  std::string text;
  for (const auto& alternative : alternatives_) text += (text.empty() ? "(" : " OR (") + alternative + ")";
  return "(" + text + ")";
}

std::vector<const std::vector<std::string>*> Condition::lists() const {
  std::vector<const std::vector<std::string>*> pointers;
  for (const auto& list : lists_) pointers.push_back(&list);
  return pointers;
}

std::size_t Condition::values() const {
  std::size_t count = 0;
  for (const auto& list : lists_) count += list.size();
  return count;
}

std::vector<std::string> types_of(const SourceTable& table, const std::vector<std::size_t>& columns) {
  std::vector<std::string> types;
  for (const auto column : columns) types.push_back(table.columns[column].live->type_name);
  return types;
}

std::string literal_of(const Json& value, const std::string& type) {
  if (value.is_null()) return "CAST(NULL AS " + type + ")";
  return "CAST(" + pg::quote_literal(pg::server_text(value.is_string() ? value.get<std::string>() : value.dump())) + " AS " + type + ")";
}

std::string filter_sql(const SourceTable& table) {
  std::string sql;
  for (const auto& filter : table.profile->filter) {
    const auto position = table.column(filter.column);
    if (!position) continue;
    const std::string column = column_sql(table, *position);
    std::string any;
    for (const auto& value : filter.values) {
      std::string one;
      if (value.is_null())
        one = column + " IS NULL";
      else if (value.is_boolean())
        one = column + (value.get<bool>() ? " IS TRUE" : " IS NOT TRUE");
      else
        one = table.columns[*position].live->type < FirstNormalObjectId ? column + " OPERATOR(pg_catalog.=) " + literal_of(value, table.columns[*position].live->type_name)
                                                                        : "CAST(" + column + " AS pg_catalog.text) OPERATOR(pg_catalog.=) " + literal_of(value, "pg_catalog.text");
      any += (any.empty() ? "" : " OR ") + one;
    }
    sql += (sql.empty() ? "(" : " AND (") + any + ")";
  }
  return sql;
}

std::string order_sql(const SourceTable& table) {
  std::string sql;
  const auto add = [&](std::size_t column, bool as_text) {
    const std::string name = column_sql(table, column);
    sql += (sql.empty() ? " ORDER BY " : ", ") + (as_text ? "CAST(" + name + " AS pg_catalog.text)" : name);
    if (as_text || collatable(table.columns[column].live->type)) sql += " COLLATE pg_catalog.\"C\"";
  };
  for (const auto column : table.order) add(column, false);
  for (const auto column : table.key) add(column, false);
  if (table.key.empty())
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      if (table.columns[i].exported) add(i, true);
  return sql;
}

}  // namespace snapback::service
