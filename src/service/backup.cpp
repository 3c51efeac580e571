#include "service/backup.hpp"

#include <chrono>
#include <random>

#include "core/background_work.hpp"
#include "core/backup_id.hpp"
#include "core/format/backup_writer.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/fault.hpp"
#include "pg/lock_slots.hpp"
#include "pg/server.hpp"
#include "pg/settings.hpp"
#include "pg/snapshot.hpp"
#include "pg/spi.hpp"
#include "pg/table_scan.hpp"
#include "pg/text_forms.hpp"
#include "service/catalog.hpp"
#include "service/retention.hpp"
#include "service/schema_json.hpp"
#include "service/selection.hpp"
#include "service/verify.hpp"

namespace snapback::service {

namespace {

using Clock = std::chrono::steady_clock;

// What belongs to the tables but is not in the file (docs/format.md). Only kinds that occur.
Json not_captured(const std::vector<Oid>& tables) {
  Json json = Json::object();
  for (auto& row : pg::query(R"(
      SELECT * FROM (
        SELECT 'triggers', pg_catalog.count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = ANY ($1::oid[]) AND NOT tgisinternal
        UNION ALL SELECT 'row security policies', pg_catalog.count(*) FROM pg_catalog.pg_policy WHERE polrelid = ANY ($1::oid[])
        UNION ALL SELECT 'rules', pg_catalog.count(*) FROM pg_catalog.pg_rewrite WHERE ev_class = ANY ($1::oid[]) AND rulename <> '_RETURN'
        UNION ALL SELECT 'privileges', pg_catalog.count(*) FROM pg_catalog.pg_class WHERE oid = ANY ($1::oid[]) AND relacl IS NOT NULL
        UNION ALL SELECT 'comments', pg_catalog.count(*) FROM pg_catalog.pg_description
                   WHERE classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objoid = ANY ($1::oid[])
        UNION ALL SELECT 'extended statistics', pg_catalog.count(*) FROM pg_catalog.pg_statistic_ext WHERE stxrelid = ANY ($1::oid[])
        UNION ALL SELECT 'generated columns (recomputed by a restore)', pg_catalog.count(*) FROM pg_catalog.pg_attribute
                   WHERE attrelid = ANY ($1::oid[]) AND attgenerated <> '' AND NOT attisdropped
        UNION ALL SELECT 'storage settings', pg_catalog.count(*) FROM pg_catalog.pg_class c
                   WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p')
                     AND (c.reloptions IS NOT NULL OR c.reltablespace <> 0 OR c.relreplident <> 'd'
                          OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                                        AND (a.attstorage <> t.typstorage OR a.attcompression <> '')))
        UNION ALL SELECT 'large objects of the database', pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata
        UNION ALL SELECT 'views of the database', pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'snapback') AND c.oid <> ALL ($1::oid[])
                     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
      ) kinds (kind, count) WHERE count > 0)",
                             {oid_array(tables)}))
    json[*row[0]] = std::stoll(*row[1]);
  return json;
}

std::uint32_t random_bits() {
  std::random_device device;
  return device();
}

std::string new_id(Location& location) {
  for (;;) {
    std::string id = make_backup_id(static_cast<std::int64_t>(::time(nullptr)), random_bits());
    if (!location.exists(backup_file_name(id))) return id;
  }
}

void describe_keeping(Json& object, const BackupKeeping& keep, std::int64_t moment) {
  std::optional<std::int64_t> expires;
  if (!keep.plan.empty()) {
    object["plan"] = pg::shown_utf8(keep.plan);
    object["keep"] = retention_to_json(keep.rules, keep.timezone);
    expires = expiry_of(keep.rules, moment);
  } else if (auto seconds = keep.seconds ? keep.seconds : manual_keeping(); seconds && !keep.pin) {
    expires = moment + *seconds * 1000000;
  }
  if (expires) object["expires_at"] = format_utc(*expires);
}

Json backup_object(const Repository& repository, const BackupContents& contents, const std::string& id, std::int64_t moment) {
  const DatabaseIdentity& database = const_cast<Repository&>(repository).database();
  Json object = {{"id", id},
          {"created_at", format_utc(moment)},
          {"database", pg::shown_utf8(database.name)},
          {"database_oid", database.oid},
          {"system_identifier", database.system_identifier},
          {"server_version", pg::server_version()},
          {"encoding", pg::database_encoding()},
          {"extension_version", "1.0.0"},
          {"label", contents.label},
          {"kind", contents.kind},
          {"role", pg::exact_utf8_text(pg::role_name(GetUserId())).value_or("")},  // rights hang on it
          {"all_tables", contents.wide},
          {"uncommitted", contents.uncommitted},
          {"not_captured", not_captured(contents.tables)}};
  describe_keeping(object, contents.keep, moment);
  return object;
}

