#include "pg/fault.hpp"

#ifdef PG_SNAPBACK_TESTING

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "core/fault.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "executor/spi.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace snapback::pg {

namespace {

void sleep_cancellable(long milliseconds) {
  call([&] {
    TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
    for (;;) {
      long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
      if (left <= 0) break;
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }
  });
}

// As code does that looks for no interrupts; others see it as waiting for an extension.
void sleep_through(long milliseconds) {
  pgstat_report_wait_start(PG_WAIT_EXTENSION);
  for (auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds); std::chrono::steady_clock::now() < until;)
    std::this_thread::sleep_until(until);
  pgstat_report_wait_end();
}

void signal_self(int signal) {
  ::kill(::getpid(), signal);
  call([] { CHECK_FOR_INTERRUPTS(); });
}

void run_sql(const char* statement) {
  Oid user;
  int context;
  GetUserIdAndSecContext(&user, &context);
  SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
  call([&] {
    SPI_connect();
    SPI_execute(statement, false, 0);
    SPI_finish();
    CommandCounterIncrement();
  });
  SetUserIdAndSecContext(user, context);
}

}  // namespace

void fault_point(const char* name) {
  const char* setting = settings.test_fault;
  if (setting == nullptr || *setting == '\0') return;
  std::string text(setting);
  auto equals = text.find('=');
  if (equals == std::string::npos || text.compare(0, equals, name) != 0) return;
  std::string action = text.substr(equals + 1);
  if (action == "error") throw snapback::error(sqlstate::internal_error, std::string("fault at ") + name);
  if (action == "kill") ::kill(::getpid(), SIGKILL);
  if (action == "cancel") signal_self(SIGINT);
  if (action == "terminate") signal_self(SIGTERM);
  if (action.rfind("sleep:", 0) == 0) sleep_cancellable(std::stol(action.substr(6)));
  if (action.rfind("pause:", 0) == 0) sleep_through(std::stol(action.substr(6)));
  if (action.rfind("sql:", 0) == 0) run_sql(action.c_str() + 4);
}

void register_fault_points() { fault_handler = fault_point; }

}  // namespace snapback::pg

#endif
