// The scheduler with a made clock.
#include "core/plan/due.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace snapback {
namespace {

constexpr Moment hour = 3600, day = 86400;

// A plan that is due every `every` seconds, and its slots and run as the tables would have them.
struct MadePlan {
  Moment every = day;
  DuePlan due;
  std::map<Moment, std::string> slots;
  std::map<Moment, int> runs;  // attempts by slot

  explicit MadePlan(Moment first, Moment period = day) : every(period) {
    due.next_due = first;
    due.next_after = [this](Moment moment) { return (moment / every + 1) * every; };
    due.is_decided = [this](Moment moment) { return slots.count(moment) > 0; };
  }

  PlanDecision tick(Moment now) {
    auto decision = decide(due, now);
    for (auto& slot : decision.slots) {
      slots[slot.due] = slot.state;
      if (due.open && due.open->due == slot.due) due.open.reset();
    }
    if (decision.start) {
      auto& start = *decision.start;
      EXPECT_TRUE(start.attempt > 1 || slots.count(start.due) == 0) << "slot " << start.due << " was run twice";
      slots[start.due] = "running";
      ++runs[start.due];
      due.open = OpenSlot{start.due, start.attempt, true, 0, false, start.late, ""};
      due.busy = true;
    }
    EXPECT_GT(decision.wake, now);
    due.next_due = decision.next_due;
    return decision;
  }

