#include "service/verify.hpp"

#include <algorithm>
#include <chrono>
#include <set>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/fault.hpp"
#include "pg/row_reader.hpp"
#include "pg/server.hpp"
#include "pg/snapshot.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "pg/text_forms.hpp"
#include "pg/type_names.hpp"
#include "pg/values/type_shape.hpp"
#include "service/restore.hpp"
#include "service/rights.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

// Types whose values are names of tables, roles and the like. That such an object is gone, or never was in this database, is no damage to a backup: such values, also inside of others, are only parsed.
bool names_objects(const pg::values::TypeShape& shape) {
  if (shape.element) return names_objects(*shape.element);
  for (auto& field : shape.fields)
    if (names_objects(*field.shape)) return true;
  switch (shape.base) {
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGCLASSOID:
    case REGTYPEOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
    case REGNAMESPACEOID:
    case REGROLEOID:
    case REGCOLLATIONOID:
    case ACLITEMOID:
      return true;
    default:
      return false;
  }
}

// Types this database lacks are only parsed.
std::vector<pg::ColumnTarget> verify_targets(const Json& head) {
  std::vector<pg::ColumnTarget> targets;
  for (auto& column : head.at("columns")) {
    pg::ColumnTarget target;
    target.name = column.at("name").get<std::string>();
    target.form = column;
    target.position = static_cast<int>(targets.size());
    Oid type = InvalidOid;
    int32 typmod = -1;
    if (pg::find_type(type_of(column), type, typmod) && !names_objects(*pg::values::inspect_type(type, typmod, "column \"" + name_of(column) + "\"", false))) {
      target.type = type;
      target.typmod = typmod;
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

void convert_rows(const Json& head, RowParser& parser, pg::Progress& progress) {
  pg::RowReader reader(verify_targets(head), false);
  MemoryContext context = pg::call([] { return AllocSetContextCreate(CurrentMemoryContext, "pg_snapback row", ALLOCSET_DEFAULT_SIZES); });
  MemoryContext old = MemoryContextSwitchTo(context);
  while (reader.check(parser)) pg::check_interrupts();
  MemoryContextSwitchTo(old);
  pg::call([&] { MemoryContextDelete(context); });
  progress.add(parser.row_number(), 0);
}

Json problem_to_sidecar(const std::vector<Problem>& problems) { return problems.empty() ? "" : problems[0].message; }

// The sidecar as it is now: a verification takes long, and the backup may have been pinned meanwhile.
Sidecar current_sidecar(Location& location, const BackupInfo& backup) {
  if (location.exists(sidecar_file_name(backup.id))) {
    try {
      return parse_sidecar(location.read_small(sidecar_file_name(backup.id)));
    } catch (const snapback::error& e) {
      if (e.sqlstate() != std::string(sqlstate::data_corrupted)) throw;
    }
  }
  return backup.sidecar;
}

// A verification counts even where its result cannot be stored, as on a standby with a location of its own.
void store_result(Repository& repository, const BackupInfo& backup, const VerifyResult& result) try {
  Location& location = repository.location();
  auto lock = location.lock(backup.file_name);
  if (!lock) return;  // deleted while it was read
  Sidecar sidecar = current_sidecar(location, backup);
  static const std::vector<std::string> order = {"none", "files", "content", "restore"};
  auto rank = [&](const std::string& level) { return std::find(order.begin(), order.end(), level) - order.begin(); };
  if (result.ok) {
    bool was_damaged = !sidecar.problem.empty();
    if (was_damaged && rank(result.level) < rank("content")) return;  // a cheap check does not clear what a thorough one found
    sidecar.problem.clear();
    if (rank(result.level) >= rank(sidecar.verified) || was_damaged) sidecar.verified = result.level;
    sidecar.verified_at = now_utc();
    if (sidecar.sha256.empty()) return;  // came without its sidecar: nothing to hold it against later, so it stays without
  } else {
    sidecar.id = backup.id;
    sidecar.size = backup.stored_bytes;
    sidecar.verified = "none";
    sidecar.verified_at = now_utc();
    sidecar.problem = problem_to_sidecar(result.problems);
  }
  repository.write_sidecar(sidecar);
} catch (const snapback::error&) {
}

}  // namespace

bool is_refused_value(const std::string& sqlstate) {
  static const std::set<std::string> missing = {"3F000", "42622", "42704", "42883", "42P01"};
  return pg::is_data_error(sqlstate) || missing.count(sqlstate) != 0;
}

std::vector<Problem> check_backup_content(BackupReader& reader, pg::Progress& progress) {
  pg::ServerInterrupts interrupts;
  const Manifest& manifest = reader.manifest();
  return reader.check_content(
      [&](std::size_t index, RowParser& parser, std::vector<Problem>& problems) {
        auto& table = manifest.tables[index];
        auto refused = pg::in_subtransaction([&] { convert_rows(table.head.json(), parser, progress); }, is_refused_value);
        pg::fault_point("verify.table_converted");
        if (!refused) return;
        Problem problem;
        problem.code = refused->sqlstate == sqlstate::data_corrupted ? "row" : "value";
        problem.message = "table \"" + table.schema() + "." + table.name() + "\": " + pg::shown_utf8(refused->message);
        problem.table_index = static_cast<long>(index);
        problem.first_row = problem.last_row = parser.row_number();
        problems.push_back(std::move(problem));
      },
      interrupts);
}

VerifyResult verify_backup(const std::string& id, const std::string& level) {
  if (level != "files" && level != "content" && level != "restore")
    throw snapback::error(sqlstate::invalid_parameter_value, "invalid verification level \"" + printable(level) + "\"", "", "The levels are files, content and restore.");
  auto started = std::chrono::steady_clock::now();
  Repository repository(false);
  auto backup = repository.find_or_latest(id);
  if (level == "restore") pg::refuse_read_only("backup_verify", false);
  if (level == "restore" && !backup.is_own && backup.state != "unreadable") check_origin(backup, "");  // its definitions are code, and nobody has said that it is trusted
  pg::Progress progress(pg::Operation::verify, pg::Phase::checking);
  pg::ServerInterrupts interrupts;
  VerifyResult result;
  result.backup_id = backup.id;
  result.level = level;
  pg::fault_point("verify.started");
  try {
    BackupReader reader(repository.location().open(backup.file_name), interrupts);
    check_identity(backup, reader.manifest());
    result.tables = reader.manifest().tables.size();
    result.rows = reader.manifest().rows();
    progress.estimate(result.rows, reader.file_size());
    pg::fault_point("verify.opened");
    for (auto& table : reader.manifest().tables) result.table_names.push_back(table.schema() + "." + table.name());
    result.problems = reader.check_files(backup.has_sidecar ? backup.sidecar.sha256 : "", interrupts);
    pg::fault_point("verify.files_checked");
    if (result.problems.empty() && level != "files") {
      pg::TextForms forms;
      result.problems = check_backup_content(reader, progress);
      pg::fault_point("verify.content_checked");
      forms.close();
    }
  } catch (const snapback::error& e) {
    if (e.sqlstate() != std::string(sqlstate::data_corrupted)) throw;
    Problem problem;
    problem.code = "unreadable";
    problem.message = e.message() + (e.detail().empty() ? "" : ": " + e.detail());
    result.problems.push_back(std::move(problem));
  }
  result.ok = result.problems.empty();
  if (result.ok && level == "restore") {
    auto failure = pg::in_subtransaction([&] { verify_restore(repository, backup, progress); }, [](const std::string& state) { return pg::is_data_error(state); });
    if (failure) {
      Problem problem;
      problem.code = "restore";
      problem.message = pg::shown_utf8(failure->message);
      result.problems.push_back(std::move(problem));
      result.ok = false;
    }
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  pg::fault_point("verify.done");
  store_result(repository, backup, result);
  pg::fault_point("verify.result_stored");
  return result;
}

}  // namespace snapback::service
