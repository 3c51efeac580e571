#include "service/graph/collect.hpp"

#include <algorithm>
#include <functional>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "core/graph/exact_json.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "service/graph/bank_hash.hpp"
#include "service/graph/condition.hpp"

namespace snapback::service {

namespace {

using graph::ReferenceKind;
using graph::TableClass;
// A shared row that somebody points at is taken along.
bool wants(const Source& source, const SourceReference& reference, std::size_t table) {
  const TableClass target = source.tables[table].table_class();
  return reference.kind == ReferenceKind::foreign_key && reference.table == table && !reference.owns && (target == TableClass::ref || target == TableClass::bank);
}

// The different values of these columns in the rows collected so far, a list per column.
Lists distinct(const CollectedTable& collected, const std::vector<std::size_t>& columns) {
  Lists lists(columns.size());
  KeySet known;
  for (std::size_t row = 0; row < collected.rows.size(); ++row) {
    const std::string tuple = collected.tuple(row, columns);
    if (tuple.empty() || !known.insert(tuple).second) continue;
    for (std::size_t i = 0; i < columns.size(); ++i) lists[i].push_back(graph::scalar_text(collected.rows.value(row, collected.kept_column[columns[i]])));
  }
  return lists;
}

// Which rows of the table belong to the collection as far as it has come; for a table of class exclude, which point at it.
Condition condition_for(const Source& source, const Collection& collection, std::size_t table) {
  const SourceTable& target = source.tables[table];
  Condition condition;
  for (const auto& reference : target.references) {
    // whatever points at the collection counts for a table that is left out
    if (!reference.owns && target.table_class() != TableClass::exclude) continue;
    if (reference.kind == ReferenceKind::foreign_key && source.tables[reference.table].in_document()) {
      auto lists = distinct(collection.tables[reference.table], reference.to);
      if (!lists[0].empty())
        condition.add_tuples(target, reference.columns, types_of(source.tables[reference.table], reference.to), reference.equality, std::move(lists));
    }
    for (const auto& [type, other] : reference.types) {
      if (source.tables[other].key.size() != 1) continue;
      auto lists = distinct(collection.tables[other], source.tables[other].key);
      if (!lists[0].empty()) condition.add_polymorphic(target, reference, type, std::move(lists[0]));
    }
  }
  const auto add_pointed_at = [&](std::size_t from, const SourceReference& reference) {
    auto lists = distinct(collection.tables[from], reference.columns);
    if (!lists[0].empty()) condition.add_tuples(target, reference.to, types_of(target, reference.to), reference.equality, std::move(lists));
  };
  for (const auto& through : target.through) add_pointed_at(through.table, source.tables[through.table].references[through.reference]);
  for (std::size_t other = 0; other < source.tables.size(); ++other)
    for (const auto& reference : source.tables[other].references)
      if (source.tables[other].in_document() && wants(source, reference, table)) add_pointed_at(other, reference);
  return condition;
}

class Collector {
 public:
  explicit Collector(const Source& source) : source_(source) {
    collection_.tables.resize(source.tables.size());
    seen_.resize(source.tables.size());
    for (std::size_t i = 0; i < source.tables.size(); ++i) prepare(i);
    find_order();
  }

  Collection run(const std::string& root_key);
 private:
  void prepare(std::size_t table);
  void find_order();
  void select(std::size_t table, const Condition& condition);
  std::vector<std::size_t> inputs(std::size_t table) const;

