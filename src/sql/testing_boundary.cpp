// Test builds only: sends every kind of error through live C++ objects and tells what is left of them.
#ifdef PG_SNAPBACK_TESTING

#include <exception>
#include <new>
#include <stdexcept>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

namespace {

int live_objects = 0;

struct Counted {
  std::string payload = std::string(100, 'x');
  Counted() { ++live_objects; }
  ~Counted() { --live_objects; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

// A frame of C between two of C++, as the executor is: calls back and expects no exception out of it.
void call_back(void (*callback)(const char*), const char* argument) { callback(argument); }

void raise_kind(const char* kind);

void callback_boundary(const char* kind) {
  pg::boundary([&] {
    Counted inner;
    raise_kind(kind);
  });
}

void raise_kind(const char* kind) {
  Counted outer;
  std::string what(kind);
  if (what == "ereport")
    pg::call([] { ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("raised by the server"), errdetail("a detail"), errhint("a hint"))); });
  if (what == "spi") pg::query("SELECT 1 / 0");
  if (what == "syntax") pg::query("SELEC");
  if (what == "out of memory") pg::call([] { (void)palloc(MaxAllocSize + 1); });
  if (what == "cancel")
    pg::call([] {
      InterruptPending = true;
      QueryCancelPending = true;
      CHECK_FOR_INTERRUPTS();
    });
  if (what == "error") throw snapback::error(sqlstate::feature_not_supported, "raised by pg_snapback", "a detail", "a hint");
  if (what == "log detail") {
    snapback::error failure(sqlstate::foreign_key_violation, "raised by pg_snapback", "for the caller: secret");
    failure.log_detail("for the log");
    throw failure;
  }
  if (what == "bad_alloc") throw std::bad_alloc();
  if (what == "exception") throw std::runtime_error("raised by a library");
  if (what == "integer") throw 42;
}

// From C++ through a server frame into C++ again: what is raised inside crosses both ways.
void raise_nested(const char* kind) {
  Counted outer;
  pg::call([&] { call_back(callback_boundary, kind); });
}

}  // namespace

SNAPBACK_FUNCTION(boundary_raise) {
  Counted object;
  std::string kind = required_text(fcinfo, 0, "kind");
  if (bool_argument(fcinfo, 1).value_or(false))
    raise_nested(kind.c_str());
  else
    raise_kind(kind.c_str());
  return text_result(fcinfo, "nothing was raised");
}

// Raises and swallows in a subtransaction, `times` times; returns what was swallowed last.
SNAPBACK_FUNCTION(boundary_swallow) {
  std::string kind = required_text(fcinfo, 0, "kind");
  int times = int_argument(fcinfo, 1).value_or(1);
  std::optional<pg::Swallowed> last;
  for (int i = 0; i < times; ++i) {
    Counted object;
    last = pg::in_subtransaction([&] { raise_nested(kind.c_str()); }, [](const std::string&) { return true; });
  }
  return text_result(fcinfo, last ? Cell(last->sqlstate + " " + last->message) : Cell());
}

// {objects alive, captured errors alive, 1 when an exception is still active}
SNAPBACK_FUNCTION(boundary_left) {
  std::string left = std::to_string(live_objects) + " objects, " + std::to_string(pg::live_errors()) + " errors, " +
                     (std::current_exception() ? "an exception is active" : "no exception");
  return text_result(fcinfo, left);
}

}  // namespace snapback::sql

#endif
