// A year of three plans on a made clock: what is due, what runs, what is kept and what is alerted about, through three restarts, an outage of five days, a full
// disk, and both clock changes. The code that decides is the product's; time, runs and storage are made here.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/backup_id.hpp"
#include "core/plan/alerts.hpp"
#include "core/plan/due.hpp"
#include "core/plan/retention.hpp"
#include "moments.hpp"

namespace snapback {
namespace {

using test::at;

class NewYork final : public TimeZone {
 public:
  std::int64_t offset_at(std::int64_t moment) const override { return moment >= spring && moment < autumn ? -4 * 3600 : -5 * 3600; }
  std::optional<std::int64_t> next_transition(std::int64_t moment) const override {
    return moment < spring ? std::optional(spring) : moment < autumn ? std::optional(autumn) : std::nullopt;
  }
  const std::int64_t spring = at("2026-03-08T07:00:00"), autumn = at("2026-11-01T06:00:00");
};

struct Slot {
  std::string state, reason;
};

// A plan as its rows hold it, and its run as the processes do.
struct SimulatedPlan {
  std::string name;
  CronSchedule schedule;
  RetentionRules rules;
  bool catch_up, wait;
  std::int64_t run_seconds;
  std::int64_t next_due = 0;
  std::map<std::int64_t, Slot> slots;
  std::optional<OpenSlot> open;
  std::int64_t ends = 0;  // of the run that is alive
  std::int64_t started = 0;
  std::optional<std::int64_t> last_good, failed_since;
  std::string failure;
};

class Year {
 public:
  Year() {
    RetentionRules days, last, ladder;
    days.days = 30;
    last.last = 4;
    ladder.last = 24;
    ladder.daily = 7;
    ladder.weekly = 4;
    ladder.monthly = 12;
    add("daily", "0 2 * * *", days, true, false, 600);
    add("weekly", "0 3 * * 0", last, true, false, 1800);
    add("hourly", "30 * * * *", ladder, false, true, 60);
  }

  void run() {
    now_ = begin;
    while (now_ < end) {
      if (now_ >= outage_begin && now_ < outage_end) {
        now_ = outage_end;
        crash("the server was stopped");
      }
      if (restarts_.count(now_)) crash("the process is gone");
      std::int64_t wake = end;
      for (auto& plan : plans_) finish(plan);
      for (auto& plan : plans_) wake = std::min(wake, step(plan));
      for (auto& plan : plans_)
        if (plan.open && plan.open->alive) wake = std::min(wake, plan.ends);
      watch();
      if (auto limit = next_age_limit(facts(), now_)) wake = std::min(wake, *limit);
      for (auto restart : restarts_)
        if (restart > now_) wake = std::min(wake, restart);
      if (now_ < outage_begin) wake = std::min(wake, outage_begin);
      ASSERT_GT(wake, now_) << test::shown_to_the_second(now_) << ": the clock stands";
      now_ = wake;
      ++steps;
    }
  }

  SimulatedPlan& plan(const std::string& name) {
    return *std::find_if(plans_.begin(), plans_.end(), [&](auto& plan) { return plan.name == name; });
  }
  int count(const std::string& name, const std::string& state) {
    auto& slots = plan(name).slots;
    return static_cast<int>(std::count_if(slots.begin(), slots.end(), [&](auto& slot) { return slot.second.state == state; }));
  }
  int kept(const std::string& name) {
    return static_cast<int>(std::count_if(backups_.begin(), backups_.end(), [&](auto& backup) { return backup.plan == name; }));
  }

  const std::int64_t begin = at("2026-01-01T05:00:00"), end = at("2027-01-01T05:00:00");
  const std::int64_t outage_begin = at("2026-06-10T12:00:00"), outage_end = at("2026-06-15T12:00:00");
  std::vector<std::string> alert_log;
  std::vector<StoredBackup> backups_;
  int made = 0, deleted = 0, steps = 0;

 private:
  void add(const std::string& name, const std::string& schedule, const RetentionRules& rules, bool catch_up, bool wait, std::int64_t seconds) {
    SimulatedPlan made_plan{name, CronSchedule::parse(schedule), rules, catch_up, wait, seconds, 0, {}, {}, 0, 0, {}, {}, ""};
    made_plan.next_due = made_plan.schedule.next_after(begin, zone_);
    made_plan.last_good = begin;  // so that no alert is about the time before
    plans_.push_back(std::move(made_plan));
  }

  void crash(const std::string& why) {
    for (auto& made_plan : plans_)
      if (made_plan.open && made_plan.open->alive) fail(made_plan, now_, why);
  }

  void fail(SimulatedPlan& made_plan, std::int64_t when, const std::string& why) {
    made_plan.open->alive = false;
    made_plan.open->ended_at = when;
    made_plan.open->why = why;
    if (!made_plan.failed_since) made_plan.failed_since = when;
    made_plan.failure = why;
  }

