// backup_delete, backup_pin, backup_unpin.
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/server.hpp"
#include "service/keeping.hpp"
#include "service/record.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

SNAPBACK_FUNCTION(backup_delete) {
  pg::refuse_read_only("backup_delete", false);
  std::string id = required_text(fcinfo, 0, "backup_id");
  service::BackupInfo info;
  service::record_operation("delete", [&](service::Record& record) {
    info = service::delete_backup(id);
    record = {info.id, 0, info.stored_bytes};
  });
  return composite_result(fcinfo, backup_info_row(info));
}

SNAPBACK_FUNCTION(backup_pin) {
  pg::refuse_read_only("backup_pin", false);
  return composite_result(fcinfo, backup_info_row(service::pin_backup(required_text(fcinfo, 0, "backup_id"), true)));
}

SNAPBACK_FUNCTION(backup_unpin) {
  pg::refuse_read_only("backup_unpin", false);
  return composite_result(fcinfo, backup_info_row(service::pin_backup(required_text(fcinfo, 0, "backup_id"), false)));
}

}  // namespace snapback::sql
