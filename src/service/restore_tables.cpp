#include "service/restore_tables.hpp"

#include "core/error.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/key_lookup.hpp"
#include "pg/snapshot.hpp"
#include "pg/table_apply.hpp"
#include "pg/table_difference.hpp"
#include "pg/table_reload.hpp"
#include "service/compare.hpp"

namespace snapback::service {

namespace {

constexpr char by_difference[] = "by difference";

void expect_backup(PlannedTable& table) {
  table.expected = table.backup->fingerprint;
  table.expected_rows = table.backup->row_count;
}

bool equals_backup(const PlannedTable& table, pg::Progress& progress) {
  if (!table.mapping.identical) return false;
  pg::push_latest_snapshot();
  auto state = read_live_state(*table.live, table.backup->head.json(), progress);
  pg::pop_snapshot();
  return state && state->rows == table.backup->row_count && state->fingerprint == table.backup->fingerprint;
}

std::uint64_t count_rows(const TableDescription& table, pg::Progress& progress) {
  pg::push_latest_snapshot();
  auto state = read_live_state(table, Json{{"columns", Json::array()}}, progress);
  pg::pop_snapshot();
  return state->rows;
}

[[noreturn]] void wrong_row_count(const RestorePlan& plan, const PlannedTable& table, std::uint64_t rows) {
  throw snapback::error(sqlstate::data_corrupted, "backup \"" + plan.source->backup.id + "\" is damaged: table \"" + table.qualified_name() + "\" does not have its rows",
                        std::to_string(table.backup->row_count) + " rows were recorded, " + std::to_string(rows) + " are there.");
}

void load_table(const RestorePlan& plan, PlannedTable& table, bool write, pg::Progress& progress) {
  pg::ServerInterrupts interrupts;
  progress.phase(pg::Phase::writing, table.live->oid);
  auto text = plan.source->reader->table_text(table.entry, interrupts);
  RowParser parser(*text);
  auto loaded = pg::load_rows(table.live->oid, table.qualified_name(), table.mapping, parser, write, progress);
  if (loaded.rows != table.backup->row_count) wrong_row_count(plan, table, loaded.rows);
  expect_backup(table);
  if (!table.mapping.identical) table.expected = loaded.fingerprint;
  table.result.inserted = loaded.rows;
  if (!write) return;
  table.written = true;
  pg::fault_point("restore.table_loaded");
}

void reload(const RestorePlan& plan, PlannedTable& table, pg::Progress& progress) {
  pg::fault_point("restore.table_compared");
  table.result.deleted = count_rows(*table.live, progress);
  table.result.action = "reloaded";
  progress.phase(pg::Phase::writing, table.live->oid);
  pg::empty_table(table.live->oid);
  pg::fault_point("restore.table_emptied");
  load_table(plan, table, true, progress);
  progress.phase(pg::Phase::indexing, table.live->oid);
  pg::rebuild_indexes(table.live->oid, table.qualified_name());
  pg::fault_point("restore.indexes_built");
}

// Both sides are read once and only what differs is written (`write`), or completed and checked as if it were to be.
void go_by_difference(const RestorePlan& plan, PlannedTable& table, bool write, pg::Progress& progress) {
  pg::ServerInterrupts interrupts;
  pg::Difference found;
  auto key = pg::find_table_key(table.live->oid);
  progress.phase(pg::Phase::reading, table.live->oid);
  {
    auto text = plan.source->reader->table_text(table.entry, interrupts);
    RowParser parser(*text);
    pg::find_difference(table.live->oid, table.qualified_name(), table.mapping, key.columns, parser, table.backup->row_count, found, progress);
  }
  if (found.backup_rows != table.backup->row_count) wrong_row_count(plan, table, found.backup_rows);
  pg::fault_point("restore.difference_found");
  table.result.inserted = found.inserted;
  table.result.updated = found.updated;
  table.result.deleted = found.deleted;
  table.result.unchanged = found.unchanged;
  if (found.differing() == 0) {
    table.result.action = "unchanged";
    if (write) table.result.proven = true;
    return;
  }
  table.result.action = by_difference;
  progress.phase(pg::Phase::writing, table.live->oid);
  auto text = plan.source->reader->table_text(table.entry, interrupts);
  RowParser parser(*text);
  pg::apply_difference(table.live->oid, table.qualified_name(), table.mapping, parser, found, write, progress);
  if (!write) return;
  table.expected = found.backup_fingerprint;
  table.expected_rows = found.backup_rows;
  table.written = true;
  pg::fault_point("restore.table_loaded");
}

}  // namespace

void require_key(const TableDescription& live, const pg::ColumnMapping& mapping) {
  Oid index = pg::usable_key_index(live.oid);
  if (!OidIsValid(index))
    throw snapback::error(sqlstate::feature_not_supported, "table \"" + live.qualified_name() + "\" has no primary key that rows can be found by",
                          "Modes missing and upsert compare rows by an immediate primary key.", "Use mode => 'replace', or restore with into_schema and copy the rows you need.");
  for (auto& name : live.primary_key) {
    bool present = false;
    for (auto& column : mapping.columns) present |= column.name == name && OidIsValid(column.type);
    if (!present)
      throw snapback::error(sqlstate::datatype_mismatch, "the backup has no values for column \"" + name + "\" of the primary key of table \"" + live.qualified_name() + "\"", "",
                            "Use mode => 'replace', or restore with into_schema.");
  }
  for (auto& constraint : live.constraints)
    if (constraint.deferrable && (constraint.kind == 'u' || constraint.kind == 'x'))
      throw snapback::error(sqlstate::feature_not_supported, "table \"" + live.qualified_name() + "\" has the deferrable constraint \"" + constraint.name + "\"",
                            "Modes missing and upsert cannot prove it row by row.", "Use mode => 'replace'.");
}

void replace_table(const RestorePlan& plan, PlannedTable& table, Road road, pg::Progress& progress) {
  if (table.result.action == "created") {
    load_table(plan, table, true, progress);
  } else if (road == Road::difference) {
    go_by_difference(plan, table, true, progress);
  } else if (equals_backup(table, progress)) {
    table.result.action = "unchanged";
    table.result.unchanged = table.backup->row_count;
    table.result.proven = true;
  } else {
    reload(plan, table, progress);
  }
}

void preview_replace(const RestorePlan& plan, PlannedTable& table, pg::Progress& progress) {
  if (choose_road(plan, table) == Road::difference) {
    go_by_difference(plan, table, false, progress);
  } else if (equals_backup(table, progress)) {
    table.result.action = "unchanged";
    table.result.unchanged = table.backup->row_count;
  } else {
    table.result.action = "reload";
    table.result.deleted = count_rows(*table.live, progress);
    load_table(plan, table, false, progress);
  }
}

void merge_table(const RestorePlan& plan, PlannedTable& table, bool overwrite, bool write, pg::Progress& progress) {
  require_key(*table.live, table.mapping);
  pg::ServerInterrupts interrupts;
  Json live_head{{"columns", Json::array()}};
  for (auto& column : table.mapping.columns)
    if (OidIsValid(column.type)) live_head["columns"].push_back({{"name", column.name}});
  pg::push_latest_snapshot();
  auto before = write ? read_live_state(*table.live, live_head, progress) : std::nullopt;
  pg::pop_snapshot();
  progress.phase(pg::Phase::writing, table.live->oid);
  auto text = plan.source->reader->table_text(table.entry, interrupts);
  RowParser parser(*text);
  auto applied = pg::apply_rows(table.live->oid, table.qualified_name(), table.mapping, parser, {overwrite, write}, progress);
  pg::fault_point("restore.table_loaded");
  table.result.action = "merged";
  table.result.inserted = applied.inserted;
  table.result.updated = applied.updated;
  table.result.unchanged = applied.unchanged;
  table.written = applied.inserted + applied.updated > 0;
  if (!write) return;
  table.expected = before->fingerprint;
  table.expected.add(applied.added);
  table.expected.subtract(applied.removed);
  table.expected_rows = before->rows + applied.inserted;
}

void empty_surplus(const RestorePlan& plan, std::vector<RestoredTable>& extra, bool write, pg::Progress& progress) {
  for (auto& table : plan.surplus) {
    RestoredTable result;
    result.schema = table.schema;
    result.name = table.name;
    result.deleted = count_rows(table, progress);
    result.action = !result.deleted ? "unchanged" : write ? "emptied" : "empty";
    result.notes.push_back("this partition is not in the backup");
    if (write && result.deleted) pg::empty_table(table.oid);
    result.proven = write && result.deleted ? count_rows(table, progress) == 0 : result.deleted == 0;
    extra.push_back(std::move(result));
  }
}

void prove(PlannedTable& table, pg::Progress& progress) {
  if (table.partitioned || !table.live || table.result.action == "skipped" || table.result.proven) return;
  Json head{{"columns", Json::array()}};
  for (auto& column : table.mapping.columns)
    if (OidIsValid(column.type)) head["columns"].push_back({{"name", column.name}});
  pg::push_latest_snapshot();
  auto state = read_live_state(*table.live, head, progress, pg::Phase::proving);
  pg::pop_snapshot();
  if (!state || state->rows != table.expected_rows || !(state->fingerprint == table.expected))
    throw snapback::error(sqlstate::data_corrupted, "table \"" + table.qualified_name() + "\" does not read back as it was restored",
                          state ? std::to_string(table.expected_rows) + " rows were expected, " + std::to_string(state->rows) + " are there" +
                                      (state->rows == table.expected_rows ? ", with other contents." : ".")
                                : "Its columns changed.",
                          "The restore was rolled back. Look for constraints, domains or generated columns that change values.");
  table.result.proven = true;
  pg::relation_visited();
  pg::fault_point("restore.table_proven");
}

}  // namespace snapback::service
