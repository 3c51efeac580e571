// backup_create, backup_before, backup_list, backup_show, backup_verify, backup_compare, backup_download, snapback.progress.
#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "core/plan/length_of_time.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/progress.hpp"
#include "pg/server.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "service/backup.hpp"
#include "service/compare.hpp"
#include "service/plans.hpp"
#include "service/retention.hpp"
#include "service/record.hpp"
#include "service/rights.hpp"
#include "service/runs.hpp"
#include "service/schema_json.hpp"
#include "service/verify.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

namespace {

constexpr std::size_t max_label = 200;
constexpr std::uint64_t download_part = std::uint64_t{16} << 20;

void check_label(const std::string& label, const char* name) {
  if (label.size() > max_label)
    throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" is too long",
                          "It has " + std::to_string(label.size()) + " bytes; at most " + std::to_string(max_label) + " are kept.");
}

std::string verify_level(const std::optional<std::string>& level) {
  std::string value = level.value_or("files");
  if (value != "files" && value != "content" && value != "restore")
    throw snapback::error(sqlstate::invalid_parameter_value, "invalid verification level \"" + printable(value) + "\"", "", "The levels are files, content and restore.");
  return value;
}

void refuse_encryption(const std::optional<bool>& encrypt, const char* function) {
  refuse_argument(encrypt.value_or(pg::settings.encrypt), function, "encrypt");
}

service::BackupKeeping manual_keep(const std::optional<std::string>& keep) {
  service::BackupKeeping result;
  if (!keep) return result;
  result.pin = *keep == "forever";
  result.seconds = parse_length_of_time(*keep);
  if (!result.pin && !result.seconds)
    throw snapback::error(sqlstate::invalid_parameter_value, "invalid keep \"" + printable(*keep) + "\"",
                          "It is a number with second, minute, hour, day, week, month or year, or \"forever\".", "For example '30 days'.");
  return result;
}

// In the worker of a plan's run the backup is the plan's: it goes by the plan's rules.
void adopt_plan(service::BackupRequest& request) {
  if (service::current_run().plan.empty()) return;
  auto plan = service::read_plan(service::current_run().plan);
  if (!plan) return;
  request.kind = "scheduled";
  request.keep.plan = plan->name;
  request.keep.rules = plan->keep;
  request.keep.timezone = plan->timezone;
}

std::string table_note(const std::string& kind) {
  if (kind == "partitioned table") return "its rows are in its partitions";
  if (kind == "view" || kind == "foreign table" || kind == "materialized view") return "rows only; a restore leaves it alone";
  return "";
}

Json problems_to_json(const service::VerifyResult& result) {
  Json list = Json::array();
  for (auto& problem : result.problems) {
    Json json{{"code", problem.code}, {"message", problem.message}};
    if (problem.table_index >= 0 && static_cast<std::size_t>(problem.table_index) < result.table_names.size()) {
      json["table"] = result.table_names[problem.table_index];
      if (problem.last_row >= problem.first_row) {
        json["first_row"] = problem.first_row;
        json["last_row"] = problem.last_row;
      }
    }
    if (problem.frame_index >= 0) json["frame"] = problem.frame_index;
    list.push_back(std::move(json));
  }
  return list;
}

service::BackupInfo recorded_backup(const service::BackupRequest& request) {
  service::BackupInfo info;
  service::record_operation("create", [&](service::Record& record) {
    info = service::create_backup(request);
    record = {info.id, info.sidecar.rows, info.stored_bytes};
  });
  return info;
}

}  // namespace

SNAPBACK_FUNCTION(backup_create) {
  hold_function(fcinfo);
  service::BackupRequest request;
  request.tables = text_list(fcinfo, 0, "tables");
  request.label = pg::utf8_text(text_argument(fcinfo, 1).value_or(""));
  check_label(request.label, "label");
  request.verify = verify_level(text_argument(fcinfo, 2));
  request.exclude = text_list(fcinfo, 3, "exclude").value_or(std::vector<std::string>{});
  refuse_encryption(bool_argument(fcinfo, 4), "backup_create");
  request.keep = manual_keep(text_argument(fcinfo, 5));
  adopt_plan(request);
  if (auto workers = int_argument(fcinfo, 6)) {
    if (*workers < 0) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"workers\" must not be negative");
    refuse_argument(*workers > 1, "backup_create", "workers");
  }
  pg::refuse_read_only("backup_create", true);
  if (request.verify == "restore") pg::refuse_read_only("backup_create", false);
  return composite_result(fcinfo, backup_info_row(recorded_backup(request)));
}

SNAPBACK_FUNCTION(backup_before) {
  hold_function(fcinfo);
  service::BackupRequest request;
  request.kind = "before";
  std::string operation = required_text(fcinfo, 0, "operation");
  if (operation.empty()) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"operation\" must not be empty");
  request.label = pg::utf8_text("before " + operation);
  check_label(request.label, "operation");
  request.tables = text_list(fcinfo, 1, "tables");
  refuse_encryption(bool_argument(fcinfo, 2), "backup_before");
  pg::refuse_read_only("backup_before", true);
  return composite_result(fcinfo, backup_info_row(recorded_backup(request)));
}

