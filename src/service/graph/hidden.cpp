#include "service/graph/hidden.hpp"

#include <algorithm>

#include "core/graph/exact_json.hpp"
#include "pg/call.hpp"
#include "pg/direct_rows.hpp"

namespace snapback::service {

namespace {

using graph::ReferenceKind;
using graph::TableClass;
using Values = std::vector<std::string>;  // of one row, by kept column, JSON; empty: NULL

// One way in which a row of a table belongs to the collection: its columns have a tuple of the set.
struct Way {
  std::vector<std::size_t> columns;
  KeySet tuples;
  std::optional<std::size_t> type_column;  // polymorphic
  std::string type;
};

class Counter {
 public:
  Counter(const Source& source, const Collection& collection) : source_(source), collection_(collection), full_(source.tables.size()) {}

  void run();
  void report(Findings& findings) const;

 private:
  bool differs(std::size_t table) const { return full_[table].has_value(); }
  bool must_count(std::size_t table) const;
  KeySet tuples(std::size_t table, const std::vector<std::size_t>& columns) const;
  std::string tuple(std::size_t table, const Values& row, const std::vector<std::size_t>& columns) const;
  std::vector<Way> ways(std::size_t table) const;
  bool passes_filter(std::size_t table, const std::vector<std::size_t>& filters, const std::vector<std::string_view>& values, std::size_t first) const;
  std::vector<Values> count(std::size_t table) const;

  const Source& source_;
  const Collection& collection_;
  std::vector<std::optional<std::vector<Values>>> full_;  // by table, where it was counted and there are more rows than the caller sees
};

std::string Counter::tuple(std::size_t table, const Values& row, const std::vector<std::size_t>& columns) const {
  std::string text;
  for (const auto column : columns) {
    const auto& value = row[collection_.tables[table].kept_column[column]];
    if (value.empty()) return {};
    text += graph::scalar_text(value);
    text += '\x01';
  }
  return text;
}

KeySet Counter::tuples(std::size_t table, const std::vector<std::size_t>& columns) const {
  KeySet found;
  if (!full_[table]) {
    for (std::size_t row = 0; row < collection_.tables[table].rows.size(); ++row) found.insert(collection_.tables[table].tuple(row, columns));
  } else {
    for (const auto& row : *full_[table]) found.insert(tuple(table, row, columns));
  }
  found.erase("");
  return found;
}

std::vector<Way> Counter::ways(std::size_t table) const {
  std::vector<Way> found;
  const SourceTable& holder = source_.tables[table];
  for (const auto& reference : holder.references) {
    if (!reference.owns) continue;
    if (reference.kind == ReferenceKind::foreign_key) found.push_back({reference.columns, tuples(reference.table, reference.to), {}, {}});
    for (const auto& [type, target] : reference.types)
      if (source_.tables[target].in_document()) found.push_back({reference.columns, tuples(target, source_.tables[target].key), reference.type_column, type});
  }
  for (const auto& through : holder.through) {
    const auto& reference = source_.tables[through.table].references[through.reference];
    found.push_back({reference.to, tuples(through.table, reference.columns), {}, {}});
  }
  return found;
}

bool Counter::must_count(std::size_t table) const {
  const SourceTable& holder = source_.tables[table];
  if (!holder.is_content() || holder.table_class() == TableClass::root) return false;
  if (holder.row_security) return true;
  for (const auto& reference : holder.references) {
    if (!reference.owns) continue;
    if (reference.table != no_table && differs(reference.table)) return true;
    for (const auto& [type, target] : reference.types)
      if (differs(target)) return true;
  }
  return std::any_of(holder.through.begin(), holder.through.end(), [&](const auto& through) { return differs(through.table); });
}

bool Counter::passes_filter(std::size_t table, const std::vector<std::size_t>& filters, const std::vector<std::string_view>& values, std::size_t first) const {
  const auto& filter = source_.tables[table].profile->filter;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const auto value = values[first + i];
    const auto& allowed = filter[filters[i]].values;
    const bool passes = std::any_of(allowed.begin(), allowed.end(), [&](const Json& one) {
      if (one.is_null()) return value.empty();
      if (one.is_boolean() && !one.get<bool>()) return value.empty() || value == "false";
      return !value.empty() && graph::scalar_text(value) == (one.is_string() ? one.get<std::string>() : one.dump());
    });
    if (!passes) return false;
  }
  return true;
}

std::vector<Values> Counter::count(std::size_t table) const {
  const SourceTable& holder = source_.tables[table];
  const auto& kept = collection_.tables[table].kept_column;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (kept[i] != no_table) names.push_back(holder.columns[i].live->name);
  const std::size_t kept_count = names.size();
  std::vector<std::size_t> filters;
  for (std::size_t i = 0; i < holder.profile->filter.size(); ++i)
    if (const auto position = holder.column(holder.profile->filter[i].column)) {
      filters.push_back(i);
      names.push_back(holder.columns[*position].live->name);
    }
  const auto belonging = ways(table);
  std::vector<Values> rows;
  const auto look = [&](const std::vector<std::string_view>& values) {
    const Values row(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(kept_count));
    const bool belongs = std::any_of(belonging.begin(), belonging.end(), [&](const Way& way) {
      if (way.type_column && tuple(table, row, {*way.type_column}) != way.type + '\x01') return false;
      const std::string found = tuple(table, row, way.columns);
      return !found.empty() && way.tuples.contains(found);
    });
    if (belongs && passes_filter(table, filters, values, kept_count)) rows.push_back(row);
  };
  if (holder.live.kind == RELKIND_PARTITIONED_TABLE) {
    for (const Oid partition : partitions_of({holder.live.oid}))
      if (pg::call([&] { return get_rel_relkind(partition); }) == RELKIND_RELATION) pg::scan_values(partition, names, look);
  } else {
    pg::scan_values(holder.live.oid, names, look);
  }
  return rows;
}

void Counter::run() {
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto table : collection_.order) {
      if (!must_count(table)) continue;
      auto rows = count(table);
      const std::size_t before = full_[table] ? full_[table]->size() : collection_.tables[table].rows.size();
      if (rows.size() <= before) continue;
      full_[table] = std::move(rows);
      grew = true;
    }
  }
}

void Counter::report(Findings& findings) const {
  for (const auto table : collection_.order) {
    if (!full_[table]) continue;
    const std::size_t total = full_[table]->size(), hidden = total - collection_.tables[table].rows.size();
    findings.errors.push_back({"rows_hidden", source_.tables[table].name(), "", hidden,
                               std::to_string(hidden) + " of " + std::to_string(total) + " " + source_.tables[table].name() + (hidden == 1 ? " is" : " are") + " hidden from you",
                               "Export as a role that row security lets see them."});
  }
}

}  // namespace

void find_hidden(const Source& source, const Collection& collection, Findings& findings) {
  const bool applies = std::any_of(source.tables.begin(), source.tables.end(), [](const auto& table) { return table.is_content() && table.row_security; });
  if (!applies) return;
  Counter counter(source, collection);
  counter.run();
  counter.report(findings);
}

}  // namespace snapback::service
