#include "pg/lock_slots.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
#include "access/twophase.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/hsearch.h"
#include "utils/resowner.h"
}

namespace snapback::pg {

namespace {

// Shared memory of one lock of one holder, in the two tables it stands in.
constexpr double lock_bytes = MAXALIGN(sizeof(HASHELEMENT)) + MAXALIGN(sizeof(LOCK));
constexpr double holder_bytes = MAXALIGN(sizeof(HASHELEMENT)) + MAXALIGN(sizeof(PROCLOCK));

double nominal_slots() { return static_cast<double>(max_locks_per_xact) * (MaxBackends + max_prepared_xacts); }

// How many locks there can be in all at best. The server makes half of the nominal number at its start and the rest, and more, from memory that is left over. What was made once goes back
// to a list that nobody can look into, so this is an estimate from above: twice what the server sets aside for growth, or what is free now.
double most_slots() {
  double nominal = nominal_slots();
  double set_aside = 2 * (nominal / 2 * lock_bytes + nominal * holder_bytes);
  {
    RunAs everything(BOOTSTRAP_SUPERUSERID);
    auto rows = query("SELECT sum(size) FROM pg_catalog.pg_get_shmem_allocations() WHERE name IS NULL");
    if (!rows.empty() && rows[0][0]) set_aside = std::max(set_aside, std::stod(*rows[0][0]));
  }
  double beyond = (set_aside - nominal / 2 * lock_bytes) / (lock_bytes + holder_bytes);
  return nominal + std::max(0.0, beyond);
}

double slots_in_use() {
  auto rows = query("SELECT count(*) FROM pg_catalog.pg_lock_status() WHERE NOT fastpath AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid()");
  return std::stod(*rows[0][0]);
}

// Numbers of locks are tried out on objects that are not there: extensions with small OIDs, which nothing locks.
void take_unused_locks(std::size_t count) {
  call([&] {
    for (std::size_t i = 0; i < count; ++i) {
      LOCKTAG tag;
      SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, static_cast<uint32>(i + 1), 1);
      (void)LockAcquire(&tag, AccessShareLock, false, true);
      if (i % 1000 == 0) CHECK_FOR_INTERRUPTS();
    }
  });
}

}  // namespace

void refuse_lock_shortage(std::size_t tables, std::size_t locks, bool before) {
  double needed = static_cast<double>(locks);
  double backends = MaxBackends + max_prepared_xacts;
  auto whole = [](double value) { return std::to_string(static_cast<std::uint64_t>(std::ceil(value))); };
  throw snapback::error(sqlstate::out_of_memory, "not enough lock slots for " + std::to_string(tables) + " tables",
                        whole(needed) + " locks are needed at one time; the server's lock table is made for " + whole(nominal_slots()) + ", those of other sessions included. " +
                            (before ? "Nothing was locked." : "Everything is rolled back."),
                        "Set max_locks_per_transaction to " + whole(std::max(64.0, needed * 1.25 / backends)) + " or more (it is " + std::to_string(max_locks_per_xact) +
                            ") and restart the server, or name fewer tables at a time.");
}

void lock_together(const std::map<Oid, LOCKMODE>& modes, const FurtherLocks& further) {
  if (modes.empty() && further.sure == 0) return;
  const std::size_t locks = modes.size() + further.sure + further.possible, tables = std::max(further.tables, modes.size());
  const double needed = static_cast<double>(locks);
  // looking costs more than a few locks do
  if (needed > nominal_slots() / 2 && needed + slots_in_use() > most_slots()) refuse_lock_shortage(tables, locks);
  auto is_shortage = [](const std::string& state) { return state == sqlstate::out_of_memory; };
  auto lock_all = [&] {
    for (auto& [relation, mode] : modes) call([&, relation = relation, mode = mode] { LockRelationOid(relation, mode); });
    // what they take of shared memory stays with the lock table when they are given back
    if (further.sure > 0) in_subtransaction([&] { take_unused_locks(further.sure); }, [](const std::string&) { return false; }, false);
  };
  if (in_subtransaction(lock_all, is_shortage)) refuse_lock_shortage(tables, locks);
}

void lock_together(const std::vector<Oid>& relations, LOCKMODE mode) {
  std::map<Oid, LOCKMODE> modes;
  for (auto relation : relations) modes[relation] = mode;
  lock_together(modes);
}

void unlock_together(const std::vector<Oid>& relations, LOCKMODE mode) {
  call([&] {
    // the subtransaction in which they were taken left them to the transaction, not to the statement
    ResourceOwner statement = CurrentResourceOwner;
    CurrentResourceOwner = CurTransactionResourceOwner;
    for (Oid relation : relations) UnlockRelationOid(relation, mode);
    CurrentResourceOwner = statement;
  });
}

}  // namespace snapback::pg
