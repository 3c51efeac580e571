#include "service/restore_partitions.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/partitioned_table.hpp"
#include "pg/snapshot.hpp"
#include "pg/table_reload.hpp"
#include "service/drift.hpp"
#include "service/restore_tables.hpp"

namespace snapback::service {

namespace {

std::vector<std::string> names_of(const TableDescription& table, const std::vector<AttrNumber>& numbers) {
  std::vector<std::string> names;
  for (auto number : numbers)
    for (auto& column : table.columns)
      if (column.number == number) names.push_back(column.name);
  return names;
}

std::vector<AttrNumber> numbers_of(const TableDescription& table, const std::vector<std::string>& columns) {
  std::vector<AttrNumber> numbers;
  for (auto& name : columns)
    if (auto* column = table.column(name)) numbers.push_back(column->number);
  return numbers;
}

pg::LeafSource source_of(const PlannedTable& table, pg::ColumnMapping mapping) { return {table.qualified_name(), std::move(mapping), table.backup->row_count}; }

// Opens the rows of the planned tables at `sources`.
auto opener(const RestorePlan& plan, const std::vector<std::size_t>& sources) {
  return [&plan, sources](std::size_t source) {
    return std::make_unique<pg::SourceRows>([&](pg::ServerInterrupts& interrupts) { return plan.source->reader->table_text(plan.tables[sources[source]].entry, interrupts); });
  };
}

// The columns of a repartitioned table meet the backup's by name, as those of an ordinary one. Fills `columns`, and notes what has changed.
pg::PartitionedTable partitioned_table(RestorePlan& plan, Repartitioned& table, bool allow_loss) {
  auto& root = plan.tables[table.root];
  pg::PartitionedTable made;
  made.relation = root.live->oid;
  made.owner = root.live->owner;
  made.name = root.qualified_name();
  table.columns.clear();
  for (auto index : table.sources) {
    auto& source = plan.tables[index];
    auto mapping = map_columns(plan, source, *root.live, allow_loss);
    if (made.sources.empty()) {
      made.kept = mapping.kept;
      made.defaulted = mapping.defaulted;
      for (auto& column : mapping.columns)
        if (OidIsValid(column.type)) table.columns.push_back(column.name);
      // what happened to the columns is told once
      auto& notes = root.result.notes;
      notes.insert(notes.end(), source.result.notes.begin(), source.result.notes.end());
    }
    source.result.notes.assign(1, "its rows go into the partitions that \"" + root.qualified_name() + "\" has now");
    // rows of all sources are hashed with their columns in one order
    mapping.identical = mapping.identical && mapping.kept == made.kept;
    mapping.kept = made.kept;
    made.sources.push_back(source_of(source, std::move(mapping)));
  }
  auto key = numbers_of(*root.live, root.live->primary_key);
  bool complete = std::all_of(key.begin(), key.end(), [&](AttrNumber number) { return std::find(made.kept.begin(), made.kept.end(), number) != made.kept.end(); });
  if (complete) made.key = key;
  for (auto& leaf : table.leaves) {
    pg::Leaf one;
    one.relation = leaf.oid;
    one.owner = leaf.owner;
    one.kept = numbers_of(leaf, names_of(*root.live, made.kept));
    if (complete) one.key = numbers_of(leaf, root.live->primary_key);
    made.leaves.push_back(std::move(one));
  }
  made.open = opener(plan, table.sources);
  return made;
}

Json head_of(const std::vector<std::string>& columns) {
  Json head{{"columns", Json::array()}};
  for (auto& name : columns) head["columns"].push_back({{"name", name}});
  return head;
}

struct LeafRows {
  LiveState all;
  std::vector<std::uint64_t> rows;  // of each leaf
};

LeafRows read_leaves(const Repartitioned& table, pg::Progress& progress, pg::Phase phase = pg::Phase::reading) {
  const Json head = head_of(table.columns);
  LeafRows found{};
  pg::push_latest_snapshot();
  for (auto& leaf : table.leaves) {
    auto state = read_live_state(leaf, head, progress, phase);
    found.rows.push_back(state->rows);
    found.all.rows += state->rows;
    found.all.fingerprint.add(state->fingerprint);
    pg::relation_visited();
  }
  pg::pop_snapshot();
  return found;
}

struct BackupRows {
  std::uint64_t rows = 0;
  Fingerprint fingerprint;
};

BackupRows rows_of_sources(const RestorePlan& plan, const Repartitioned& table) {
  BackupRows sum;
  for (auto index : table.sources) {
    sum.rows += plan.tables[index].backup->row_count;
    sum.fingerprint.add(plan.tables[index].backup->fingerprint);
  }
  return sum;
}

bool equals_backup(const RestorePlan& plan, const Repartitioned& table, const pg::PartitionedTable& made, const LeafRows& live) {
  for (auto& source : made.sources)
    if (!source.mapping.identical) return false;
  auto backup = rows_of_sources(plan, table);
  return live.all.rows == backup.rows && live.all.fingerprint == backup.fingerprint;
}

// Leaves that the backup does not have, and that lost all their rows, are told by themselves; so are the rows they lost.
void tell_emptied(Repartitioned& table, const pg::PartitionedTable& made, const std::vector<std::uint64_t>& before, bool write, RestoredTable& result, std::vector<RestoredTable>& extra) {
  for (std::size_t i = 0; i < table.leaves.size(); ++i) {
    auto& leaf = table.leaves[i];
    if (!table.surplus.count(leaf.oid) || before[i] == 0 || made.leaves[i].inserted > 0 || made.leaves[i].removed != before[i]) continue;
    RestoredTable emptied;
    emptied.schema = leaf.schema;
    emptied.name = leaf.name;
    emptied.action = write ? "emptied" : "empty";
    emptied.deleted = before[i];
    emptied.notes.push_back("this partition is not in the backup");
    emptied.proven = write;
    result.deleted -= before[i];
    extra.push_back(std::move(emptied));
  }
}

void reload(pg::PartitionedTable& made, Repartitioned& table, RestoredTable& result, const LeafRows& before, bool write, pg::Progress& progress) {
  result.action = write ? "reloaded" : "reload";
  result.deleted = before.all.rows;
  for (std::size_t i = 0; i < made.leaves.size(); ++i) made.leaves[i].removed = before.rows[i];
  if (write) {
    for (auto& leaf : made.leaves) pg::empty_table(leaf.relation);
    pg::fault_point("restore.table_emptied");
  }
  progress.phase(pg::Phase::writing, made.relation);
  auto loaded = pg::load_leaves(made, write, progress);
  result.inserted = loaded.rows;
  table.expected = loaded.fingerprint;
  table.expected_rows = loaded.rows;
  if (!write) return;
  table.written = true;
  pg::fault_point("restore.table_loaded");
  for (auto& leaf : table.leaves) {
    progress.phase(pg::Phase::indexing, leaf.oid);
    pg::rebuild_indexes(leaf.oid, leaf.qualified_name());
    pg::relation_visited();
  }
  pg::fault_point("restore.indexes_built");
}

void go_by_difference(pg::PartitionedTable& made, Repartitioned& table, RestoredTable& result, bool write, pg::Progress& progress) {
  pg::Difference found;
  progress.phase(pg::Phase::reading, made.relation);
  pg::find_leaf_difference(made, found, progress);
  pg::fault_point("restore.difference_found");
  result.inserted = found.inserted;
  result.updated = found.updated;
  result.deleted = found.deleted;
  result.unchanged = found.unchanged;
  if (found.differing() == 0) {
    result.action = "unchanged";
    table.proven = write;
    return;
  }
  result.action = "by difference";
  table.expected = found.backup_fingerprint;
  table.expected_rows = found.backup_rows;
  progress.phase(pg::Phase::writing, made.relation);
  pg::apply_leaf_difference(made, found, write, progress);
  if (!write) return;
  table.written = true;
  pg::fault_point("restore.table_loaded");
}

}  // namespace

void replace_repartitioned(RestorePlan& plan, Repartitioned& table, const RestoreRequest& request, Road road, bool write, std::vector<RestoredTable>& extra, pg::Progress& progress) {
  auto& root = plan.tables[table.root];
  note_drift(plan, root);
  auto made = partitioned_table(plan, table, request.allow_loss);
  auto before = read_leaves(table, progress);
  if (road == Road::difference) {
    go_by_difference(made, table, root.result, write, progress);
  } else if (equals_backup(plan, table, made, before)) {
    root.result.action = "unchanged";
    root.result.unchanged = before.all.rows;
    table.proven = write;
  } else {
    reload(made, table, root.result, before, write, progress);
  }
  tell_emptied(table, made, before.rows, write, root.result, extra);
  if (table.proven) root.result.proven = true;
}

void merge_repartitioned(RestorePlan& plan, Repartitioned& table, const RestoreRequest& request, bool write, pg::Progress& progress) {
  auto& root = plan.tables[table.root];
  note_drift(plan, root);
  auto made = partitioned_table(plan, table, request.allow_loss);
  for (auto& leaf : table.leaves) require_key(leaf, made.sources.front().mapping);
  auto before = write ? read_leaves(table, progress) : LeafRows{};
  progress.phase(pg::Phase::writing, made.relation);
  auto applied = pg::apply_to_leaves(made, {request.mode == "upsert", write}, progress);
  pg::fault_point("restore.table_loaded");
  root.result.action = write ? "merged" : "merge";
  root.result.inserted = applied.inserted;
  root.result.updated = applied.updated;
  root.result.unchanged = applied.unchanged;
  table.written = write && applied.inserted + applied.updated > 0;
  table.expected = before.all.fingerprint;
  table.expected.add(applied.added);
  table.expected.subtract(applied.removed);
  table.expected_rows = before.all.rows + applied.inserted;
}

void prove(RestorePlan& plan, Repartitioned& table, pg::Progress& progress) {
  auto& root = plan.tables[table.root];
  if (table.proven) return;
  auto found = read_leaves(table, progress, pg::Phase::proving);
  if (found.all.rows != table.expected_rows || !(found.all.fingerprint == table.expected))
    throw snapback::error(sqlstate::data_corrupted, "table \"" + root.qualified_name() + "\" does not read back as it was restored",
                          std::to_string(table.expected_rows) + " rows were expected in its partitions, " + std::to_string(found.all.rows) + " are there" +
                              (found.all.rows == table.expected_rows ? ", with other contents." : "."),
                          "The restore was rolled back. Look for constraints, domains or generated columns that change values.");
  table.proven = true;
  root.result.proven = true;
  pg::fault_point("restore.table_proven");
}

void check_bound(const RestorePlan& plan, const PlannedTable& table) {
  if (!table.bound_changed) return;
  pg::PartitionedTable made;
  made.relation = table.live->oid;
  made.owner = table.live->owner;
  made.name = table.qualified_name();
  made.kept = table.mapping.kept;
  made.defaulted = table.mapping.defaulted;
  made.leaves.push_back({table.live->oid, table.live->owner, table.mapping.kept, {}});
  made.sources.push_back(source_of(table, table.mapping));
  std::size_t place = static_cast<std::size_t>(&table - plan.tables.data());
  made.open = opener(plan, {place});
  auto count = pg::rows_without_leaf(made);
  if (count == 0) return;
  auto parent = table.live->parent_schema + "." + table.live->parent_name;
  throw snapback::error(sqlstate::check_violation, "partition \"" + table.qualified_name() + "\" no longer takes all of its rows",
                        std::to_string(count) + " of its " + std::to_string(table.backup->row_count) + " rows in the backup are outside of the bound that it has now, " + table.live->partition_bound + ".",
                        "Restore \"" + parent + "\" as a whole: every row goes where it belongs now. Or restore the partition with into_schema.");
}

}  // namespace snapback::service
