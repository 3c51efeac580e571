#include "service/restore_plan.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/type_names.hpp"
#include "service/damage.hpp"
#include "service/drift.hpp"
#include "service/partition_layout.hpp"
#include "service/rights.hpp"
#include "service/selection.hpp"

namespace snapback::service {

namespace {

// Books that migration tools keep of the schema's own state: they describe the live schema, so a restore of everything leaves them alone.
const std::set<std::string> migration_tables = {"_prisma_migrations", "schema_migrations", "ar_internal_metadata", "knex_migrations", "knex_migrations_lock",
                                                "flyway_schema_history", "alembic_version", "django_migrations", "__drizzle_migrations"};

bool holds_rows(const TableHead& head) { return head.kind() == "table" || head.kind() == "partitioned table"; }

// The picked tables with everything below picked partitioned ones; partitioned tables first, outer before inner.
std::vector<std::size_t> with_partitions(const RestorePlan& plan, const PartitionTree& tree, const std::vector<std::size_t>& picked) {
  std::set<std::size_t> all(picked.begin(), picked.end());
  for (auto index : picked)
    for (auto below : tree.below(index)) all.insert(below);
  std::vector<std::size_t> ordered(all.begin(), all.end());
  std::vector<int> depths(plan.source->reader->manifest().tables.size());
  for (std::size_t root = 0; root < depths.size(); ++root)
    for (auto below : tree.below(root)) ++depths[below];
  auto rank = [&](std::size_t index) { return tree.is_root(index) ? depths[index] : 1000; };
  std::stable_sort(ordered.begin(), ordered.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  return ordered;
}

// Inheritance parents before their children; the rest stays in order.
void parents_first(const BackupSchema& schema, std::vector<PlannedTable>& tables) {
  std::map<TableName, std::size_t> index;
  for (std::size_t i = 0; i < tables.size(); ++i) index[{tables[i].backup->schema(), tables[i].backup->name()}] = i;
  std::vector<std::size_t> order;
  std::vector<char> state(tables.size(), 0);
  std::function<void(std::size_t)> visit = [&](std::size_t i) {
    if (state[i]) return;
    state[i] = 1;
    for (auto& parent : schema.parents({tables[i].backup->schema(), tables[i].backup->name()})) {
      auto it = index.find(parent);
      if (it != index.end()) visit(it->second);
    }
    order.push_back(i);
  };
  for (std::size_t i = 0; i < tables.size(); ++i) visit(i);
  std::vector<PlannedTable> sorted;
  sorted.reserve(tables.size());
  for (auto i : order) sorted.push_back(std::move(tables[i]));
  tables = std::move(sorted);
}

void refuse_other_kind(const TableDescription& live, bool partitioned) {
  char wanted = partitioned ? RELKIND_PARTITIONED_TABLE : RELKIND_RELATION;
  if (live.kind == wanted) return;
  const char* is = live.kind == RELKIND_VIEW ? "a view" : live.kind == RELKIND_MATVIEW ? "a materialized view" : live.kind == RELKIND_FOREIGN_TABLE ? "a foreign table"
                   : live.kind == RELKIND_PARTITIONED_TABLE                            ? "a partitioned table"
                                                                                       : "an ordinary table";
  throw snapback::error(sqlstate::wrong_object_type, "cannot restore into \"" + live.qualified_name() + "\"",
                        std::string("It is ") + is + " now; in the backup it is " + (partitioned ? "a partitioned table." : "an ordinary table."), "Rename it, or restore with into_schema.");
}

// True when a row of the backup has one of the keys.
bool has_values(const RestorePlan& plan, std::size_t entry, const std::set<std::string>& keys) {
  pg::ServerInterrupts interrupts;
  auto text = plan.source->reader->table_text(entry, interrupts);
  RowParser parser(*text);
  while (parser.next_row()) {
    std::string_view key;
    while (parser.next_key(key)) {
      if (keys.count(std::string(key))) return true;
      parser.skip_value();
    }
  }
  return false;
}

}  // namespace

std::vector<Oid> RestorePlan::live_tables() const {
  std::set<Oid> oids;
  for (auto& table : tables)
    if (table.live) oids.insert(table.live->oid);
  for (auto& table : surplus) oids.insert(table.oid);
  for (auto& table : repartitioned)
    for (auto& leaf : table.leaves) oids.insert(leaf.oid);
  return {oids.begin(), oids.end()};
}

RestorePlan make_plan(const std::shared_ptr<RestoreSource>& source, const RestoreRequest& request) {
  RestorePlan plan;
  plan.source = source;
  const BackupInfo& backup = source->backup;
  const Manifest& manifest = source->reader->manifest();
  std::vector<TableName> names;
  for (auto& entry : manifest.tables) names.push_back(name_of(entry));
  PartitionTree tree(source->schema, manifest);
  auto picked = pick_tables(request.tables, names, backup.id);

  std::vector<RowAccess> access;
  std::vector<Oid> live;
  auto entries = with_partitions(plan, tree, picked);
  plan.tables.reserve(entries.size());
  for (auto index : entries) {
    PlannedTable table;
    table.entry = index;
    table.backup = &manifest.tables[index];
    table.schema = request.into_schema.empty() ? names[index].first : request.into_schema;
    table.name = names[index].second;
    table.partitioned = table.backup->head.kind() == "partitioned table";
    table.result.schema = table.schema;
    table.result.name = table.name;
    if (!holds_rows(table.backup->head)) {
      if (request.tables)
        throw snapback::error(sqlstate::wrong_object_type, "cannot restore \"" + table.qualified_name() + "\"",
                              "The backup holds the rows of a " + table.backup->head.kind() + "; only tables are restored.");
      table.result.action = "skipped";
      table.result.notes.push_back("it was a " + table.backup->head.kind());
    }
    if (table.result.action.empty() && !has_exact_name(*table.backup)) source->schema.check_encoding(*table.backup);
    Oid original = find_live_table(names[index].first, names[index].second);
    Oid target = request.into_schema.empty() ? original : find_live_table(table.schema, table.name);
    if (!request.tables && request.into_schema.empty() && OidIsValid(target) && migration_tables.count(table.name)) {
      table.result.action = "skipped";
      table.result.notes.push_back("it describes the live schema; name it to restore it");
    }
    access.push_back({names[index].first, names[index].second, table.backup->head.oid(), original});
    pg::relation_visited();
    if (table.result.action.empty() && OidIsValid(target)) {
      if (!request.into_schema.empty())
        throw snapback::error(sqlstate::duplicate_table, "table \"" + table.qualified_name() + "\" already exists", "", "Restore into another schema, or drop that table first.");
      live.push_back(target);
    }
    plan.tables.push_back(std::move(table));
  }
  check_row_access(backup, access, "restore from");
  for (auto& table : plan.tables)
    if (table.result.action.empty()) check_not_lost(*source->reader, table.entry);
  parents_first(source->schema, plan.tables);

  std::map<TableName, PlannedTable*> targets;
  for (auto& table : plan.tables)
    if (table.result.action.empty()) targets.emplace(TableName(table.schema, table.name), &table);
  std::vector<Oid> roots;
  describe_each(live, false, [&](TableDescription& described) {
    auto target = targets.find({described.schema, described.name});
    if (target == targets.end()) return;
    auto& table = *target->second;
    table.live = std::move(described);
    if (table.partitioned) roots.push_back(table.live->oid);
  });
  if (request.into_schema.empty()) plan_partitions(plan, tree);
  for (auto& table : plan.tables)
    if (table.live) refuse_other_kind(*table.live, table.partitioned);
  if (!roots.empty() && request.mode == "replace") {
    std::set<Oid> planned;
    for (auto oid : plan.live_tables()) planned.insert(oid);
    std::vector<Oid> surplus;
    for (auto oid : partitions_of(roots))
      if (!planned.count(oid)) surplus.push_back(oid);
    for (auto& table : describe_tables(surplus, false))
      if (table.kind == RELKIND_RELATION) plan.surplus.push_back(table);
  }
  return plan;
}

RestoreTargets targets_of(const RestorePlan& plan) {
  RestoreTargets targets;
  for (auto& table : plan.tables)
    targets.emplace_back(table.live ? table.live->oid : InvalidOid, table.live ? table.live->kind : '\0', table.live ? table.live->owner : InvalidOid, table.qualified_name());
  for (auto& table : plan.surplus) targets.emplace_back(table.oid, table.kind, table.owner, table.qualified_name());
  for (auto& table : plan.repartitioned)
    for (auto& leaf : table.leaves) targets.emplace_back(leaf.oid, leaf.kind, leaf.owner, leaf.qualified_name());
  return targets;
}

pg::ColumnMapping map_columns(const RestorePlan& plan, PlannedTable& table, const TableDescription& live, bool allow_loss) {
  pg::ColumnMapping mapping;
  std::set<std::string> dropped, dropped_keys, present;
  const Json head = table.backup->head.json();
  for (auto& column : head.at("columns")) {
    pg::ColumnTarget target;
    target.name = column.at("name").get<std::string>();
    target.form = column;
    const std::string name = name_of(column);
    present.insert(name);
    auto* found = live.column(name);
    if (found == nullptr || found->generated) {
      dropped.insert(name);
      dropped_keys.insert(target.name);
      mapping.identical = false;
      mapping.columns.push_back(std::move(target));
      continue;
    }
    target.type = found->type;
    target.typmod = found->typmod;
    target.position = found->number - 1;
    mapping.kept.push_back(found->number);
    std::string was = type_of(column);
    if (was != found->type_name) {
      mapping.identical = false;
      table.result.notes.push_back("column \"" + name + "\" changed its type from " + was + " to " + found->type_name + ": values are converted");
    }
    mapping.columns.push_back(std::move(target));
  }
  for (auto& column : live.columns) {
    if (present.count(column.name) || column.generated) continue;
    mapping.defaulted.push_back(column.number);
    table.result.notes.push_back("column \"" + column.name + "\" is not in the backup: it gets its default");
  }
  if (!dropped.empty()) {
    std::string list, renames;
    for (auto& name : dropped) list += (list.empty() ? "\"" : ", \"") + name + "\"";
    for (auto& [before, now] : likely_renames(table, live, dropped)) {
      std::string rename = "column \"" + before + "\" looks renamed to \"" + now + "\", for they have the same type; values follow names only";
      table.result.notes.push_back(rename);
      renames += (renames.empty() ? "" : "; ") + rename;
    }
    if (!allow_loss && has_values(plan, table.entry, dropped_keys))
      throw snapback::error(sqlstate::datatype_mismatch, "table \"" + table.qualified_name() + "\" no longer has all columns of the backup",
                            "The backup has values in " + list + ", which the table lacks or computes itself now" + (renames.empty() ? "." : "; " + renames + "."),
                            "Add the columns, restore with into_schema, or discard those values with allow_loss => true.");
    table.result.notes.push_back("not restored, for the table no longer has them: " + list);
  }
  return mapping;
}

}  // namespace snapback::service
