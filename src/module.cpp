// Loading of the shared library: registration only, no work.
#include "pg/fault.hpp"
#include "pg/launching.hpp"
#include "pg/pg.hpp"
#include "pg/settings.hpp"
#include "pg/wake_table.hpp"
#include "service/pending.hpp"
#include "service/record.hpp"
#include "service/runs.hpp"

_Pragma("GCC visibility push(default)") extern "C" {
#ifdef PG_MODULE_MAGIC_EXT
  PG_MODULE_MAGIC_EXT(.name = "pg_snapback", .version = "1.0.0");
#else
  PG_MODULE_MAGIC;
#endif
  void _PG_init(void);
}
_Pragma("GCC visibility pop")

void _PG_init(void) {
  snapback::pg::define_settings();
  snapback::pg::register_fault_points();
  snapback::service::register_transaction_callbacks();
  snapback::service::register_run_callbacks();
  snapback::service::register_record_callbacks();
  snapback::pg::request_wake_table();
  snapback::pg::register_launcher();
}
