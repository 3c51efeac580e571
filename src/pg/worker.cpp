#include "pg/worker.hpp"

#include "pg/call.hpp"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/wait_event.h"
}

namespace snapback::pg {

namespace {

static_assert(sizeof(WorkerTask) <= BGW_EXTRALEN);

LOCKTAG row_tag(Oid relation, std::int64_t key, std::uint8_t method) {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relation, static_cast<Oid>(key), 0);
  tag.locktag_lockmethodid = method;
  return tag;
}

}  // namespace

void describe_worker(BackgroundWorker& worker, const char* function, const char* type, const WorkerTask& task) {
  memset(&worker, 0, sizeof(worker));
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(worker.bgw_library_name, "pg_snapback", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
  strlcpy(worker.bgw_type, type, sizeof(worker.bgw_type));
  snprintf(worker.bgw_name, sizeof(worker.bgw_name), "%s %lld", type, static_cast<long long>(task.argument));
  memcpy(worker.bgw_extra, &task, sizeof(task));
}

bool start_worker(const char* function, const char* type, const WorkerTask& task) {
  BackgroundWorker worker;
  describe_worker(worker, function, type, task);
  return call([&] { return RegisterDynamicBackgroundWorker(&worker, nullptr); });
}

bool run_worker(const char* function, const char* type, const WorkerTask& task) {
  BackgroundWorker worker;
  describe_worker(worker, function, type, task);
  worker.bgw_notify_pid = MyProcPid;
  return call([&] {
    BackgroundWorkerHandle* handle;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) return false;
    if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED) proc_exit(1);
    return true;
  });
}

WorkerTask begin_worker() {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  WorkerTask task;
  memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof(task));
  call([&] {
    BackgroundWorkerInitializeConnectionByOid(task.database, InvalidOid, 0);
    // what a database or the superuser has set for its sessions is not meant for bookkeeping
    for (auto [name, value] : {std::pair{"default_transaction_read_only", "off"}, {"default_transaction_isolation", "read committed"}, {"lock_timeout", "0"}})
      SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
  });
  return task;
}

void in_transaction(const std::function<void()>& body) {
  call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  auto abort = [] {
    call([] {
      HOLD_INTERRUPTS();
      AbortCurrentTransaction();
      RESUME_INTERRUPTS();
    });
  };
  try {
    body();
    call([] {
      PopActiveSnapshot();
      CommitTransactionCommand();
    });
  } catch (...) {
    abort();
    throw;
  }
  call([] { pgstat_report_stat(true); });
}

void wait_for_transaction(TransactionId transaction) {
  if (TransactionIdIsValid(transaction)) call([&] { XactLockTableWait(transaction, nullptr, nullptr, XLTW_None); });
}

// Of the lock method of advisory locks: an abort takes a session's other locks away, and the server itself gives these back when the process ends.
void hold_liveness(Oid relation, std::int64_t key) {
  LOCKTAG tag = row_tag(relation, key, USER_LOCKMETHOD);
  call([&] { (void)LockAcquire(&tag, ExclusiveLock, true, false); });
}

bool lock_lost(Oid relation, std::int64_t key) {
  for (std::uint8_t method : {USER_LOCKMETHOD, DEFAULT_LOCKMETHOD}) {
    LOCKTAG tag = row_tag(relation, key, method);
    if (call([&] { return LockAcquire(&tag, ExclusiveLock, false, true); }) == LOCKACQUIRE_NOT_AVAIL) return false;
  }
  return true;
}

void limit_lock_waits(long milliseconds) {
  std::string timeout = std::to_string(milliseconds);
  call([&] { (void)set_config_option("lock_timeout", timeout.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false); });
}

void lock_until_commit(Oid relation, std::int64_t key) {
  LOCKTAG tag = row_tag(relation, key, DEFAULT_LOCKMETHOD);
  call([&] { (void)LockAcquire(&tag, ExclusiveLock, false, false); });
}

void report_activity(const std::string& text) {
  call([&] { pgstat_report_activity(STATE_RUNNING, text.c_str()); });
}

void nap(long milliseconds) {
  call([&] {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

}  // namespace snapback::pg
