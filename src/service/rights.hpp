// Who may take rows out of a backup (docs/operations.md, "Roles").
#pragma once

#include <string>
#include <vector>

#include "pg/pg.hpp"
#include "service/repository.hpp"

namespace snapback::service {

// Superusers and roles granted `restore` may take any rows out of any backup of this database.
bool may_restore_everything();

// Superusers and roles granted `operate` may look after what others run and keep.
bool may_operate_everything();

struct RowAccess {
  std::string schema, name;
  Oid recorded = InvalidOid;  // the table's OID when the backup was taken
  Oid live = InvalidOid;      // the live table it is compared with or written to; InvalidOid: none
};

// Raises one 42501 naming every table whose rows the current user may not have: who is neither of the above has to own the very table (same OID, backup of this database).
void check_row_access(const BackupInfo& backup, const std::vector<RowAccess>& tables, const char* action);

// Raises 42501 unless the current user may delete or pin this backup: superusers; roles granted `operate` and who took it, for backups of this database.
void check_keeping_right(const BackupInfo& backup, const char* action);

// Raises unless the backup is this database's own, or `from_database` names its database and the user may restore everything.
void check_origin(const BackupInfo& backup, const std::string& from_database);

}  // namespace snapback::service