  void end(bool well, Moment now) {
    due.busy = false;
    if (!due.open) return;
    due.open->alive = false;
    due.open->ended_at = now;
    due.open->why = "failed: no room";
    if (!well) return;
    slots[due.open->due] = due.open->late ? "late" : "ran";
    due.open.reset();
  }
};

TEST(Due, NothingBeforeTheTime) {
  MadePlan plan(10 * day);
  auto decision = plan.tick(10 * day - 1);
  EXPECT_FALSE(decision.start);
  EXPECT_TRUE(decision.slots.empty());
  EXPECT_EQ(decision.wake, 10 * day);
}

TEST(Due, RunsAtTheTimeOnce) {
  MadePlan plan(10 * day);
  auto decision = plan.tick(10 * day);
  ASSERT_TRUE(decision.start);
  EXPECT_EQ(decision.start->due, 10 * day);
  EXPECT_FALSE(decision.start->late);
  EXPECT_EQ(decision.next_due, 11 * day);
  EXPECT_FALSE(plan.tick(10 * day).start);
  plan.end(true, 10 * day + 60);
  EXPECT_FALSE(plan.tick(10 * day + 61).start);
  EXPECT_EQ(plan.slots[10 * day], "ran");
}

TEST(Due, AfterAnOutageTheNewestIsCaughtUpAndTheOthersAreMissed) {
  MadePlan plan(10 * day);
  auto decision = plan.tick(15 * day + hour);
  ASSERT_TRUE(decision.start);
  EXPECT_EQ(decision.start->due, 15 * day);
  EXPECT_TRUE(decision.start->late);
  EXPECT_EQ(decision.slots.size(), 5U);
  for (auto& slot : decision.slots) EXPECT_EQ(slot.state, "missed");
  plan.end(true, 15 * day + 2 * hour);
  EXPECT_EQ(plan.slots[15 * day], "late");
}

TEST(Due, WithoutCatchUpTheyAreAllMissed) {
  MadePlan plan(10 * day);
  plan.due.catch_up = false;
  auto decision = plan.tick(12 * day + hour);
  EXPECT_FALSE(decision.start);
  EXPECT_EQ(decision.slots.size(), 3U);
  EXPECT_EQ(decision.next_due, 13 * day);
  // within the time that counts as punctual it runs
  EXPECT_TRUE(plan.tick(13 * day + late_after).start);
}

TEST(Due, OverlapSkips) {
  MadePlan plan(10 * day, hour);
  ASSERT_TRUE(plan.tick(10 * day).start);
  auto decision = plan.tick(10 * day + hour);
  EXPECT_FALSE(decision.start);
  ASSERT_EQ(decision.slots.size(), 1U);
  EXPECT_EQ(decision.slots[0].state, "skipped");
  EXPECT_EQ(plan.slots[10 * day], "running");
}

TEST(Due, OverlapWaits) {
  MadePlan plan(10 * day, hour);
  plan.due.wait_for_end = true;
  ASSERT_TRUE(plan.tick(10 * day).start);
  auto decision = plan.tick(10 * day + 2 * hour);
  EXPECT_FALSE(decision.start);
  EXPECT_TRUE(decision.slots.empty());
  EXPECT_LE(decision.wake, 10 * day + 2 * hour + 60);
  plan.end(true, 10 * day + 2 * hour + 5);
  decision = plan.tick(10 * day + 2 * hour + 5);
  ASSERT_TRUE(decision.start);
  EXPECT_EQ(decision.start->due, 10 * day + 2 * hour);
  EXPECT_EQ(plan.slots[10 * day + hour], "missed");
}

TEST(Due, RetriesWithLongerAndLongerPauses) {
  EXPECT_EQ(retry_delay(1), 60);
  EXPECT_EQ(retry_delay(2), 120);
  EXPECT_EQ(retry_delay(3), 240);
  EXPECT_EQ(retry_delay(50), 3600);
  MadePlan plan(10 * day);
  plan.due.retries = 2;
  Moment now = 10 * day;
  ASSERT_TRUE(plan.tick(now).start);
  plan.end(false, now += 10);
  EXPECT_EQ(plan.tick(now).wake, now + 60);
  auto second = plan.tick(now += 60);
  ASSERT_TRUE(second.start);
  EXPECT_EQ(second.start->attempt, 2);
  EXPECT_EQ(second.start->due, 10 * day);
  plan.end(false, now += 10);
  ASSERT_TRUE(plan.tick(now += 120).start);
  plan.end(false, now += 10);
  auto last = plan.tick(now);
  EXPECT_FALSE(last.start);
  ASSERT_EQ(last.slots.size(), 1U);
  EXPECT_EQ(last.slots[0].state, "ran");
  EXPECT_EQ(last.slots[0].reason, "failed: no room (attempt 3)");
  EXPECT_EQ(plan.runs[10 * day], 3);
}

TEST(Due, TheNextSlotEndsRetries) {
  MadePlan plan(10 * day, hour);
  plan.due.retries = 9;
  ASSERT_TRUE(plan.tick(10 * day).start);
  plan.end(false, 10 * day + hour - 10);
  auto decision = plan.tick(10 * day + hour);
  ASSERT_TRUE(decision.start);
  EXPECT_EQ(decision.start->due, 10 * day + hour);
  EXPECT_EQ(decision.start->attempt, 1);
  ASSERT_EQ(decision.slots.size(), 1U);
  EXPECT_EQ(decision.slots[0].due, 10 * day);
}

TEST(Due, GivingWayIsSkippedInTheEnd) {
  MadePlan plan(10 * day);
  ASSERT_TRUE(plan.tick(10 * day).start);
  plan.end(false, 10 * day + 5);
  plan.due.open->gave_way = true;
  plan.due.open->why = "gave way to ALTER TABLE";
  auto decision = plan.tick(10 * day + 5);
  ASSERT_EQ(decision.slots.size(), 1U);
  EXPECT_EQ(decision.slots[0].state, "skipped");
  EXPECT_EQ(decision.slots[0].reason, "gave way to ALTER TABLE");
}

TEST(Due, AClockThatWasAheadDoesNotStopThePlan) {
  MadePlan plan(10 * day);
  ASSERT_TRUE(plan.tick(10 * day).start);
  plan.end(true, 10 * day + 5);
  // ten years ahead for a moment: one run, and back
  ASSERT_TRUE(plan.tick(3660 * day + 10).start);
  plan.end(true, 3660 * day + 20);
  auto back = plan.tick(10 * day + 60);
  EXPECT_FALSE(back.start);
  EXPECT_EQ(back.next_due, 11 * day);
  EXPECT_TRUE(plan.tick(11 * day).start);
}

TEST(Due, AClockThatIsSetBackRunsNoSlotTwice) {
  MadePlan plan(10 * day, hour);
  for (Moment now = 10 * day; now < 10 * day + 5 * hour; now += hour) {
    ASSERT_TRUE(plan.tick(now).start);
    plan.end(true, now + 1);
  }
  for (Moment now = 10 * day + hour + 7; now < 10 * day + 8 * hour; now += 600)
    if (plan.tick(now).start) plan.end(true, now + 1);
  for (auto& [slot, runs] : plan.runs) EXPECT_EQ(runs, 1) << slot;
  EXPECT_EQ(plan.runs.size(), 8U);
}

TEST(Due, VeryManyMissedSlotsAreBounded) {
  MadePlan plan(10 * day, 60);
  auto decision = plan.tick(4000 * day);
  EXPECT_LE(decision.slots.size(), most_slots);
  ASSERT_TRUE(decision.start);
  EXPECT_EQ(decision.start->due, 4000 * day);
}

// A year, looked at every minute: three restarts over slots, an outage of five days, a run that fails now and then, a clock set back by two hours. Every due time ends once.
TEST(Due, AYear) {
  MadePlan plan(0, 6 * hour);
  plan.due.next_due = 6 * hour;
  plan.due.retries = 1;
  Moment busy_until = 0;
  std::map<std::string, int> ended;
  for (Moment now = 0; now < 365 * day; now += 60) {
    Moment at = now / day;
    bool down = (at >= 100 && at < 105) || ((at == 30 || at == 60 || at == 200) && now % day < 7 * hour);
    if (down) {
      if (plan.due.busy) plan.end(false, now);
      continue;
    }
    if (plan.due.busy && now >= busy_until) plan.end(plan.due.open->due % (40 * day) != 0 || plan.due.open->attempt > 1, now);
    if (plan.tick(now).start) busy_until = now + 600;
  }
  Moment last = plan.due.next_due;
  for (Moment due = 6 * hour; due < last; due += 6 * hour) {
    ASSERT_EQ(plan.slots.count(due), 1U) << due;
    ++ended[plan.slots[due]];
  }
  EXPECT_EQ(plan.slots.size(), 1459U);
  // the five days, and midnight of each of the three short outages: it is 06:00 that is caught up; the first slot after the five days is in time
  EXPECT_EQ(ended["missed"], 20 + 3);
  EXPECT_EQ(ended["late"], 3);
  EXPECT_EQ(ended["running"], 0);
  EXPECT_EQ(ended["ran"] + ended["late"] + ended["missed"], 1459);
}

}  // namespace
}  // namespace snapback
