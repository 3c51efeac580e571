#include "service/compare.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/format/row_order.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/lock_slots.hpp"
#include "pg/snapshot.hpp"
#include "pg/table_scan.hpp"
#include "pg/text_forms.hpp"
#include "service/damage.hpp"
#include "service/rights.hpp"
#include "service/schema_json.hpp"
#include "service/selection.hpp"

namespace snapback::service {

namespace {

using Names = std::vector<TableName>;

Names table_names(const Manifest& manifest) {
  Names names;
  for (auto& table : manifest.tables) names.push_back(name_of(table));
  return names;
}

bool is_partitioned(const TableEntry& table) { return table.head.kind() == "partitioned table"; }

std::vector<std::string> column_names(const TableHead& head) {
  std::vector<std::string> names;
  const Json json = head.json();
  for (auto& column : json.at("columns")) names.push_back(column.at("name").get<std::string>());
  return names;
}

// Rows of all leaves of the backup, each with its columns in the order of `columns`.
Fingerprint fingerprint_of(BackupReader& reader, const std::vector<std::size_t>& leaves, const std::vector<std::string>& columns) {
  pg::ServerInterrupts interrupts;
  Fingerprint sum;
  for (auto leaf : leaves) {
    auto& entry = reader.manifest().tables[leaf];
    if (column_names(entry.head) == columns) {
      sum.add(entry.fingerprint);
      continue;
    }
    auto text = reader.table_text(leaf, interrupts);
    RowParser rows(*text);
    sum.add(fingerprint_in_order(rows, columns, interrupts));
  }
  return sum;
}

// Partitioned tables answer for all their rows: fingerprints are sums, so the layout may have changed. Partitions may have their columns in other orders; rows are read in the one of the first.
Comparison compare_partitioned(BackupReader& reader, const PartitionTree& tree, std::size_t index, Oid live, pg::Progress& progress) {
  const Manifest& manifest = reader.manifest();
  Comparison result;
  std::vector<std::size_t> leaves;
  for (auto leaf : tree.below(index)) {
    if (is_partitioned(manifest.tables[leaf])) continue;
    result.backup_rows += manifest.tables[leaf].row_count;
    leaves.push_back(leaf);
  }
  if (!OidIsValid(live)) return result;
  auto live_leaves = partitions_of({live});
  pg::lock_relations(live_leaves, AccessShareLock);
  LiveState sum;
  bool comparable = true;
  for (auto& table : describe_tables(live_leaves, false)) {
    if (!table.has_storage()) continue;
    auto state = leaves.empty() ? std::nullopt : read_live_state(table, manifest.tables[leaves.front()].head.json(), progress);
    // columns are gone: the rows can still be counted
    if (!state) comparable = false;
    if (!state) state = read_live_state(table, Json{{"columns", Json::array()}}, progress);
    sum.rows += state->rows;
    sum.fingerprint.add(state->fingerprint);
    pg::relation_visited();
  }
  result.live_rows = sum.rows;
  comparable = comparable && sum.rows == result.backup_rows;
  result.equal = comparable && (leaves.empty() || sum.fingerprint == fingerprint_of(reader, leaves, column_names(manifest.tables[leaves.front()].head)));
  return result;
}

// `live`: null when there is no such table.
Comparison compare_table(const TableEntry& entry, const TableDescription* live, pg::Progress& progress) {
  Comparison result;
  result.backup_rows = entry.row_count;
  if (live == nullptr) return result;
  auto state = read_live_state(*live, entry.head.json(), progress);
  if (!state) {
    // columns are gone: the rows can still be counted
    state = read_live_state(*live, Json{{"columns", Json::array()}}, progress);
    result.live_rows = state->rows;
    return result;
  }
  result.live_rows = state->rows;
  result.equal = state->rows == entry.row_count && state->fingerprint == entry.fingerprint;
  return result;
}

}  // namespace

Oid find_live_table(const std::string& schema, const std::string& name) {
  return pg::call([&]() -> Oid {
    Oid space = get_namespace_oid(schema.c_str(), true);
    if (!OidIsValid(space)) return InvalidOid;
    Oid relation = get_relname_relid(name.c_str(), space);
    if (!OidIsValid(relation)) return InvalidOid;
    switch (get_rel_relkind(relation)) {
      case RELKIND_RELATION:
      case RELKIND_PARTITIONED_TABLE:
      case RELKIND_VIEW:
      case RELKIND_MATVIEW:
      case RELKIND_FOREIGN_TABLE:
        return relation;
      default:
        return InvalidOid;
    }
  });
}

std::optional<LiveState> read_live_state(const TableDescription& live, const Json& head, pg::Progress& progress, pg::Phase phase) {
  pg::ScanTarget target;
  target.relation = live.oid;
  target.schema = live.schema;
  target.name = live.name;
  target.by_executor = !live.has_storage();
  target.owner = live.owner;
  for (auto& column : head.at("columns")) {
    auto* found = live.column(name_of(column));
    if (found == nullptr || found->generated) return std::nullopt;
    target.columns.push_back(found->number);
  }
  FingerprintSink sink;
  progress.phase(phase, live.oid);
  pg::scan_table(target, sink, progress);
  return LiveState{sink.rows(), sink.fingerprint()};
}

PartitionTree::PartitionTree(const BackupSchema& schema, const Manifest& manifest) : children_(manifest.tables.size()), partitioned_(manifest.tables.size()) {
  std::map<TableName, std::size_t> index;
  for (std::size_t i = 0; i < manifest.tables.size(); ++i) {
    index[{manifest.tables[i].schema(), manifest.tables[i].name()}] = i;
    partitioned_[i] = is_partitioned(manifest.tables[i]);
  }
  for (auto& [child, parent] : schema.partitions()) {
    auto child_at = index.find(child), parent_at = index.find(parent);
    if (child_at != index.end() && parent_at != index.end()) children_[parent_at->second].push_back(child_at->second);
  }
}

std::vector<std::size_t> PartitionTree::below(std::size_t table) const {
  std::vector<std::size_t> found, waiting{table};
  std::set<std::size_t> seen{table};
  while (!waiting.empty()) {
    auto next = waiting.back();
    waiting.pop_back();
    for (auto child : children_[next]) {
      if (!seen.insert(child).second) continue;
      found.push_back(child);
      waiting.push_back(child);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<Comparison> compare_backup(const std::string& id, const std::optional<std::vector<std::string>>& tables) {
  Repository repository(false);
  auto backup = choose_backup(repository, id, tables);
  auto reader = repository.open(backup);
  const Manifest& manifest = reader->manifest();
  auto names = table_names(manifest);
  auto picked = pick_tables(tables, names, backup.id);
  PartitionTree tree(BackupSchema(*reader), manifest);

  std::vector<RowAccess> access;
  std::vector<Oid> live;
  auto find_now = [&](std::size_t entry) { return has_exact_name(manifest.tables[entry]) ? find_live_table(names[entry].first, names[entry].second) : InvalidOid; };
  for (auto index : picked) {
    Oid found = find_now(index);
    access.push_back({names[index].first, names[index].second, manifest.tables[index].head.oid(), found});
    if (OidIsValid(found)) live.push_back(found);
    pg::relation_visited();
  }
  check_row_access(backup, access, "compare");
  for (auto index : picked) {
    check_not_lost(*reader, index);
    for (auto leaf : tree.below(index)) check_not_lost(*reader, leaf);
  }

  pg::Progress progress(pg::Operation::compare, pg::Phase::locking);
  pg::fault_point("compare.selected");
  pg::lock_together(live, AccessShareLock);
  pg::push_read_snapshot(live);
  pg::TextForms forms;
  std::vector<Oid> tables_now;
  for (std::size_t i = 0; i < picked.size(); ++i) {
    // a relation dropped or swapped while its lock was waited for counts as what stands there now
    Oid now = find_now(picked[i]);
    if (now != access[i].live) {
      access[i].live = now;
      check_row_access(backup, {access[i]}, "compare");
      if (OidIsValid(now)) pg::lock_relations({now}, AccessShareLock);
    }
    if (OidIsValid(now) && !is_partitioned(manifest.tables[picked[i]])) tables_now.push_back(now);
    pg::relation_visited();
  }
  std::map<Oid, TableDescription> described;
  for (auto& table : describe_tables(tables_now, false)) described.emplace(table.oid, std::move(table));

  std::vector<Comparison> result;
  for (std::size_t i = 0; i < picked.size(); ++i) {
    auto& entry = manifest.tables[picked[i]];
    auto found = described.find(access[i].live);
    auto comparison = is_partitioned(entry) ? compare_partitioned(*reader, tree, picked[i], access[i].live, progress)
                                            : compare_table(entry, found == described.end() ? nullptr : &found->second, progress);
    std::tie(comparison.schema, comparison.name) = names[picked[i]];
    result.push_back(std::move(comparison));
    pg::relation_visited();
  }
  forms.close();
  pg::pop_snapshot();
  return result;
}

}  // namespace snapback::service
