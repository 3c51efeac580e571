#include "service/keeping.hpp"

#include "core/error.hpp"
#include "pg/fault.hpp"
#include "service/pending.hpp"
#include "service/rights.hpp"

namespace snapback::service {

BackupInfo delete_backup(const std::string& id) {
  Repository repository(true);
  repository.location().sweep();
  auto backup = repository.find(id);
  check_keeping_right(backup, "delete");
  pg::fault_point("delete.found");
  if (backup.sidecar.pinned)
    throw snapback::error(sqlstate::object_in_use, "backup \"" + backup.id + "\" is pinned", "", "Unpin it first: SELECT backup_unpin('" + backup.id + "').");
  remove_at_commit(repository.location().path(), backup.id);
  pg::fault_point("delete.registered");
  return backup;
}

BackupInfo pin_backup(const std::string& id, bool pinned) {
  Repository repository(true);
  auto backup = repository.find(id);
  check_keeping_right(backup, pinned ? "pin" : "unpin");
  if (backup.state == "unreadable")
    throw snapback::error(sqlstate::data_corrupted, "backup \"" + backup.id + "\" cannot be read", backup.problem, "A backup that cannot be read is not worth keeping; look at backup_verify().");
  backup.sidecar.pinned = pinned;
  pin_at_commit(repository.location().path(), backup.id, pinned);
  pg::fault_point("pin.registered");
  return backup;
}

}  // namespace snapback::service
