#include "service/graph/import_words.hpp"

#include <algorithm>
#include <set>

#include "pg/call.hpp"

namespace snapback::service {

bool same_but_case(const std::string& a, const std::string& b) {
  auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](unsigned char x, unsigned char y) { return lower(x) == lower(y); });
}

std::string source_system(const graph::Document& document) {
  if (!document.source.is_object()) return "unknown";
  auto found = document.source.find("system");
  return found != document.source.end() && found->is_string() ? found->get<std::string>() : "unknown";
}

bool has_cell(const graph::DocumentTable& table, std::size_t row, std::size_t column) { return column < table.rows[row].size() && table.rows[row][column].has_value(); }

std::string typed_parameter(const TargetColumn& column, std::size_t n) {
  std::string parameter = "r.c" + std::to_string(n);
  if (column.type_kind == 'c') return "pg_catalog.jsonb_populate_record(NULL::" + column.live->type_name + ", " + parameter + "::pg_catalog.jsonb)";
  // an explicit cast cuts a text that is too long; the assignment to the column refuses it
  bool lengths = column.type_category == 'S' || column.type_category == 'V' || column.type_category == 'A';
  return parameter + "::" + (lengths ? column.bare_type : column.live->type_name);
}

std::string parameter_rows(std::size_t count, std::size_t first) {
  std::string arrays, names;
  for (std::size_t i = 1; i <= count; ++i) {
    arrays += (i > 1 ? ", " : "") + std::string("pg_catalog.unnest($") + std::to_string(first + i - 1) + "::text[])";
    names += "c" + std::to_string(i) + ", ";
  }
  return "ROWS FROM (" + arrays + ") WITH ORDINALITY AS r(" + names + "n)";
}

bool may(const TargetTable& table, AclMode privilege, const std::vector<std::size_t>& columns) {
  Oid oid = table.live.oid, user = GetUserId();
  if (pg::call([&] { return pg_class_aclcheck(oid, user, privilege) == ACLCHECK_OK; })) return true;
  return !columns.empty() && std::all_of(columns.begin(), columns.end(), [&](std::size_t c) {
    AttrNumber number = table.columns[c].live->number;
    return pg::call([&] { return pg_attribute_aclcheck(oid, number, user, privilege) == ACLCHECK_OK; });
  });
}

Oid reader_of(const TableDescription& table) { return table.owner; }

std::vector<std::size_t> identifying_columns(const TargetTable& table, const std::vector<char>& used) {
  if (!table.key.empty()) return table.key;
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    if (used[c] && !table.columns[c].is_json) columns.push_back(c);
  return columns;
}

std::vector<std::size_t> referenced_columns(const Target& target, std::size_t table) {
  std::set<std::size_t> columns(target.tables[table].key.begin(), target.tables[table].key.end());
  for (auto& other : target.tables)
    for (auto& reference : other.references)
      if (reference.table == table) columns.insert(reference.to.begin(), reference.to.end());
  return {columns.begin(), columns.end()};
}

}  // namespace snapback::service
