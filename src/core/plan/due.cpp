#include "core/plan/due.hpp"

#include <algorithm>
#include <deque>

namespace snapback {

namespace {

// The first due time after `now` that is not decided. Earlier than the stored one when the clock was set back.
Moment first_undecided(const DuePlan& plan, Moment now) {
  Moment due = plan.next_after(now);
  while (due < plan.next_due && plan.is_decided(due)) due = plan.next_after(due);
  return due;
}

// Due times up to `now`, oldest first; of very many the newest.
std::deque<Moment> due_times(const DuePlan& plan, Moment now) {
  std::deque<Moment> times;
  Moment due = plan.next_due < now - remembered ? plan.next_after(now - remembered) : plan.next_due;
  for (; due <= now; due = plan.next_after(due)) {
    times.push_back(due);
    if (times.size() > most_slots) times.pop_front();
  }
  if (times.empty()) times.push_back(plan.next_due);
  return times;
}

// A slot whose run ended badly: closed, tried again now, or later.
void decide_open(const DuePlan& plan, Moment now, PlanDecision& decision, bool& busy) {
  if (!plan.open) return;
  const OpenSlot& open = *plan.open;
  if (open.alive) {
    busy = true;
    return;
  }
  bool superseded = plan.next_due <= now && !busy;
  if (superseded || open.attempt > plan.retries) {
    std::string reason = open.why;
    if (open.attempt > 1) reason += " (attempt " + std::to_string(open.attempt) + ")";
    decision.slots.push_back({open.due, open.gave_way ? "skipped" : open.late ? "late" : "ran", reason});
    return;
  }
  // a clock that was set back does not keep a retry waiting
  Moment again = std::min(open.ended_at, now) + retry_delay(open.attempt);
  if (again <= now && !busy) {
    decision.start = RunStart{open.due, open.attempt + 1, open.late};
    busy = true;
    return;
  }
  decision.wake = std::min(decision.wake, std::max(again, now + 1));
}

void decide_due(const DuePlan& plan, Moment now, PlanDecision& decision, bool busy) {
  auto times = due_times(plan, now);
  if (busy && plan.wait_for_end) {
    // the end of the run looks again
    decision.next_due = plan.next_due;
    return;
  }
  decision.next_due = plan.next_after(now);
  decision.wake = std::min(decision.wake, decision.next_due);
  Moment newest = times.back();
  times.pop_back();
  for (Moment due : times)
    decision.slots.push_back(busy ? SlotDecision{due, "skipped", "the previous run was still going"} : SlotDecision{due, "missed", "nothing ran at that time"});
  bool late = now - newest > late_after;
  if (busy)
    decision.slots.push_back({newest, "skipped", "the previous run was still going"});
  else if (late && !plan.catch_up)
    decision.slots.push_back({newest, "missed", "nothing ran at that time"});
  else
    decision.start = RunStart{newest, 1, late};
}

}  // namespace

Moment retry_delay(int attempt) {
  Moment delay = 60;
  for (int i = 1; i < attempt && delay < 3600; ++i) delay *= 2;
  return std::min<Moment>(delay, 3600);
}

PlanDecision decide(const DuePlan& plan, Moment now) {
  PlanDecision decision;
  decision.next_due = plan.next_due;
  decision.wake = std::numeric_limits<Moment>::max();
  bool busy = plan.busy;
  decide_open(plan, now, decision, busy);
  if (plan.next_due <= now) {
    decide_due(plan, now, decision, busy);
  } else {
    decision.next_due = std::min(plan.next_due, first_undecided(plan, now));
    decision.wake = std::min(decision.wake, decision.next_due);
  }
  // a process may die without a word
  if (busy || decision.start) decision.wake = std::min(decision.wake, now + 60);
  return decision;
}

}  // namespace snapback