  // 10 October 2026, the disk is full all day
  bool disk_full(const SimulatedPlan& made_plan) const { return made_plan.name == "daily" && test::shown_to_the_second(now_).substr(0, 10) == "2026-10-10"; }

  void finish(SimulatedPlan& made_plan) {
    if (!made_plan.open || !made_plan.open->alive || made_plan.ends > now_) return;
    if (disk_full(made_plan)) {
      fail(made_plan, now_, "no space left on device");
      return;
    }
    made_plan.slots[made_plan.open->due] = {made_plan.open->late ? "late" : "ran", ""};
    made_plan.open.reset();
    made_plan.failed_since.reset();
    made_plan.last_good = made_plan.started;
    StoredBackup backup;
    backup.id = made_plan.name + " " + test::shown_to_the_second(made_plan.started);
    backup.created = made_plan.started * 1000000;
    backup.own = backup.good = backup.verified = backup.counts = backup.wide = true;
    backup.plan = made_plan.name;
    backups_.push_back(backup);
    ++made;
    prune();
  }

  void prune() {
    std::map<std::string, RetentionPlan> rules;
    for (auto& made_plan : plans_) rules[made_plan.name] = {made_plan.rules, &zone_};
    auto decisions = decide_retention(backups_, rules, now_ * 1000000);
    auto newest = std::max_element(backups_.begin(), backups_.end(), [](auto& a, auto& b) { return a.created < b.created; })->id;
    std::vector<StoredBackup> left;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      if (decisions[i].keep) {
        left.push_back(backups_[i]);
        continue;
      }
      ++deleted;
      EXPECT_NE(decisions[i].id, newest);
    }
    backups_ = std::move(left);
  }

  std::int64_t step(SimulatedPlan& made_plan) {
    DuePlan due;
    due.next_due = made_plan.next_due;
    due.catch_up = made_plan.catch_up;
    due.wait_for_end = made_plan.wait;
    due.retries = 3;
    due.busy = made_plan.open && made_plan.open->alive;
    due.open = made_plan.open;
    due.next_after = [&](Moment moment) { return made_plan.schedule.next_after(moment, zone_); };
    due.is_decided = [&](Moment moment) { return made_plan.slots.count(moment) > 0; };
    auto decision = decide(due, now_);
    for (auto& slot : decision.slots) {
      if (made_plan.open && made_plan.open->due == slot.due)
        made_plan.open.reset();
      else
        EXPECT_EQ(made_plan.slots.count(slot.due), 0u) << made_plan.name << " " << test::shown_to_the_second(slot.due) << " decided twice";
      made_plan.slots[slot.due] = {slot.state, slot.reason};
    }
    made_plan.next_due = decision.next_due;
    if (decision.start) {
      if (decision.start->attempt == 1) {
        EXPECT_TRUE(made_plan.slots.emplace(decision.start->due, Slot{"running", ""}).second) << made_plan.name << " " << test::shown_to_the_second(decision.start->due) << " runs twice";
      }
      OpenSlot open;
      open.due = decision.start->due;
      open.attempt = decision.start->attempt;
      open.alive = true;
      open.late = decision.start->late;
      made_plan.open = open;
      made_plan.started = now_;
      made_plan.ends = now_ + made_plan.run_seconds;
    }
    return decision.wake;
  }

  std::vector<PlanFacts> facts() {
    std::vector<PlanFacts> list;
    for (auto& made_plan : plans_) {
      PlanFacts plan_facts;
      plan_facts.name = made_plan.name;
      plan_facts.schedule = &made_plan.schedule;
      plan_facts.zone = &zone_;
      plan_facts.last_good = made_plan.last_good;
      plan_facts.running = made_plan.open && made_plan.open->alive;
      plan_facts.known_too_old = std::any_of(open_.begin(), open_.end(), [&](auto& alert) { return alert.code == "too_old" && alert.plan == made_plan.name; });
      plan_facts.failed_since = made_plan.failed_since;
      plan_facts.failure = made_plan.failure;
      // missed since the last one that ran in time
      for (auto slot = made_plan.slots.rbegin(); slot != made_plan.slots.rend() && slot->second.state != "ran"; ++slot)
        if (slot->second.state == "missed") {
          plan_facts.missed_since = slot->first;
          ++plan_facts.missed;
        }
      list.push_back(plan_facts);
    }
    return list;
  }

  void watch() {
    std::vector<Alert> alerts;
    for (auto& plan_facts : facts())
      for (auto& alert : plan_alerts(plan_facts, now_)) alerts.push_back(alert);
    auto changes = compare_alerts(open_, alerts);
    for (auto& alert : changes.opened) alert_log.push_back(test::shown_to_the_second(now_) + " opened " + alert.code + " " + alert.plan);
    for (auto& alert : changes.closed) alert_log.push_back(test::shown_to_the_second(now_) + " closed " + alert.code + " " + alert.plan);
    open_ = std::move(alerts);
  }

