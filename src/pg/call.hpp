// The two crossings between C++ and the server: about 3 ns a call, 2 us an error.
//
//   PG executor -> extern "C" entry -- boundary() --> C++ -- call() --> PG functions
//                                          ^                   |
//                                          +---- pg::error ----+
#pragma once

#include <csetjmp>
#include <new>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "core/interrupts.hpp"
#include "pg/error.hpp"
#include "pg/pg.hpp"

namespace snapback::pg {

namespace detail {

// The server state that a longjmp leaves for us to restore. Its destructor is plain stores.
class ServerState {
 public:
  ServerState() noexcept
      : exceptions_(PG_exception_stack), callbacks_(error_context_stack), context_(CurrentMemoryContext) {}
  ~ServerState() { PG_exception_stack = exceptions_; }
  ServerState(const ServerState&) = delete;
  ServerState& operator=(const ServerState&) = delete;
  void restore() noexcept {
    PG_exception_stack = exceptions_;
    error_context_stack = callbacks_;
    MemoryContextSwitchTo(context_);
  }

 private:
  sigjmp_buf* exceptions_;
  ErrorContextCallback* callbacks_;
  MemoryContext context_;
};

[[noreturn]] void throw_captured();

}  // namespace detail

// Runs `body`, which may raise PostgreSQL errors; they arrive as pg::error. The body may hold only trivially destructible locals
// (a longjmp skips destructors); objects it fills live outside. It may let C++ exceptions out, but never through a frame of PostgreSQL's.
template <class Body>
[[gnu::noinline]] auto call(Body&& body) -> std::invoke_result_t<Body&> {
  using Result = std::invoke_result_t<Body&>;
  static_assert(std::is_void_v<Result> || std::is_trivially_destructible_v<Result>,
                "the result of a guarded call must be trivially destructible");
  detail::ServerState state;
  sigjmp_buf jump;
  if (sigsetjmp(jump, 0) == 0) {
    PG_exception_stack = &jump;
    try {
      return body();
    } catch (...) {
      state.restore();
      throw;
    }
  }
  state.restore();
  detail::throw_captured();
}

// A cancel or shutdown that is pending arrives here as pg::error 57014 or ends the process.
inline void check_interrupts() {
  if (INTERRUPTS_PENDING_CONDITION()) call([] { CHECK_FOR_INTERRUPTS(); });
}

class ServerInterrupts final : public Interrupts {
 public:
  void check() override { check_interrupts(); }
};

namespace detail {

// What is left of a C++ exception once its handler is closed. Trivially destructible.
struct Failure {
  ErrorData* data = nullptr;
  int code = 0;
  char message[512];
  char detail[2048];
  char hint[512];
  char log_detail[512];
};

// Called inside a catch handler: fills `failure` from the exception in flight.
void describe_current_exception(Failure& failure, MemoryContext entry_context) noexcept;
[[noreturn]] void raise(const Failure& failure);

}  // namespace detail

// Wraps the body of every entry from PostgreSQL into C++ (SQL functions, callbacks, worker mains). C++ objects are all gone
// before the error is raised again, so nothing leaks and no exception stays active.
template <class Body>
auto boundary(Body&& body) -> std::invoke_result_t<Body&> {
  sigjmp_buf* const exceptions = PG_exception_stack;
  ErrorContextCallback* const callbacks = error_context_stack;
  const MemoryContext context = CurrentMemoryContext;
  detail::Failure failure;
  try {
    return body();
  } catch (...) {
    detail::describe_current_exception(failure, context);
  }
  PG_exception_stack = exceptions;
  error_context_stack = callbacks;
  MemoryContextSwitchTo(context);
  detail::raise(failure);
}

}  // namespace snapback::pg

// Defines the entry of one SQL function: SNAPBACK_FUNCTION(backup_list) { return ...; } with `fcinfo` at hand. The body runs inside a boundary.
#define SNAPBACK_FUNCTION(name)                                                            \
  _Pragma("GCC visibility push(default)") extern "C" {                                     \
    PG_FUNCTION_INFO_V1(snapback_##name);                                                  \
    Datum snapback_##name(PG_FUNCTION_ARGS);                                               \
  }                                                                                        \
  _Pragma("GCC visibility pop") static Datum name##_body(FunctionCallInfo fcinfo);         \
  Datum snapback_##name(PG_FUNCTION_ARGS) {                                                \
    return ::snapback::pg::boundary([&]() -> Datum { return name##_body(fcinfo); });       \
  }                                                                                        \
  static Datum name##_body(FunctionCallInfo fcinfo)