SNAPBACK_FUNCTION(backup_list) {
  service::Repository repository(false);
  std::vector<std::vector<Cell>> rows;
  auto backups = repository.list();
  service::set_expiry(backups);
  for (auto& backup : backups) rows.push_back(backup_info_row(backup));
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(backup_show) {
  service::Repository repository(false);
  auto backup = repository.find_or_latest(required_text(fcinfo, 0, "backup_id"));
  auto reader = repository.open(backup);
  std::vector<std::vector<Cell>> rows;
  auto& tables = reader->manifest().tables;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    auto& table = tables[i];
    std::string note = reader->is_lost(i) ? "its rows are no longer all in the file" : table_note(table.head.kind());
    auto [schema, name] = service::name_of(table);
    rows.push_back({table.head.kind().empty() ? "table" : table.head.kind(), schema, name, std::to_string(table.row_count), std::to_string(table.logical_bytes),
                    std::to_string(table.stored_bytes), table.fingerprint.to_hex(), note.empty() ? Cell() : Cell(note)});
  }
  for (auto& sequence : service::BackupSchema(*reader).all_sequences())
    rows.push_back({"sequence", sequence.value("schema", ""), sequence.value("name", ""), Cell(), Cell(), Cell(), Cell(),
                    "at " + std::to_string(sequence.value("last_value", std::int64_t{0})) + ", used by " + sequence.value("table_schema", "") + "." +
                        sequence.value("table_name", "") + "." + sequence.value("column", "")});
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(backup_verify) {
  hold_function(fcinfo);
  std::string id = required_text(fcinfo, 0, "backup_id"), level = required_text(fcinfo, 1, "level");
  service::VerifyResult result;
  service::record_operation("verify", [&](service::Record& record) {
    result = service::verify_backup(id, level);
    record = {result.backup_id, result.rows, 0};
  });
  char seconds[64];
  snprintf(seconds, sizeof(seconds), "%.3f", result.seconds);
  return composite_result(fcinfo, {result.backup_id, boolean_cell(result.ok), result.level, std::to_string(result.tables), std::to_string(result.rows), seconds,
                                   std::to_string(result.problems.size()), pg::shown_text(problems_to_json(result).dump())});
}

SNAPBACK_FUNCTION(backup_compare) {
  hold_function(fcinfo);
  std::vector<std::vector<Cell>> rows;
  for (auto& table : service::compare_backup(required_text(fcinfo, 0, "backup_id"), text_list(fcinfo, 1, "tables")))
    rows.push_back({table.schema, table.name, std::to_string(table.backup_rows), table.live_rows ? Cell(std::to_string(*table.live_rows)) : Cell(), boolean_cell(table.equal)});
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(backup_download) {
  auto part = int_argument(fcinfo, 1);
  if (!part || *part < 1) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"part\" must be 1 or more");
  service::Repository repository(false);
  auto backup = repository.find(required_text(fcinfo, 0, "backup_id"));
  std::vector<service::RowAccess> access;
  if (!service::may_restore_everything()) {
    auto reader = repository.open(backup);
    for (auto& table : reader->manifest().tables) {
      auto [schema, name] = service::name_of(table);
      access.push_back({schema, name, table.head.oid(), service::find_live_table(schema, name)});
      pg::relation_visited();
    }
    service::check_row_access(backup, access, "download");
  }
  auto file = repository.location().open(backup.file_name);
  std::uint64_t offset = static_cast<std::uint64_t>(*part - 1) * download_part;
  if (offset >= file->size()) PG_RETURN_NULL();
  std::size_t size = std::min<std::uint64_t>(download_part, file->size() - offset);
  bytea* result = pg::call([&] { return static_cast<bytea*>(palloc(VARHDRSZ + size)); });
  SET_VARSIZE(result, VARHDRSZ + size);
  file->read_at(offset, VARDATA(result), size);
  return PointerGetDatum(result);
}

SNAPBACK_FUNCTION(progress) {
  std::vector<std::vector<Cell>> rows;
  // our own figures are told from COPY's by the mark in param18 (src/pg/progress.cpp)
  for (auto& row : pg::query(R"(
      SELECT p.pid, (p.param18 >> 4) & 15, p.param18 & 15, n.nspname, c.relname, p.param3, p.param19, p.param20, p.param2
        FROM pg_catalog.pg_stat_get_progress_info('COPY') p
        LEFT JOIN pg_catalog.pg_class c ON c.oid = p.relid AND p.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE p.param18 >> 8 = 1397637456
       ORDER BY p.pid)")) {
    rows.push_back({row[0], pg::operation_name(std::stoi(*row[1])), pg::phase_name(std::stoi(*row[2])), row[3], row[4], row[5], row[6], row[7], row[8]});
  }
  return set_result(fcinfo, rows);
}

}  // namespace snapback::sql
