// Named points at which a test build can be made to misbehave (pg_snapback.test_fault = '<point>=<action>'; docs/architecture.md lists the points).
// Actions: error (raises XX000), kill (SIGKILL to this process), sleep:<milliseconds> (cancellable), sql:<statement> (run as the superuser that set it).
#pragma once

namespace snapback::pg {

#ifdef PG_SNAPBACK_TESTING
void fault_point(const char* name);
#else
inline void fault_point(const char*) {}
#endif

}  // namespace snapback::pg
