// What is to be done for a plan at a moment: which of its due times are missed, skipped or run, what is tried again, and when to look next. No clock and no database: both come in.
//
// Moments are seconds since 1970 UTC. A slot is one due time of one plan; it is decided once, whoever decides.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace snapback {

using Moment = std::int64_t;

// The slot that was begun last and has no end yet.
struct OpenSlot {
  Moment due = 0;
  int attempt = 1;            // the newest
  bool alive = false;         // its run is queued or running
  Moment ended_at = 0;        // of a run that is not alive: it failed, crashed or gave way
  bool gave_way = false;
  bool late = false;
  std::string why;            // of the end, for the slot's reason
};

struct DuePlan {
  Moment next_due = 0;                             // the first due time not decided yet
  bool catch_up = true;                            // run a missed slot once, late; otherwise only record it
  bool wait_for_end = false;                       // overlap: wait for the previous run; otherwise skip the slot
  int retries = 0;                                 // further attempts after the first
  bool busy = false;                               // some run of the plan is alive, started by hand included
  std::optional<OpenSlot> open;
  std::function<Moment(Moment)> next_after;        // of the schedule
  std::function<bool(Moment)> is_decided;          // whether there is a slot for that due time
};

struct SlotDecision {
  Moment due;
  std::string state;   // ran, late, skipped, missed
  std::string reason;  // may be empty
};

struct RunStart {
  Moment due;
  int attempt;
  bool late;
};

struct PlanDecision {
  std::vector<SlotDecision> slots;   // to be recorded, or closed where they are open
  std::optional<RunStart> start;
  Moment next_due = 0;               // to be stored
  Moment wake = 0;                   // look again at this moment at the latest
};

// A run that begins later than this after its due time is late.
inline constexpr Moment late_after = 300;
// Slots older than this are not recorded one by one.
inline constexpr Moment remembered = Moment{40} * 86400;
inline constexpr std::size_t most_slots = 5000;

// Seconds to wait after the given attempt failed: a minute, doubled each time, at most an hour.
Moment retry_delay(int attempt);

PlanDecision decide(const DuePlan& plan, Moment now);

}  // namespace snapback
