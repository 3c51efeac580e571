#include "pg/launching.hpp"

#include "pg/call.hpp"
#include "pg/wake_table.hpp"

extern "C" {
#include "access/heapam.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
}

namespace snapback::pg {

namespace {

constexpr int most_listed = 16384;

void detach(int, Datum) { detach_launcher(); }

}  // namespace

void register_launcher() {
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  BackgroundWorker worker;
  memset(&worker, 0, sizeof(worker));
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = 10;
  strlcpy(worker.bgw_library_name, "pg_snapback", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, "pg_snapback_launcher_main", sizeof(worker.bgw_function_name));
  strlcpy(worker.bgw_type, "pg_snapback launcher", sizeof(worker.bgw_type));
  strlcpy(worker.bgw_name, "pg_snapback launcher", sizeof(worker.bgw_name));
  RegisterBackgroundWorker(&worker);
}

void begin_launcher() {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  call([] {
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    attach_launcher();
    before_shmem_exit(detach, 0);
    pgstat_report_appname("pg_snapback launcher");
  });
}

void reload_settings() {
  if (!ConfigReloadPending) return;
  ConfigReloadPending = false;
  call([] { ProcessConfigFile(PGC_SIGHUP); });
}

std::vector<Oid> connectable_databases() {
  std::vector<Oid> databases(most_listed);
  int count = 0;
  in_transaction([&] {
    count = call([&] {
      int found = 0;
      Relation relation = table_open(DatabaseRelationId, AccessShareLock);
      TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
      HeapTuple tuple;
      while (found < most_listed && HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        auto* database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        // a limit of -2 is left by a DROP DATABASE that was interrupted
        if (database->datallowconn && !database->datistemplate && database->datconnlimit != -2) databases[found++] = database->oid;
      }
      table_endscan(scan);
      table_close(relation, AccessShareLock);
      return found;
    });
  });
  databases.resize(count);
  return databases;
}

bool WatchedWorker::ended() const {
  pid_t pid;
  return call([&] {
    if (GetBackgroundWorkerPid(static_cast<BackgroundWorkerHandle*>(handle_), &pid) != BGWH_STOPPED) return false;
    pfree(handle_);
    return true;
  });
}

std::optional<WatchedWorker> start_watched_worker(const char* function, const char* type, const WorkerTask& task) {
  BackgroundWorker worker;
  describe_worker(worker, function, type, task);
  worker.bgw_notify_pid = MyProcPid;
  void* handle = call([&]() -> void* {
    BackgroundWorkerHandle* made = nullptr;
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    bool started = RegisterDynamicBackgroundWorker(&worker, &made);
    MemoryContextSwitchTo(old);
    return started ? made : nullptr;
  });
  if (handle == nullptr) return std::nullopt;
  return WatchedWorker(handle);
}

}  // namespace snapback::pg
