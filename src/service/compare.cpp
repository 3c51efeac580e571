#include "service/compare.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "pg/call.hpp"
#include "pg/lock_slots.hpp"
#include "pg/snapshot.hpp"
#include "pg/table_scan.hpp"
#include "pg/text_forms.hpp"
#include "service/rights.hpp"
#include "service/selection.hpp"

namespace snapback::service {

namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

Names table_names(const Manifest& manifest) {
  Names names;
  for (auto& table : manifest.tables) names.emplace_back(table.schema(), table.name());
  return names;
}

bool is_partitioned(const TableEntry& table) { return table.head.value("kind", "") == "partitioned table"; }

// Partitioned tables answer for all their rows: fingerprints are sums, so the layout may have changed.
Comparison compare_partitioned(const Manifest& manifest, const PartitionTree& tree, std::size_t index, Oid live, pg::Progress& progress) {
  Comparison result;
  Fingerprint expected;
  const Json* any = nullptr;
  std::map<std::pair<std::string, std::string>, const Json*> heads;  // partitions may have their columns in another order
  for (auto leaf : tree.below(index)) {
    auto& entry = manifest.tables[leaf];
    result.backup_rows += entry.row_count;
    expected.add(entry.fingerprint);
    if (!is_partitioned(entry)) heads[{entry.schema(), entry.name()}] = any = &entry.head;
  }
  if (!OidIsValid(live)) return result;
  auto leaves = partitions_of({live});
  pg::lock_relations(leaves, AccessShareLock);
  LiveState sum;
  bool comparable = true;
  for (auto& table : describe_tables(leaves, false)) {
    if (!table.has_storage()) continue;
    auto same = heads.find({table.schema, table.name});
    const Json* head = same != heads.end() ? same->second : any;
    auto state = head ? read_live_state(table, *head, progress) : std::nullopt;
    if (!state) {
      comparable = false;
      continue;
    }
    sum.rows += state->rows;
    sum.fingerprint.add(state->fingerprint);
  }
  result.live_rows = sum.rows;
  result.equal = comparable && sum.rows == result.backup_rows && sum.fingerprint == expected;
  return result;
}

Comparison compare_table(const TableEntry& entry, Oid live, pg::Progress& progress) {
  Comparison result;
  result.backup_rows = entry.row_count;
  if (!OidIsValid(live)) return result;
  auto described = describe_tables({live}, false);
  if (described.empty()) return result;
  auto state = read_live_state(described[0], entry.head, progress);
  if (!state) {
    // columns are gone: the rows can still be counted
    state = read_live_state(described[0], Json{{"columns", Json::array()}}, progress);
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
    auto* found = live.column(column.at("name").get<std::string>());
    if (found == nullptr || found->generated) return std::nullopt;
    target.columns.push_back(found->number);
  }
  FingerprintSink sink;
  progress.phase(phase, live.oid);
  pg::scan_table(target, sink, progress);
  return LiveState{sink.rows(), sink.fingerprint()};
}

PartitionTree::PartitionTree(const Json& schema, const Manifest& manifest) : children_(manifest.tables.size()), partitioned_(manifest.tables.size()) {
  std::map<std::pair<std::string, std::string>, std::size_t> index;
  auto names = table_names(manifest);
  for (std::size_t i = 0; i < names.size(); ++i) {
    index[names[i]] = i;
    partitioned_[i] = is_partitioned(manifest.tables[i]);
  }
  for (auto& table : schema.value("tables", Json::array())) {
    auto parent = table.find("partition_of");
    if (parent == table.end()) continue;
    auto child_at = index.find({table.value("schema", ""), table.value("name", "")});
    auto parent_at = index.find({parent->value("schema", ""), parent->value("name", "")});
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
  PartitionTree tree(reader->schema(), manifest);

  std::vector<RowAccess> access;
  std::vector<Oid> live;
  for (auto index : picked) {
    Oid found = find_live_table(names[index].first, names[index].second);
    access.push_back({names[index].first, names[index].second, manifest.tables[index].head.value("oid", Oid{0}), found});
    if (OidIsValid(found)) live.push_back(found);
  }
  check_row_access(backup, access, "compare");

  pg::Progress progress(pg::Operation::compare, pg::Phase::locking);
  pg::lock_together(live, AccessShareLock);
  pg::push_read_snapshot(live);
  pg::TextForms forms;
  std::vector<Comparison> result;
  for (std::size_t i = 0; i < picked.size(); ++i) {
    auto& [schema, name] = names[picked[i]];
    // a relation dropped or swapped while its lock was waited for counts as what stands there now
    Oid now = find_live_table(schema, name);
    if (now != access[i].live) {
      access[i].live = now;
      check_row_access(backup, {access[i]}, "compare");
      if (OidIsValid(now)) pg::lock_relations({now}, AccessShareLock);
    }
    bool partitioned = is_partitioned(manifest.tables[picked[i]]);
    auto comparison = partitioned ? compare_partitioned(manifest, tree, picked[i], now, progress) : compare_table(manifest.tables[picked[i]], now, progress);
    comparison.schema = schema;
    comparison.name = name;
    result.push_back(std::move(comparison));
  }
  forms.close();
  pg::pop_snapshot();
  return result;
}

}  // namespace snapback::service