  const Source& source_;
  Collection collection_;
  std::vector<std::size_t> seen_;  // values in the condition of the last statement
};

void Collector::prepare(std::size_t table) {
  auto& collected = collection_.tables[table];
  std::size_t kept = 0;
  for (std::size_t i = 0; i < source_.tables[table].columns.size(); ++i) collected.kept_column.push_back(is_kept(source_, table, i) ? kept++ : no_table);
}

std::vector<std::size_t> Collector::inputs(std::size_t table) const {
  std::vector<std::size_t> found;
  for (const auto& reference : source_.tables[table].references) {
    if (!reference.owns) continue;
    if (reference.table != no_table) found.push_back(reference.table);
    for (const auto& [type, target] : reference.types) found.push_back(target);
  }
  for (const auto& through : source_.tables[table].through) found.push_back(through.table);
  for (std::size_t other = 0; other < source_.tables.size(); ++other)
    for (const auto& reference : source_.tables[other].references)
      if (source_.tables[other].in_document() && wants(source_, reference, table)) found.push_back(other);
  return found;
}

void Collector::find_order() {
  std::vector<bool> visited(source_.tables.size(), false);
  const std::function<void(std::size_t)> visit = [&](std::size_t table) {
    if (visited[table]) return;
    visited[table] = true;
    for (const auto input : inputs(table)) visit(input);
    if (source_.tables[table].in_document()) collection_.order.push_back(table);
  };
  for (std::size_t i = 0; i < source_.tables.size(); ++i) visit(i);
}

void Collector::select(std::size_t table, const Condition& condition) {
  const SourceTable& target = source_.tables[table];
  std::string list;
  std::vector<pg::JsonColumn> columns;
  for (std::size_t i = 0; i < target.columns.size(); ++i) {
    const auto& column = target.columns[i];
    const bool kept = collection_.tables[table].kept_column[i] != no_table;
    if (!column.exported && !kept) continue;
    columns.push_back({column.logical, column.exported, kept});
    list += (list.empty() ? "" : ", ") + (column.reset ? literal_of(*column.reset, column.live->type_name) : column_sql(target, i));
  }
  const std::string from = " FROM " + target.sql_name() + " AS t WHERE " + condition.sql();
  const std::string filter = target.table_class() == TableClass::root ? "" : filter_sql(target);
  pg::RunAs reader(target.reader, target.reader == GetUserId() ? 0 : SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
  auto& collected = collection_.tables[table];
  collected.rows = pg::select_json("SELECT " + list + from + (filter.empty() ? "" : " AND " + filter) + order_sql(target), condition.lists(), columns);
  if (!filter.empty())
    collected.filtered = static_cast<std::uint64_t>(pg::select_count("SELECT pg_catalog.count(*)" + from + " AND (" + filter + ") IS NOT TRUE", condition.lists()));
}

Collection Collector::run(const std::string& root_key) {
  const std::size_t root = *source_.table(source_.profile.root);
  const SourceTable& table = source_.tables[root];
  Condition at_root;
  Lists values;
  if (table.key.size() == 1) {
    values.push_back({pg::utf8_text(root_key)});
  } else {
    const Json parts = Json::parse(pg::utf8_text(root_key), nullptr, false);
    if (!parts.is_array() || parts.size() != table.key.size())
      throw error(sqlstate::invalid_parameter_value, "the key of \"" + table.live.qualified_name() + "\" has " + std::to_string(table.key.size()) + " parts", "",
                  "Give them as a JSON array, as in '[1, \"a\"]'.");
    for (const auto& part : parts) values.push_back({part.is_string() ? part.get<std::string>() : part.dump()});
  }
  std::vector<std::string> equality;
  for (const auto column : table.key) equality.emplace_back(table.columns[column].live->type < FirstNormalObjectId ? "OPERATOR(pg_catalog.=)" : "");
  at_root.add_tuples(table, table.key, types_of(table, table.key), equality, std::move(values));
  select(root, at_root);
  if (collection_.tables[root].rows.size() == 0)
    throw error(sqlstate::undefined_object, "no row of \"" + table.live.qualified_name() + "\" has the key " + printable(root_key) + ", or it is not visible to you",
                table.row_security ? "Row security applies to you on this table." : "");
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto position : collection_.order) {
      pg::check_interrupts();
      if (position == root) continue;
      const Condition now = condition_for(source_, collection_, position);
      if (now.empty() || now.values() == seen_[position]) continue;
      seen_[position] = now.values();
      select(position, now);
      grew = true;
    }
  }
  return std::move(collection_);
}

}  // namespace

std::size_t CollectedTable::row_count() const { return rows.size() - static_cast<std::size_t>(std::count(dropped.begin(), dropped.end(), true)); }

std::string CollectedTable::tuple(std::size_t row, const std::vector<std::size_t>& columns) const {
  std::string text;
  for (const auto column : columns) {
    const auto value = rows.value(row, kept_column[column]);
    if (value.empty()) return {};
    text += graph::scalar_text(value);
    text += '\x01';
  }
  return text;
}

KeySet Collection::tuples(std::size_t table, const std::vector<std::size_t>& columns) const {
  KeySet found;
  const auto& collected = tables[table];
  for (std::size_t row = 0; row < collected.rows.size(); ++row)
    if (!collected.is_dropped(row)) found.insert(collected.tuple(row, columns));
  return found;
}

bool is_kept(const Source& source, std::size_t table, std::size_t column) {
  const SourceTable& holder = source.tables[table];
  if (!holder.in_document()) return false;
  const auto has = [&](const std::vector<std::size_t>& columns) { return std::find(columns.begin(), columns.end(), column) != columns.end(); };
  if (has(holder.key) || is_hashed(holder, column)) return true;
  for (const auto& reference : holder.references)
    if ((reference.kind == ReferenceKind::foreign_key || reference.kind == ReferenceKind::polymorphic) && (has(reference.columns) || reference.type_column == column)) return true;
  for (const auto& other : source.tables)
    for (const auto& reference : other.references)
      if (reference.table == table && has(reference.to)) return true;
  return false;
}

Collection collect(const Source& source, const std::string& root_key) { return Collector(source).run(root_key); }

std::uint64_t count_excluded(const Source& source, const Collection& collection, std::size_t table) {
  const Condition condition = condition_for(source, collection, table);
  if (condition.empty()) return 0;
  const SourceTable& target = source.tables[table];
  pg::RunAs reader(target.reader, target.reader == GetUserId() ? 0 : SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
  return static_cast<std::uint64_t>(pg::select_count("SELECT pg_catalog.count(*) FROM " + target.sql_name() + " AS t WHERE " + condition.sql(), condition.lists()));
}

}  // namespace snapback::service
