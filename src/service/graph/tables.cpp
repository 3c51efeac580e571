#include "service/graph/tables.hpp"

#include <map>

#include "core/error.hpp"
#include "core/joined.hpp"
#include "pg/encoding.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

namespace {

// The shortest whole unique key of NOT NULL columns.
std::vector<std::size_t> shortest_unique_key(const TableDescription& table) {
  for (const auto& row : pg::query(R"(
      SELECT (SELECT pg_catalog.string_agg(a.attname, E'\x01' ORDER BY u.n) FROM pg_catalog.unnest(x.indkey::pg_catalog.int2[]) WITH ORDINALITY u(attnum, n)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.attnum WHERE u.n <= x.indnkeyatts)
        FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
       WHERE x.indrelid = $1::oid AND x.indisunique AND x.indisvalid AND x.indexprs IS NULL AND x.indpred IS NULL
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = ANY ((x.indkey::pg_catalog.int2[])[0:x.indnkeyatts - 1]) AND NOT a.attnotnull)
       ORDER BY x.indnkeyatts, c.relname LIMIT 1)",
                                   {std::to_string(table.oid)})) {
    std::vector<std::string> names;
    std::size_t start = 0;
    for (std::size_t end = 0; end != std::string::npos; start = end + 1) {
      end = row[0]->find('\x01', start);
      names.push_back(row[0]->substr(start, end - start));
    }
    return physical_positions(table, names);
  }
  return {};
}

}  // namespace

Oid find_graph_table(const std::vector<std::string>& names) {
  const auto path = pg::array_literal(pg::search_path());
  for (const auto& name : names) {
    const auto dot = name.find('.');
    const auto rows = pg::query(R"(
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relname = $1 AND c.relkind IN ('r', 'p') AND n.nspname <> 'pg_catalog'
           AND CASE WHEN $2 = '' THEN n.nspname = ANY ($3::text[]) ELSE n.nspname = $2 END
         ORDER BY pg_catalog.array_position($3::text[], n.nspname::text) LIMIT 1)",
                                {pg::server_text(dot == std::string::npos ? name : name.substr(dot + 1)), pg::server_text(dot == std::string::npos ? "" : name.substr(0, dot)), path});
    if (!rows.empty()) return static_cast<Oid>(std::stoul(*rows[0][0]));
  }
  return InvalidOid;
}

std::vector<std::string> logical_names(const graph::TableProfile& profile, const TableDescription& table) {
  std::vector<std::string> physical, logical;
  std::map<std::string, int> uses;
  for (const auto& column : table.columns) {
    physical.push_back(pg::utf8_text(column.name));
    logical.push_back(profile.logical_column(physical.back()));
    ++uses[logical.back()];
  }
  for (std::size_t i = 0; i < logical.size(); ++i)
    if (uses[logical[i]] > 1) logical[i] = physical[i];
  return logical;
}

std::vector<std::size_t> physical_positions(const TableDescription& table, const std::vector<std::string>& names) {
  std::vector<std::size_t> found;
  for (const auto& name : names)
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      if (table.columns[i].name == name) found.push_back(i);
  return found;
}

std::vector<std::size_t> row_key(const graph::TableProfile& profile, const TableDescription& table, const std::function<std::optional<std::size_t>(const std::string&)>& position_of) {
  std::vector<std::size_t> key;
  for (const auto& name : profile.key) {
    const auto position = position_of(name);
    if (!position)
      throw error(sqlstate::invalid_parameter_value, "table \"" + table.qualified_name() + "\" has no columns (" + joined(profile.key) + ")",
                  "The profile names them as the key of \"" + profile.name + "\".", "Correct the profile: docs/course.md, \"The profile\".");
    key.push_back(*position);
  }
  if (!key.empty()) return key;
  key = physical_positions(table, table.primary_key);
  return key.empty() ? shortest_unique_key(table) : key;
}

}  // namespace snapback::service
