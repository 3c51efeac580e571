#include "service/graph/reference_check.hpp"

#include <map>

#include "pg/call.hpp"

namespace snapback::service {

namespace {

using graph::ReferenceKind;
using graph::TableClass;

class ReferenceChecker {
 public:
  ReferenceChecker(const Source& source, Collection& collection, Findings& findings) : source_(source), collection_(collection), findings_(findings) {}

  void check(std::size_t table);

 private:
  const KeySet& known(std::size_t table, const std::vector<std::size_t>& columns);
  void check_foreign_key(std::size_t table, const SourceReference& reference);
  void check_polymorphic(std::size_t table, const SourceReference& reference);
  void leave_out(std::size_t table, const SourceReference& reference, const std::vector<std::size_t>& rows, std::size_t target);
  void hidden(std::size_t target, std::size_t count);
  std::string column_list(const SourceTable& table, const SourceReference& reference) const;

  const Source& source_;
  Collection& collection_;
  Findings& findings_;
  std::map<std::pair<std::size_t, std::vector<std::size_t>>, KeySet> known_;
};

const KeySet& ReferenceChecker::known(std::size_t table, const std::vector<std::size_t>& columns) {
  const auto [entry, added] = known_.try_emplace({table, columns});
  if (added) entry->second = collection_.tuples(table, columns);
  return entry->second;
}

std::string ReferenceChecker::column_list(const SourceTable& table, const SourceReference& reference) const {
  std::string text;
  for (const auto column : reference.columns) text += (text.empty() ? "" : ", ") + table.columns[column].logical;
  return text;
}

void ReferenceChecker::hidden(std::size_t target, std::size_t count) {
  findings_.errors.push_back({"rows_hidden", source_.tables[target].name(), "", count, std::to_string(count) + " " + source_.tables[target].name() + " that belong to it are hidden from you",
                              "Export as a role that row security lets see them."});
}

void ReferenceChecker::leave_out(std::size_t table, const SourceReference& reference, const std::vector<std::size_t>& rows, std::size_t target) {
  auto& collected = collection_.tables[table];
  const SourceTable& holder = source_.tables[table];
  const std::string columns = column_list(holder, reference), count = std::to_string(rows.size());
  const std::string to = target == no_table ? "" : " at " + source_.tables[target].name();
  bool nullable = false;
  for (const auto column : reference.columns) nullable = nullable || !holder.columns[column].live->not_null;
  if (holder.table_class() == TableClass::link) {
    collected.dropped.resize(collected.rows.size(), false);
    for (const auto row : rows) collected.dropped[row] = true;
    findings_.warnings.push_back({"link_outside", holder.name(), columns, rows.size(), count + " rows of " + holder.name() + " point" + to + " outside and are left out", ""});
  } else if (nullable) {
    for (const auto row : rows)
      for (const auto column : reference.columns)
        if (!holder.columns[column].live->not_null) collected.cut[row].push_back(collected.kept_column[column]);
    findings_.warnings.push_back({"reference_outside", holder.name(), columns, rows.size(), count + " values of " + columns + " in " + holder.name() + " point" + to + " outside and are left out", ""});
  } else {
    findings_.errors.push_back({"reference_outside", holder.name(), columns, rows.size(), count + " rows of " + holder.name() + " must point" + to + " by " + columns + ", and that is outside",
                                "Make the other table ref or own in the profile, or correct the rows."});
  }
}

void ReferenceChecker::check_foreign_key(std::size_t table, const SourceReference& reference) {
  const SourceTable& target = source_.tables[reference.table];
  if (!target.in_document()) return;
  const auto& collected = collection_.tables[table];
  const KeySet& there = known(reference.table, reference.to);
  std::vector<std::size_t> outside;
  KeySet missing;
  for (std::size_t row = 0; row < collected.rows.size(); ++row) {
    if (collected.is_dropped(row)) continue;
    const std::string tuple = collected.tuple(row, reference.columns);
    if (tuple.empty() || there.contains(tuple)) continue;
    outside.push_back(row);
    missing.insert(tuple);
  }
  if (outside.empty()) return;
  const bool shared = target.table_class() == TableClass::ref || (target.table_class() == TableClass::bank && !reference.owns);
  if (shared && target.row_security)
    hidden(reference.table, missing.size());
  else
    leave_out(table, reference, outside, reference.table);
}

void ReferenceChecker::check_polymorphic(std::size_t table, const SourceReference& reference) {
  const auto& collected = collection_.tables[table];
  std::map<std::size_t, std::vector<std::size_t>> outside;
  for (std::size_t row = 0; row < collected.rows.size(); ++row) {
    const std::string type = collected.tuple(row, {*reference.type_column}), id = collected.tuple(row, reference.columns);
    if (type.empty() || id.empty()) continue;
    std::size_t target = no_table;
    for (const auto& [name, candidate] : reference.types)
      if (type == name + '\x01') target = candidate;
    if (target == no_table || !source_.tables[target].in_document() || source_.tables[target].key.size() != 1) {
      outside[no_table].push_back(row);
    } else if (!known(target, source_.tables[target].key).contains(id)) {
      outside[target].push_back(row);
    }
  }
  for (const auto& [target, rows] : outside) leave_out(table, reference, rows, target);
}

void ReferenceChecker::check(std::size_t table) {
  for (const auto& reference : source_.tables[table].references) {
    pg::check_interrupts();
    if (reference.kind == ReferenceKind::foreign_key)
      check_foreign_key(table, reference);
    else if (reference.kind == ReferenceKind::polymorphic)
      check_polymorphic(table, reference);
  }
}

}  // namespace

void check_references(const Source& source, Collection& collection, Findings& findings) {
  ReferenceChecker checker(source, collection, findings);
  for (const auto table : collection.order) checker.check(table);
}

}  // namespace snapback::service