  NewYork zone_;
  std::vector<SimulatedPlan> plans_;
  std::vector<Alert> open_;
  std::int64_t now_ = 0;
  // in a run of the daily plan, between runs, in a run of the weekly plan
  const std::set<std::int64_t> restarts_ = {at("2026-02-01T07:05:00"), at("2026-05-05T12:10:00"), at("2026-09-06T07:10:00")};
};

TEST(PlanYear, SlotsBackupsAndAlertsAreAsExpected) {
  Year year;
  year.run();
  if (HasFatalFailure()) return;

  // every local time of the year once: 02:00 of 8 March, which was skipped, at 03:00, and the hour repeated on 1 November not again
  EXPECT_EQ(year.plan("daily").slots.size(), 365u);
  EXPECT_EQ(year.plan("weekly").slots.size(), 52u);
  EXPECT_EQ(year.plan("hourly").slots.size(), 8760u);
  EXPECT_EQ(year.plan("daily").slots.count(at("2026-03-08T07:00:00")), 1u);
  EXPECT_EQ(year.plan("hourly").slots.count(at("2026-03-08T07:00:00")), 1u);
  EXPECT_EQ(year.plan("hourly").slots.count(at("2026-11-01T05:30:00")), 1u);
  EXPECT_EQ(year.plan("hourly").slots.count(at("2026-11-01T06:30:00")), 0u);

  // the outage: one late run and the others missed, or all missed where nothing is caught up
  EXPECT_EQ(year.count("daily", "ran"), 360);
  EXPECT_EQ(year.count("daily", "missed"), 4);
  EXPECT_EQ(year.count("daily", "late"), 1);
  EXPECT_EQ(year.plan("daily").slots.at(at("2026-06-15T06:00:00")).state, "late");
  EXPECT_EQ(year.count("weekly", "ran"), 51);
  EXPECT_EQ(year.count("weekly", "late"), 1);
  EXPECT_EQ(year.plan("weekly").slots.at(at("2026-06-14T07:00:00")).state, "late");
  EXPECT_EQ(year.count("hourly", "missed"), 120);
  EXPECT_EQ(year.count("hourly", "ran"), 8640);
  // the day of the full disk is a slot that ran and says how it ended
  EXPECT_EQ(year.plan("daily").slots.at(at("2026-10-10T06:00:00")).reason, "no space left on device (attempt 4)");

  EXPECT_EQ(year.made, 360 + 52 + 8640) << "one backup for each slot but the one of the full disk";
  EXPECT_EQ(year.made - year.deleted, static_cast<int>(year.backups_.size()));
  EXPECT_EQ(year.kept("daily"), 30);
  EXPECT_EQ(year.kept("weekly"), 4);
  // 24 of 31 December, the last of 25 to 30 December, of the weeks of 20 and 13 December, and of the months before
  EXPECT_EQ(year.kept("hourly"), 24 + 6 + 2 + 11);
  for (const char* id : {"daily 2026-12-02T07:00:00", "weekly 2026-12-06T08:00:00", "hourly 2026-12-31T05:30:00", "hourly 2026-12-26T04:30:00", "hourly 2026-12-21T04:30:00", "hourly 2026-12-14T04:30:00",
                         "hourly 2026-11-01T03:30:00", "hourly 2026-02-01T04:30:00"})
    EXPECT_TRUE(std::any_of(year.backups_.begin(), year.backups_.end(), [&](auto& backup) { return backup.id == id; })) << id;

  EXPECT_EQ(year.alert_log, (std::vector<std::string>{
                                "2026-02-01T07:05:00 opened run_failed daily",
                                "2026-02-01T07:16:00 closed run_failed daily",
                                "2026-06-15T12:00:00 opened slot_missed daily",
                                "2026-06-15T12:00:00 opened slot_missed hourly",
                                "2026-06-15T12:00:00 opened too_old hourly",
                                "2026-06-15T12:31:00 closed slot_missed hourly",
                                "2026-06-15T12:31:00 closed too_old hourly",
                                "2026-06-16T06:10:00 closed slot_missed daily",
                                "2026-09-06T07:10:00 opened run_failed weekly",
                                "2026-09-06T07:41:00 closed run_failed weekly",
                                "2026-10-10T06:10:00 opened run_failed daily",
                                "2026-10-10T07:00:01 opened too_old daily",
                                "2026-10-11T06:10:00 closed run_failed daily",
                                "2026-10-11T06:10:00 closed too_old daily",
                            }));
}

}  // namespace
}  // namespace snapback
