// Named points of core's work at which a test build can be made to fail (docs/architecture.md lists them). What happens there is up to
// whoever uses core: nothing, unless it has set a handler.
#pragma once

namespace snapback {

#ifdef PG_SNAPBACK_TESTING
// May throw anything, as Interrupts::check() may.
using FaultHandler = void (*)(const char* point);
inline FaultHandler fault_handler = nullptr;

inline void fault_point(const char* point) {
  if (fault_handler != nullptr) fault_handler(point);
}
#else
inline void fault_point(const char*) {}
#endif

}  // namespace snapback
