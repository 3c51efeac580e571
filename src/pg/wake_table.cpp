#include "pg/wake_table.hpp"

#include "pg/call.hpp"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
}

namespace snapback::pg {

namespace {

constexpr int most_databases = 4096;
constexpr int64 at_once = 0;

struct Entry {
  Oid database;
  int64 moment;
};

struct WakeTable {
  LWLock* lock;
  Latch* launcher;
  int count;
  Entry entries[most_databases];
};

WakeTable* table = nullptr;
shmem_request_hook_type previous_request = nullptr;
shmem_startup_hook_type previous_startup = nullptr;
bool wake_on_commit = false;

void request() {
  if (previous_request) previous_request();
  RequestAddinShmemSpace(MAXALIGN(sizeof(WakeTable)));
  RequestNamedLWLockTranche("pg_snapback", 1);
}

void startup() {
  if (previous_startup) previous_startup();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found;
  table = static_cast<WakeTable*>(ShmemInitStruct("pg_snapback wake table", sizeof(WakeTable), &found));
  if (!found) {
    memset(table, 0, sizeof(*table));
    table->lock = &GetNamedLWLockTranche("pg_snapback")->lock;
  }
  LWLockRelease(AddinShmemInitLock);
}

Entry* find_unsafe(Oid database) {
  for (int i = 0; i < table->count; ++i)
    if (table->entries[i].database == database) return &table->entries[i];
  return nullptr;
}

bool set_unsafe(Oid database, bool ever, int64 moment, bool settle) {
  LWLockAcquire(table->lock, LW_EXCLUSIVE);
  Entry* entry = find_unsafe(database);
  bool fits = true;
  if (settle && entry != nullptr && entry->moment == at_once) {
    // looked at again
  } else if (!ever) {
    if (entry != nullptr) *entry = table->entries[--table->count];
  } else if (entry != nullptr) {
    entry->moment = moment;
  } else if (table->count < most_databases) {
    table->entries[table->count++] = {database, moment};
  } else {
    fits = false;
  }
  if (table->launcher != nullptr) SetLatch(table->launcher);
  LWLockRelease(table->lock);
  return fits;
}

void transaction_ended(XactEvent event, void*) {
  if (!wake_on_commit) return;
  // a lock and a few stores: nothing here can fail
  if (event == XACT_EVENT_COMMIT) (void)set_unsafe(MyDatabaseId, true, at_once, false);
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) wake_on_commit = false;
}

}  // namespace

void request_wake_table() {
  RegisterXactCallback(transaction_ended, nullptr);
  if (!process_shared_preload_libraries_in_progress) return;
  previous_request = shmem_request_hook;
  shmem_request_hook = request;
  previous_startup = shmem_startup_hook;
  shmem_startup_hook = startup;
}

bool have_wake_table() { return table != nullptr; }

bool set_wake(Oid database, std::optional<std::int64_t> moment) {
  if (table == nullptr) return true;
  return call([&] { return set_unsafe(database, moment.has_value(), moment.value_or(at_once), false); });
}

bool settle_wake(Oid database, std::optional<std::int64_t> moment) {
  if (table == nullptr) return true;
  return call([&] { return set_unsafe(database, moment.has_value(), moment.value_or(at_once), true); });
}

void wake_at_commit() { wake_on_commit = table != nullptr; }

std::vector<Wake> read_wakes() {
  std::vector<Wake> wakes;
  if (table == nullptr) return wakes;
  wakes.reserve(most_databases);
  call([&] {
    LWLockAcquire(table->lock, LW_SHARED);
    // within what is reserved: no memory is asked for under the lock
    for (int i = 0; i < table->count; ++i) wakes.push_back({table->entries[i].database, table->entries[i].moment});
    LWLockRelease(table->lock);
  });
  return wakes;
}

void attach_launcher() {
  call([] {
    LWLockAcquire(table->lock, LW_EXCLUSIVE);
    table->launcher = MyLatch;
    LWLockRelease(table->lock);
  });
}

void detach_launcher() {
  LWLockAcquire(table->lock, LW_EXCLUSIVE);
  table->launcher = nullptr;
  LWLockRelease(table->lock);
}

}  // namespace snapback::pg
