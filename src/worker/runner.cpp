// The worker of one run: found by its name, started for one row of snapback.run, gone when that has its outcome.
#include "pg/call.hpp"
#include "pg/worker.hpp"
#include "service/runs.hpp"

_Pragma("GCC visibility push(default)") extern "C" {
  void pg_snapback_run_main(Datum argument);
}
_Pragma("GCC visibility pop")

void pg_snapback_run_main(Datum) {
  snapback::pg::boundary([] { snapback::service::perform_run(snapback::pg::begin_worker()); });
}
