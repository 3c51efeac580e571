#include "service/restore.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "pg/lock_slots.hpp"
#include "pg/server.hpp"
#include "pg/snapshot.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "pg/text_forms.hpp"
#include "service/backup.hpp"
#include "service/compare.hpp"
#include "service/create_tables.hpp"
#include "service/damage.hpp"
#include "service/drift.hpp"
#include "service/foreign_key_preview.hpp"
#include "service/foreign_keys.hpp"
#include "service/pending.hpp"
#include "service/restore_partitions.hpp"
#include "service/restore_plan.hpp"
#include "service/restore_roads.hpp"
#include "service/restore_tables.hpp"
#include "service/rights.hpp"
#include "service/schema_json.hpp"
#include "service/selection.hpp"
#include "service/sequences.hpp"
#include "service/verify.hpp"

namespace snapback::service {

namespace {

void check_mode(const std::string& mode) {
  if (mode != "replace" && mode != "missing" && mode != "upsert")
    throw snapback::error(sqlstate::invalid_parameter_value, "invalid restore mode \"" + printable(mode) + "\"", "", "The modes are replace, missing and upsert.");
}

struct Locks {
  LOCKMODE tables;               // where `roads` has nothing to say
  std::map<Oid, Road> roads;     // mode replace
  LOCKMODE of(Oid table) const {
    auto road = roads.find(table);
    return road != roads.end() && road->second == Road::difference ? ShareRowExclusiveLock : tables;
  }
};

// Locks on indexes of tables, and on their TOAST tables with the indexes of those.
std::size_t locks_below(const std::vector<Oid>& tables) {
  if (tables.empty()) return 0;
  auto rows = pg::query("SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i WHERE i.indrelid = ANY ($1::oid[])) "
                        "+ 2 * (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[]) AND c.reltoastrelid <> 0)",
                        {oid_array(tables)});
  return std::stoul(*rows[0][0]);
}

// Locks of catalogs and of what is made once (types, a schema).
constexpr std::size_t locks_to_begin_making = 60;

// Locks on a table that is made and its row type, on its TOAST table with its index, on its own indexes, sequences and keys.
std::size_t locks_to_make(const RestorePlan& plan, const PlannedTable& table) {
  const Json definition = plan.definition_of(table);
  if (!definition.is_object()) return 0;
  std::size_t count = table.partitioned ? 2 : 4;
  count += definition.value("indexes", Json::array()).size() + definition.value("foreign_keys", Json::array()).size() + plan.source->schema.sequences(*table.backup).size();
  for (auto& constraint : definition.value("constraints", Json::array())) count += string_of(constraint, "kind") != "check" ? 2 : 0;
  return count;
}

// Locks that come with what is made anew.
std::size_t locks_to_make(const RestorePlan& plan) {
  std::size_t count = 0;
  for (auto& table : plan.tables)
    if (!table.live && table.result.action.empty()) count += locks_to_make(plan, table);
  return count > 0 ? count + locks_to_begin_making : 0;
}

// Locks that may come with the writing into live tables: on the indexes and TOAST tables of those that are `written`.
std::size_t locks_to_write(const RestorePlan& plan, const std::function<bool(Oid)>& written) {
  std::vector<Oid> tables;
  for (auto& table : plan.tables)
    if (table.live && written(table.live->oid)) tables.push_back(table.live->oid);
  for (auto& table : plan.repartitioned)
    for (auto& leaf : table.leaves)
      if (written(leaf.oid)) tables.push_back(leaf.oid);
  return locks_below(tables);
}

// All locks in one pass in OID order, none raised later; then the plan is made again to see that the names still mean what was locked.
RestorePlan lock_and_plan(const std::shared_ptr<RestoreSource>& source, const RestoreRequest& request, const Locks& locks, std::vector<ForeignKeyDescription>& keys) {
  auto plan = make_plan(source, request);
  pg::fault_point("restore.planned");
  for (int attempt = 0;; ++attempt) {
    auto live = plan.live_tables();
    keys = keys_touching(live);
    std::map<Oid, LOCKMODE> modes;
    for (auto oid : live) modes[oid] = locks.of(oid);
    for (auto& table : plan.tables)
      if (table.live && table.partitioned && locks.tables == AccessExclusiveLock) modes[table.live->oid] = ShareRowExclusiveLock;
    for (auto oid : far_ends(keys, live)) modes[oid] = locks.tables == AccessShareLock ? AccessShareLock : ShareRowExclusiveLock;
    auto reloaded = [&](Oid table) { return modes.at(table) == AccessExclusiveLock; };
    if (locks.tables == AccessShareLock)
      pg::lock_together(modes);
    else
      pg::lock_together(modes, {locks_to_make(plan), locks_to_write(plan, reloaded), plan.tables.size()});
    pg::fault_point("restore.locked");
    auto targets = targets_of(plan);
    plan = RestorePlan();  // every table is described in it: one is in memory at a time
    plan = make_plan(source, request);
    if (targets_of(plan) == targets && keys_touching(plan.live_tables()).size() == keys.size()) return plan;
    if (attempt == 10)
      throw snapback::error(sqlstate::object_in_use, "the tables to restore keep changing", "Tables were renamed, dropped or recreated while their locks were waited for.", "Try again when no migration runs.");
  }
}

std::string take_safety_backup(Repository& repository, const RestorePlan& plan, bool uncommitted, pg::Progress& progress) {
  BackupContents contents;
  contents.tables = plan.live_tables();
  if (contents.tables.empty()) return "";
  contents.kind = "safety";
  contents.label = "before restoring " + plan.source->backup.id;
  contents.uncommitted = uncommitted;
  auto info = write_backup(repository, contents, progress);
  remove_at_abort(repository.location().path(), info.id);
  pg::fault_point("restore.safety_registered");
  return info.id;
}

void analyze(const std::string& schema, const std::string& name) {
  // statistics are worth having at once, and cost one sample
  // (as superuser, for who restores need not own the table; ANALYZE itself changes to the owner before it runs the owner's expressions)
  pg::RunAs everything(BOOTSTRAP_SUPERUSERID);
  pg::execute("ANALYZE " + pg::qualified(schema, name));
  pg::relation_visited();
}

// What was reloaded under its lock may be reloaded; leaves that the first look did not know are locked like the others.
Road road_of(const Repartitioned& table, const std::map<Oid, Road>& roads) {
  for (auto& leaf : table.leaves) {
    auto road = roads.find(leaf.oid);
    if (road != roads.end() && road->second == Road::difference) return Road::difference;
  }
  return Road::reload;
}

void analyze_everything(const RestorePlan& plan) {
  for (auto& table : plan.tables)
    if (table.written && !table.partitioned && table.result.action != "skipped") analyze(table.schema, table.name);
  for (auto& table : plan.repartitioned)
    if (table.written)
      for (auto& leaf : table.leaves) analyze(leaf.schema, leaf.name);
}

void write_everything(RestorePlan& plan, const RestoreRequest& request, const std::map<Oid, Road>& roads, std::vector<ForeignKeyDescription>& keys, std::vector<RestoredTable>& extra, pg::Progress& progress) {
  progress.estimate(plan.source->reader->manifest().rows(), plan.source->reader->manifest().logical_bytes());
  create_missing_tables(plan, request.into_schema);
  pg::fault_point("restore.tables_created");
  for (std::size_t i = 0; i < plan.tables.size(); ++i) {
    auto& table = plan.tables[i];
    if (!table.live || table.result.action == "skipped") continue;
    if (auto* repartitioned = repartitioned_at(plan, i)) {
      if (request.mode == "replace")
        replace_repartitioned(plan, *repartitioned, request, road_of(*repartitioned, roads), true, extra, progress);
      else
        merge_repartitioned(plan, *repartitioned, request, true, progress);
      continue;
    }
    if (table.partitioned) {
      if (table.result.action.empty()) table.result.action = "through partitions";
      continue;
    }
    if (table.result.action != "created") note_drift(plan, table);
    table.mapping = map_columns(plan, table, *table.live, request.allow_loss);
    check_bound(plan, table);
    if (request.mode == "replace" || table.result.action == "created")
      replace_table(plan, table, roads.count(table.live->oid) ? roads.at(table.live->oid) : Road::reload, progress);
    else
      merge_table(plan, table, request.mode == "upsert", true, progress);
    if (table.result.proven) table.mapping = {};
    pg::relation_visited();
  }
  empty_surplus(plan, extra, true, progress);
  pg::fault_point("restore.surplus_emptied");
  progress.phase(pg::Phase::indexing);
  create_constraints(plan);
  pg::fault_point("restore.constraints_created");
  create_foreign_keys(plan, request.into_schema);
  pg::fault_point("restore.foreign_keys_created");
  progress.phase(pg::Phase::foreign_keys);
  check_foreign_keys(keys);
  pg::fault_point("restore.foreign_keys_checked");
  analyze_everything(plan);
  pg::fault_point("restore.analyzed");
  progress.show();
  advance_sequences(plan);
  pg::fault_point("restore.sequences_advanced");
  pg::fault_point("restore.before_proof");
  for (auto& table : plan.tables) prove(table, progress);
  for (auto& table : plan.repartitioned) prove(plan, table, progress);
}

// Reads and converts every row as the restore would, writes nothing.
void preview_table(RestorePlan& plan, const RestoreRequest& request, PlannedTable& table, std::vector<RestoredTable>& extra, pg::Progress& progress) {
  if (table.result.action == "skipped" || table.result.action == through_root) return;
  if (auto* repartitioned = repartitioned_at(plan, static_cast<std::size_t>(&table - plan.tables.data()))) {
    if (request.mode == "replace")
      replace_repartitioned(plan, *repartitioned, request, choose_road(plan, *repartitioned), false, extra, progress);
    else
      merge_repartitioned(plan, *repartitioned, request, false, progress);
    return;
  }
  if (!table.live) {
    plan.source->schema.check_encoding(*table.backup);
    table.result.action = "create";
    table.result.inserted = table.backup->row_count;
    return;
  }
  if (table.partitioned) {
    table.result.action = "through partitions";
    return;
  }
  note_drift(plan, table);
  table.mapping = map_columns(plan, table, *table.live, request.allow_loss);
  check_bound(plan, table);
  if (request.mode != "replace") {
    merge_table(plan, table, request.mode == "upsert", false, progress);
    table.result.action = "merge";
    return;
  }
  preview_replace(plan, table, progress);
}

// The books of migration tools are left alone, but they tell that the schema has moved on.
void note_migrations(RestorePlan& plan, pg::Progress& progress) {
  for (auto& table : plan.tables) {
    if (table.result.action != "skipped" || table.partitioned) continue;
    Oid live = find_live_table(table.schema, table.name);
    if (!OidIsValid(live)) continue;
    pg::lock_relations({live}, AccessShareLock);
    auto described = describe_tables({live}, false);
    if (described.empty() || !described[0].has_storage()) continue;
    pg::push_latest_snapshot();
    auto state = read_live_state(described[0], table.backup->head.json(), progress);
    pg::pop_snapshot();
    if (!state || state->rows != table.backup->row_count || !(state->fingerprint == table.backup->fingerprint))
      table.result.notes.push_back("it is not as in the backup (" + std::to_string(table.backup->row_count) + " rows then, " + (state ? std::to_string(state->rows) : "unknown") +
                                   " now): the schema may have been migrated since");
  }
}

// What the data of one table stands against is said with the others' results instead of hiding them: the restore would raise it.
void preview_or_refuse(RestorePlan& plan, const RestoreRequest& request, PlannedTable& table, std::vector<RestoredTable>& extra, pg::Progress& progress) {
  auto about_data = [](const std::string& state) { return state != sqlstate::data_corrupted && is_refused_value(state); };
  auto refusal = pg::in_subtransaction([&] { preview_table(plan, request, table, extra, progress); }, about_data);
  if (!refusal) return;
  table.result.action = "refused";
  table.result.inserted = table.result.updated = table.result.deleted = table.result.unchanged = 0;
  table.result.notes.push_back("the restore would fail with " + refusal->sqlstate + ": " + refusal->message + (refusal->detail.empty() ? "" : " (" + refusal->detail + ")"));
}

RestoreOutcome outcome_of(const RestorePlan& plan, std::vector<RestoredTable> extra, bool applied, const std::string& safety) {
  RestoreOutcome outcome;
  for (auto& table : plan.tables) outcome.tables.push_back(table.result);
  for (auto& table : extra) outcome.tables.push_back(std::move(table));
  outcome.applied = applied;
  outcome.backup_id = plan.source->backup.id;
  outcome.safety_backup_id = safety;
  return outcome;
}

RestoreOutcome preview(Repository& repository, const RestoreRequest& request, const BackupInfo& backup, pg::Progress& progress) {
  pg::CallerForms planning;  // definitions of live tables are to have the backup's forms, names are looked up in the caller's path
  std::vector<ForeignKeyDescription> keys;
  auto plan = lock_and_plan(std::make_shared<RestoreSource>(repository, backup), request, {AccessShareLock, {}}, keys);
  planning.close();
  pg::TextForms forms;
  std::vector<RestoredTable> extra;
  for (auto& table : plan.tables) {
    preview_or_refuse(plan, request, table, extra, progress);
    table.mapping = {};
    pg::relation_visited();
  }
  if (request.mode == "replace") preview_foreign_keys(plan, keys, progress);
  note_migrations(plan, progress);
  empty_surplus(plan, extra, false, progress);
  forms.close();
  return outcome_of(plan, std::move(extra), false, "");
}

RestoreOutcome perform(Repository& repository, const RestoreRequest& request, const BackupInfo& backup, bool uncommitted, bool keep, pg::Progress& progress) {
  pg::CallerForms planning;
  std::vector<ForeignKeyDescription> keys;
  Locks locks{request.mode == "replace" ? AccessExclusiveLock : ShareRowExclusiveLock, {}};
  auto source = std::make_shared<RestoreSource>(repository, backup);
  if (request.mode == "replace") locks.roads = choose_roads(source, request, progress);
  pg::fault_point("restore.roads_chosen");
  progress.phase(pg::Phase::locking);
  auto plan = lock_and_plan(source, request, locks, keys);
  planning.close();
  pg::TextForms forms;
  std::string safety;
  if (request.safety_backup && keep) {
    pg::push_latest_snapshot();
    safety = take_safety_backup(repository, plan, uncommitted, progress);
    pg::pop_snapshot();
    pg::fault_point("restore.safety_taken");
  }
  std::vector<RestoredTable> extra;
  const std::size_t tables = plan.tables.size(), most_locks = plan.live_tables().size() + locks_to_make(plan) + locks_to_write(plan, [](Oid) { return true; });
  try {
    write_everything(plan, request, locks.roads, keys, extra, progress);
  } catch (pg::error& e) {
    // locks on indexes of live tables are not tried out beforehand: most tables may turn out to be unchanged
    if (e.sqlstate() == sqlstate::out_of_memory && e.is_lock_shortage()) pg::refuse_lock_shortage(tables, most_locks, false);
    throw;
  }
  forms.close();
  pg::fault_point("restore.proven");
  return outcome_of(plan, std::move(extra), keep, safety);
}

}  // namespace

RestoreOutcome restore_backup(const RestoreRequest& request) {
  check_mode(request.mode);
  bool writes = !request.dry_run || request.rehearse;
  if (writes) pg::refuse_read_only("backup_restore", false);
  bool uncommitted = pg::transaction_has_written();
  Repository repository(writes && request.safety_backup && !request.rehearse);
  auto backup = choose_backup(repository, request.backup_id, request.tables);
  if (backup.state == "unreadable") backup = repository.read_unreadable(backup);
  check_origin(backup, request.from_database);
  pg::Progress progress(pg::Operation::restore, pg::Phase::locking);
  RestoreOutcome outcome;
  try {
    if (!writes)
      outcome = preview(repository, request, backup, progress);
    else if (!request.rehearse && !request.dry_run)
      outcome = perform(repository, request, backup, uncommitted, true, progress);
    else
      pg::in_subtransaction([&] { outcome = perform(repository, request, backup, uncommitted, false, progress); }, [](const std::string&) { return false; }, false);
  } catch (const snapback::error& e) {
    throw explain_damage(repository, backup, e);
  } catch (const Json::exception&) {
    throw snapback::error(sqlstate::data_corrupted, "backup \"" + backup.id + "\" is damaged", "A member of its descriptions of tables is missing or of another kind than the format has.");
  }
  if (backup.state == "damaged")
    for (auto& table : outcome.tables) table.notes.push_back("the backup is damaged elsewhere: " + backup.problem);
  return outcome;
}

void verify_restore(Repository& repository, BackupInfo& info, pg::Progress& progress) {
  RestoreRequest request;
  request.backup_id = info.id;
  request.into_schema = "snapback_verify_" + info.id.substr(info.id.size() - 8);
  request.safety_backup = false;
  request.from_database = info.database();
  pg::in_subtransaction([&] { perform(repository, request, info, false, false, progress); }, [](const std::string&) { return false; }, false);
  info.sidecar.verified = "restore";
  info.sidecar.verified_at = now_utc();
}

}  // namespace snapback::service