pg::ScanTarget scan_target(const TableDescription& table) {
  pg::ScanTarget target;
  target.relation = table.oid;
  target.schema = table.schema;
  target.name = table.name;
  for (auto* column : table.stored_columns()) target.columns.push_back(column->number);
  target.key = table.key_numbers();
  target.by_executor = !table.has_storage();
  target.owner = table.owner;
  return target;
}

// A table as the writer of its rows needs it.
struct TableToRead {
  TableHead head;
  pg::ScanTarget target;
  bool has_rows;
};

void write_tables(BackupWriter& writer, std::vector<TableToRead> tables, const EncoderOptions& options, pg::Progress& progress) {
  RowFrameEncoder encoder(writer, options);
  for (auto& table : tables) {
    progress.phase(pg::Phase::reading, table.target.relation);
    writer.begin_table(std::move(table.head));
    if (table.has_rows) {
      pg::scan_table(table.target, encoder, progress);
      pg::fault_point("backup.table_scanned");
      encoder.finish();
    }
    const TableEntry& entry = writer.end_table();
    progress.add(0, entry.logical_bytes);
    pg::relation_visited();
    pg::fault_point("backup.table_read");
  }
}

// Promise 1: what lies on the disk is read from there and its digest compared before the file gets its name.
void prove_file(PartialFile& file, const BackupWriter& writer, const std::string& name) {
  auto stored = file.open_uncached();
  Sha256 digest;
  std::string piece(std::size_t{1} << 20, '\0'), hashed(piece);
  BackgroundWork hashing;  // last: its destructor waits for the thread that uses the others
  if (stored->size() == writer.file_size())
    for (std::uint64_t offset = 0; offset < stored->size(); offset += piece.size()) {
      std::size_t size = std::min<std::uint64_t>(piece.size(), stored->size() - offset);
      stored->read_at(offset, piece.data(), size);
      hashing.wait();
      piece.swap(hashed);
      hashing.start([&digest, &hashed, size] { digest.update(hashed.data(), size); });
      pg::check_interrupts();
    }
  hashing.wait();
  if (digest.finish() != writer.file_sha256())
    throw snapback::error(sqlstate::data_corrupted, "backup file \"" + name + "\" does not read back as it was written",
                          std::to_string(writer.file_size()) + " bytes were written, " + std::to_string(stored->size()) + " are stored.",
                          "The storage returned other bytes than it was given: check the disk. The backup was discarded.");
}

// A call that fails after its backup got its name: nobody may find what its caller was told has failed. Where even this fails, a whole backup stays.
void discard(Location& location, const BackupInfo& info) noexcept {
  try {
    location.remove(sidecar_file_name(info.id));
    location.remove(info.file_name);
  } catch (...) {
  }
}

TableToRead table_to_read(const TableDescription& table) {
  return {table_head(table), scan_target(table), table.kind != RELKIND_PARTITIONED_TABLE};
}

// All that is known of the tables before they are read. Their descriptions themselves, 2 kB and more for each, are not kept.
struct DescribedContents {
  std::vector<TableToRead> tables;
  std::string schema;  // text of the "schema" object
  double rows = 0, bytes = 0;  // estimated
};

DescribedContents describe_contents(const std::vector<Oid>& relations) {
  DescribedContents what;
  SchemaText schema;
  describe_each(relations, true, [&](const TableDescription& table) {
    what.tables.push_back(table_to_read(table));
    schema.add(table);
    what.rows += table.estimated_rows;
    what.bytes += static_cast<double>(table.bytes);
  });
  what.schema = schema.finish();
  return what;
}

std::string warn_about_location() {
  bool inside = false;
  storage_directory(&inside);
  return inside ? "backups lie inside the data directory, where pg_upgrade's clean-up deletes them; set pg_snapback.storage_location" : "";
}

}  // namespace

