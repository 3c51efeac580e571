// Named points at which a test build can be made to misbehave (pg_snapback.test_fault = '<point>=<action>'; docs/architecture.md lists the points).
// Actions: error (raises XX000), kill (SIGKILL to this process), cancel and terminate (as pg_cancel_backend and pg_terminate_backend do it; a point where
// interrupts are held goes on), sleep:<milliseconds> (cancellable), pause:<milliseconds> (signals wait until it is over), sql:<statement> (run as the superuser that set it).
#pragma once

namespace snapback::pg {

#ifdef PG_SNAPBACK_TESTING
void fault_point(const char* name);
// Makes the points of core this module's points as well.
void register_fault_points();
#else
inline void fault_point(const char*) {}
inline void register_fault_points() {}
#endif

}  // namespace snapback::pg
