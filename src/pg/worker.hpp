// Background workers: starting them, what one does first, its transactions, and the locks that tell whether one is alive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "pg/pg.hpp"

struct BackgroundWorker;

namespace snapback::pg {

// What a worker is told; it travels in bgw_extra.
struct WorkerTask {
  Oid database = InvalidOid;
  TransactionId starter = InvalidTransactionId;  // the worker waits for this transaction's end; invalid: it begins at once
  std::int64_t argument = 0;
};

// Registers a worker that calls `function` of this library once; `type` is what pg_stat_activity shows as backend_type. False when no slot is free (max_worker_processes).
// The second form also waits for the worker's end; it can be cancelled.
bool start_worker(const char* function, const char* type, const WorkerTask& task);
bool run_worker(const char* function, const char* type, const WorkerTask& task);

// Fills the server's description of a worker (struct BackgroundWorker, postmaster/bgworker.h).
void describe_worker(BackgroundWorker& worker, const char* function, const char* type, const WorkerTask& task);

// First call in a worker's entry point: signals, connection to the task's database as the bootstrap superuser, without regard to who may log in.
WorkerTask begin_worker();

// A transaction of a worker, with a snapshot. What `body` raises aborts it and is raised again.
void in_transaction(const std::function<void()>& body);

// Waits for the end of another transaction.
void wait_for_transaction(TransactionId transaction);

// A lock held by this process to its end, whatever its transactions do, on row `key` of `relation`: others see that its worker is alive. Waits. Code that calls pg_advisory_unlock_all() gives it
// back, so a transaction that runs the code of others has lock_until_commit() beside it.
void hold_liveness(Oid relation, std::int64_t key);

// Takes both locks until the end of the transaction, without waiting: false while a worker is alive.
bool lock_lost(Oid relation, std::int64_t key);

// From now on and until the end of the transaction a lock that is not had within this time is error 55P03. Bookkeeping gives up before a DROP EXTENSION finds itself in a deadlock with it.
void limit_lock_waits(long milliseconds);

// Held until the end of the transaction; waits.
void lock_until_commit(Oid relation, std::int64_t key);

// Name of what the worker does, in pg_stat_activity.
void report_activity(const std::string& text);

// Waits at most this long for a signal of the process's latch; handles interrupts.
void nap(long milliseconds);

}  // namespace snapback::pg
