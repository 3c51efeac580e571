#include "service/foreign_keys.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/joined.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "pg/snapshot.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

namespace {

constexpr long shown_keys = 5;

std::vector<Oid> with_ancestors(const std::vector<Oid>& tables) {
  std::vector<Oid> all = tables;
  for (auto& row : pg::query(R"(
      WITH RECURSIVE up AS (
        SELECT i.inhparent AS oid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE c.relispartition AND i.inhrelid = ANY ($1::oid[])
        UNION
        SELECT i.inhparent FROM up u JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition)
      SELECT oid FROM up)",
                             {oid_array(tables)}))
    all.push_back(static_cast<Oid>(std::stoul(*row[0])));
  return all;
}

std::string column(const char* alias, const std::string& name) { return std::string(alias) + "." + pg::quote_identifier(name); }

// Rows of the referencing table with a complete reference that no referenced row answers.
std::string orphan_query(const ForeignKeyDescription& key) {
  std::string list, join, complete;
  for (std::size_t i = 0; i < key.columns.size(); ++i) {
    auto ours = column("f", key.columns[i]), theirs = column("p", key.referenced_columns[i]);
    list += (i ? ", " : "") + ours;
    join += (i ? " AND " : "") + theirs + " " + key.equality[i] + " " + ours;
    complete += std::string(i ? (key.match == 'f' ? " OR " : " AND ") : "") + ours + " IS NOT NULL";
  }
  std::string from = std::string(key.table_partitioned ? "" : "ONLY ") + pg::qualified(key.schema, key.table_name);
  std::string to = std::string(key.referenced_partitioned ? "" : "ONLY ") + pg::qualified(key.referenced_schema, key.referenced_table);
  if (key.period) {
    // the last column of a temporal key is covered by the union of the matching rows' periods
    std::size_t last = key.columns.size() - 1;
    std::string equal = "true";
    for (std::size_t i = 0; i < last; ++i) equal += " AND " + column("p", key.referenced_columns[i]) + " " + key.equality[i] + " " + column("f", key.columns[i]);
    return "SELECT " + list + " FROM " + from + " f WHERE (" + complete + ") AND NOT coalesce(" + column("f", key.columns[last]) +
           " OPERATOR(pg_catalog.<@) (SELECT pg_catalog.range_agg(" + column("p", key.referenced_columns[last]) + ") FROM " + to + " p WHERE " + equal + "), false)";
  }
  return "SELECT " + list + " FROM " + from + " f LEFT JOIN " + to + " p ON (" + join + ") WHERE " + column("p", key.referenced_columns[0]) + " IS NULL AND (" + complete + ")";
}

bool may_read(Oid table, Oid role) {
  return pg::call([&] { return pg_class_aclcheck(table, role, ACL_SELECT) == ACLCHECK_OK; });
}

bool is_superuser(Oid role) {
  return pg::call([&] { return superuser_arg(role); });
}

bool has_row_security(Oid table) {
  auto rows = pg::query("SELECT relrowsecurity FROM pg_catalog.pg_class WHERE oid = $1::oid", {std::to_string(table)});
  return rows.empty() || rows[0][0] == "t";
}

// Whether a query over both tables may run as this one's owner: nobody else's code with a superuser's rights.
bool may_run(Oid role, Oid other_owner, bool code_of_others) { return role == other_owner || !code_of_others || !is_superuser(role); }

// Whoever runs the check runs what expressions the tables' owners put into indexes, and casts: an owner then, unless there are none.
Oid checking_role(const ForeignKeyDescription& key) {
  if (!key.casts && !key.expressions && !key.referenced_expressions) return BOOTSTRAP_SUPERUSERID;
  if (may_read(key.referenced, key.owner) && may_run(key.owner, key.referenced_owner, key.casts || key.referenced_expressions)) return key.owner;
  if (may_read(key.table, key.referenced_owner) && may_run(key.referenced_owner, key.owner, key.casts || key.expressions)) return key.referenced_owner;
  throw snapback::error(sqlstate::insufficient_privilege, "cannot check foreign key \"" + key.name + "\" of table \"" + key.schema + "." + key.table_name + "\"",
                        "The tables have indexes with expressions, or keys of different types, which are their owners' code; neither owner may read the other's table, a superuser aside.",
                        "Grant the owner of one table SELECT on the other for the time of the restore.");
}

[[noreturn]] void report(const ForeignKeyDescription& key, const std::vector<pg::Row>& orphans) {
  std::string columns = joined(key.columns);
  std::string summary = "Rows of \"" + key.schema + "." + key.table_name + "\" point at rows that \"" + key.referenced_schema + "." + key.referenced_table + "\" would not have.";
  std::string detail = summary;
  if (may_read(key.table, GetUserId())) {
    detail += " (" + columns + ") without a match: ";
    for (std::size_t i = 0; i < orphans.size() && i < static_cast<std::size_t>(shown_keys); ++i)
      for (std::size_t c = 0; c < orphans[i].size(); ++c) detail += (c ? ", " : i ? "; " : "") + orphans[i][c].value_or("null");
    if (orphans.size() > static_cast<std::size_t>(shown_keys)) detail += "; and more";
  }
  snapback::error failure(sqlstate::foreign_key_violation, "the restore would violate foreign key \"" + key.name + "\" of table \"" + key.schema + "." + key.table_name + "\"", detail + ".",
                          "Restore both tables together, or bring the missing rows back first with mode => 'missing'.");
  failure.log_detail(summary);
  throw failure;
}

}  // namespace

std::optional<Oid> adding_role(const TableDescription& table, const std::vector<std::string>& columns, Oid referenced, const std::vector<std::string>& referenced_columns) {
  auto code = code_of_new_key(table.oid, columns, referenced, referenced_columns);
  if (!code.casts && !code.expressions && !code.referenced_expressions) return GetUserId();
  auto rows = pg::query("SELECT relowner FROM pg_catalog.pg_class WHERE oid = $1::oid", {std::to_string(referenced)});
  Oid other = static_cast<Oid>(std::stoul(*rows.at(0)[0]));
  if (table.owner == other) return other;
  // where the owner may not read all rows at once, the server looks at them one by one as the owner of the other table
  bool at_once = may_read(referenced, table.owner) && !has_row_security(referenced);
  if (at_once && may_run(table.owner, other, code.casts || code.referenced_expressions)) return table.owner;
  return std::nullopt;
}

std::vector<ForeignKeyDescription> keys_touching(const std::vector<Oid>& tables) { return foreign_keys_of(with_ancestors(tables)); }

std::vector<Oid> far_ends(const std::vector<ForeignKeyDescription>& keys, const std::vector<Oid>& tables) {
  std::set<Oid> inside(tables.begin(), tables.end()), outside;
  for (auto& key : keys) {
    if (!inside.count(key.table)) outside.insert(key.table);
    if (!inside.count(key.referenced)) outside.insert(key.referenced);
  }
  return {outside.begin(), outside.end()};
}

void check_foreign_keys(const std::vector<ForeignKeyDescription>& keys) {
  for (auto& key : keys) {
    if (!key.checked) continue;
    pg::push_latest_snapshot();
    std::vector<pg::Row> orphans;
    {
      pg::RunAs reader(checking_role(key));
      orphans = pg::query_active(orphan_query(key), {}, shown_keys + 1);
    }
    pg::pop_snapshot();
    pg::fault_point("restore.foreign_key_checked");
    if (!orphans.empty()) report(key, orphans);
  }
}

}  // namespace snapback::service