BackupInfo write_backup(Repository& repository, const BackupContents& contents, pg::Progress& progress) {
  Location& location = repository.location();
  std::int64_t moment = now_microseconds();
  auto what = describe_contents(contents.tables);
  progress.estimate(static_cast<std::uint64_t>(what.rows), static_cast<std::uint64_t>(what.bytes));
  pg::fault_point("backup.described");

  std::string id = new_id(location);
  std::string name = backup_file_name(id);
  pg::ServerInterrupts interrupts;
  EncoderOptions options;
  options.compression_level = pg::settings.compression_level;
  auto file = location.create_partial(name);
  pg::fault_point("backup.file_created");
  BackupWriter writer(*file, options, interrupts);
  writer.begin(backup_object(repository, contents, id, moment), what.schema);
  what.schema = std::string();
  write_tables(writer, std::move(what.tables), options, progress);
  // syncing, reading back and checking take long and do not look at the tables
  pg::unlock_together(contents.unlock, AccessShareLock);
  writer.finish();
  pg::fault_point("backup.file_written");
  progress.phase(pg::Phase::syncing);
  file->sync(interrupts);
  pg::fault_point("backup.file_synced");
  progress.phase(pg::Phase::reading_back);
  prove_file(*file, writer, name);
  pg::fault_point("backup.file_proven");

  BackupInfo info;
  info.id = id;
  info.file_name = name;
  info.is_own = true;
  info.has_sidecar = true;
  Sidecar& sidecar = info.sidecar;
  sidecar.id = id;
  sidecar.sha256 = to_hex(writer.file_sha256());
  sidecar.size = info.stored_bytes = writer.file_size();
  sidecar.backup = writer.manifest().backup;
  sidecar.tables = writer.manifest().tables.size();
  sidecar.rows = writer.manifest().rows();
  sidecar.logical_bytes = writer.manifest().logical_bytes();
  sidecar.pinned = contents.keep.pin;
  sidecar.verified = "files";
  sidecar.verified_at = now_utc();
  if (contents.verify != "files") {
    auto reader = std::make_unique<BackupReader>(file->open_uncached());
    progress.phase(pg::Phase::checking);
    auto problems = check_backup_content(*reader, progress);
    pg::fault_point("backup.content_checked");
    if (!problems.empty())
      throw snapback::error(sqlstate::data_corrupted, "backup \"" + id + "\" failed its content check and was discarded", pg::shown_text(problems[0].message));
    sidecar.verified = "content";
  }
  sidecar.seconds = std::chrono::duration<double>(Clock::now() - contents.started).count();
  if (!file->publish(name))
    throw snapback::error(sqlstate::duplicate_file, "a backup named \"" + id + "\" appeared meanwhile", "", "Take the backup again.");
  try {
    pg::fault_point("backup.published");
    repository.write_sidecar(sidecar);
    pg::fault_point("backup.sidecar_written");
  } catch (...) {
    discard(location, info);
    throw;
  }
  info.state = "good";
  return info;
}

BackupInfo create_backup(const BackupRequest& request) {
  BackupContents contents;
  bool uncommitted = pg::transaction_has_written();
  Repository repository(true);
  repository.location().sweep();
  pg::fault_point("backup.swept");
  pg::Progress progress(pg::Operation::backup, pg::Phase::locking);

  // names may come to mean other relations while the locks are waited for
  auto selection = select_tables(request.tables, request.exclude);
  for (;;) {
    check_readable(selection.checked);
    pg::fault_point("backup.selected");
    pg::lock_together(selection.tables, AccessShareLock);
    contents.unlock.insert(contents.unlock.end(), selection.tables.begin(), selection.tables.end());
    pg::fault_point("backup.locked");
    auto again = select_tables(request.tables, request.exclude);
    bool same = again.tables == selection.tables;
    selection = std::move(again);
    if (same) break;
  }
  check_readable(selection.checked);

  pg::push_read_snapshot(selection.tables);
  refuse_missed_tables(request.tables, request.exclude, selection);
  pg::fault_point("backup.snapshot_taken");
  pg::TextForms forms;
  contents.tables = selection.tables;
  contents.label = request.label;
  contents.kind = request.kind;
  contents.verify = request.verify;
  contents.wide = selection.wide;
  contents.uncommitted = uncommitted;
  contents.keep = request.keep;
  auto info = write_backup(repository, contents, progress);
  forms.close();
  pg::pop_snapshot();
  if (request.verify == "restore") {
    try {
      verify_restore(repository, info, progress);
      pg::fault_point("backup.restore_verified");
      info.sidecar.seconds = std::chrono::duration<double>(Clock::now() - contents.started).count();
      repository.write_sidecar(info.sidecar);
    } catch (...) {
      // what does not restore is no backup: asked for this proof, the call leaves nothing behind
      discard(repository.location(), info);
      throw;
    }
  }
  // an uncommitted one may hold what never was: nothing goes for its sake
  if (!uncommitted)
    if (auto warning = prune_after_backup(repository); !warning.empty()) info.sidecar.backup["warnings"].push_back(pg::shown_utf8(warning));
  if (auto warning = warn_about_location(); !warning.empty()) info.sidecar.backup["warnings"].push_back(pg::shown_utf8(warning));
  if (uncommitted)
    info.sidecar.backup["warnings"].push_back(
        "taken inside a transaction that had already written: it shows those changes whether or not they are committed, and \"latest\" passes over it");
  return info;
}

}  // namespace snapback::service
