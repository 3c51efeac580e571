// The worker that decides what is due in one database. Started by the launcher, and by backup_run_due().
#include "pg/call.hpp"
#include "pg/worker.hpp"
#include "service/schedule.hpp"

_Pragma("GCC visibility push(default)") extern "C" {
  void pg_snapback_decide_main(Datum argument);
}
_Pragma("GCC visibility pop")

void pg_snapback_decide_main(Datum) {
  snapback::pg::boundary([] {
    (void)snapback::pg::begin_worker();
    snapback::service::decide_plans();
  });
}
