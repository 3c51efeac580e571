// backup_restore.
#include "core/error.hpp"
#include "core/joined.hpp"
#include "pg/call.hpp"
#include "service/record.hpp"
#include "service/restore.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

SNAPBACK_FUNCTION(backup_restore) {
  hold_function(fcinfo);
  service::RestoreRequest request;
  request.backup_id = required_text(fcinfo, 0, "backup_id");
  request.tables = text_list(fcinfo, 1, "tables");
  request.mode = required_text(fcinfo, 2, "mode");
  if (auto schema = text_argument(fcinfo, 3)) {
    request.into_schema = *schema;
    if (schema->empty()) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"into_schema\" must not be empty");
    if (schema->size() >= NAMEDATALEN) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"into_schema\" is too long for the name of a schema");
    if (schema->rfind("pg_", 0) == 0 || *schema == "information_schema" || *schema == "snapback")
      throw snapback::error(sqlstate::invalid_parameter_value, "cannot restore into schema \"" + *schema + "\"", "The schema belongs to the system.");
  }
  request.dry_run = required_bool(fcinfo, 4, "dry_run");
  request.rehearse = required_bool(fcinfo, 5, "rehearse");
  request.safety_backup = required_bool(fcinfo, 6, "safety_backup");
  refuse_argument(bool_argument(fcinfo, 7).value_or(false), "backup_restore", "clean");
  request.from_database = text_argument(fcinfo, 8).value_or("");
  request.allow_loss = required_bool(fcinfo, 9, "allow_loss");
  refuse_argument(bool_argument(fcinfo, 10).value_or(false), "backup_restore", "owner");
  refuse_argument(bool_argument(fcinfo, 11).value_or(false), "backup_restore", "privileges");
  refuse_argument(bool_argument(fcinfo, 12).value_or(false), "backup_restore", "schema_only");
  refuse_argument(bool_argument(fcinfo, 13).value_or(false), "backup_restore", "data_only");
  refuse_argument(!PG_ARGISNULL(14), "backup_restore", "rename");
  service::RestoreOutcome outcome;
  auto restore = [&](service::Record& record) {
    outcome = service::restore_backup(request);
    record.backup_id = outcome.backup_id;
    for (auto& table : outcome.tables) record.rows += table.inserted + table.updated;
  };
  if (request.dry_run || request.rehearse) {
    service::Record unused;
    restore(unused);
  } else {
    service::record_operation("restore", restore);
  }
  std::vector<std::vector<Cell>> rows;
  for (auto& table : outcome.tables) {
    std::string notes = joined(table.notes, "; ");
    rows.push_back({table.schema, table.name, table.action, std::to_string(table.inserted), std::to_string(table.updated), std::to_string(table.deleted),
                    std::to_string(table.unchanged), table.proven ? boolean_cell(*table.proven) : Cell(), notes.empty() ? Cell() : Cell(notes), boolean_cell(outcome.applied),
                    outcome.backup_id, outcome.safety_backup_id.empty() ? Cell() : Cell(outcome.safety_backup_id)});
  }
  return set_result(fcinfo, rows);
}

}  // namespace snapback::sql
