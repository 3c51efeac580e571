#include "service/rights.hpp"

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/server.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

namespace {

// Whether the current user may execute a function of schema "snapback" that exists only to carry a right.
bool holds_right(const char* function) {
  auto rows = pg::query(
      "SELECT pg_catalog.has_function_privilege(p.oid, 'EXECUTE') FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
      "WHERE n.nspname = 'snapback' AND p.proname = $1 AND p.pronargs = 0",
      {function});
  return !rows.empty() && rows[0][0] == "t";
}

bool is_superuser() {
  return pg::call([] { return superuser(); });
}

}  // namespace

bool may_restore_everything() { return is_superuser() || holds_right("may_restore"); }

bool may_operate_everything() { return is_superuser() || holds_right("may_operate"); }

void check_keeping_right(const BackupInfo& backup, const char* action) {
  if (is_superuser()) return;
  if (backup.is_own && (holds_right("may_operate") || backup.taken_by() == pg::role_name(GetUserId()))) return;
  throw snapback::error(sqlstate::insufficient_privilege, std::string("permission denied to ") + action + " backup \"" + backup.id + "\"",
                        backup.is_own ? "It was taken by another role." : "It was not taken by this database.",
                        backup.is_own ? "A superuser can grant the right to all backups of this database: SELECT backup_grant('role', 'operate')." : "Only a superuser may do this.");
}

void check_row_access(const BackupInfo& backup, const std::vector<RowAccess>& tables, const char* action) {
  if (may_restore_everything()) return;
  std::string denied;
  int count = 0;
  for (auto& table : tables) {
    pg::relation_visited();
    bool owner = backup.is_own && OidIsValid(table.live) && table.live == table.recorded && pg::call([&] {
      HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table.live));
      if (!HeapTupleIsValid(tuple)) return false;
      Oid relation_owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
      ReleaseSysCache(tuple);
      return static_cast<bool>(has_privs_of_role(GetUserId(), relation_owner));
    });
    if (owner) continue;
    if (++count <= 20) denied += (denied.empty() ? "" : ", ") + table.schema + "." + table.name;
  }
  if (count == 0) return;
  if (count > 20) denied += " and " + std::to_string(count - 20) + " more";
  throw snapback::error(sqlstate::insufficient_privilege, std::string("permission denied to ") + action + " backup \"" + backup.id + "\"",
                        "The current role neither owns these tables as they were backed up nor was granted the level restore: " + denied + ".",
                        "A superuser can grant it: SELECT backup_grant('role', 'restore').");
}

void check_origin(const BackupInfo& backup, const std::string& from_database) {
  std::string origin = backup.database();
  if (backup.is_own) {
    if (!from_database.empty() && from_database != origin)
      throw snapback::error(sqlstate::invalid_parameter_value, "backup \"" + backup.id + "\" is not from database \"" + printable(from_database) + "\"",
                            "It was taken by database \"" + printable(origin) + "\".");
    return;
  }
  if (from_database.empty())
    throw snapback::error(sqlstate::invalid_parameter_value, "backup \"" + backup.id + "\" was not taken by this database",
                          "It comes from database \"" + printable(origin) + "\" of another server or of this one. A backup is code as well as data: its defaults and checks run when it is restored.",
                          "If you trust it, restore with from_database => '" + printable(origin) + "'.");
  if (from_database != origin)
    throw snapback::error(sqlstate::invalid_parameter_value, "backup \"" + backup.id + "\" is not from database \"" + printable(from_database) + "\"",
                          "It was taken by database \"" + printable(origin) + "\".");
  if (!may_restore_everything())
    throw snapback::error(sqlstate::insufficient_privilege, "permission denied to restore backup \"" + backup.id + "\" of another database", "",
                          "A superuser can grant the level restore: SELECT backup_grant('role', 'restore').");
}

}  // namespace snapback::service
