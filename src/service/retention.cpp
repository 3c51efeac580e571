#include "service/retention.hpp"

#include <map>
#include <memory>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "core/plan/length_of_time.hpp"
#include "core/plan/retention.hpp"
#include "pg/settings.hpp"
#include "pg/time_zone.hpp"
#include "service/pending.hpp"
#include "service/plans.hpp"
#include "service/rights.hpp"

namespace snapback::service {

namespace {

std::optional<std::int64_t> moment_member(const Json& object, const char* key) {
  auto it = object.find(key);
  std::int64_t moment = 0;
  if (it == object.end() || !it->is_string() || !parse_utc(it->get_ref<const std::string&>(), moment)) return std::nullopt;
  return moment;
}

StoredBackup to_stored(const BackupInfo& backup) {
  const Json& object = backup.sidecar.backup;
  StoredBackup stored;
  stored.id = backup.id;
  stored.created = created_microseconds(backup);
  stored.own = backup.is_own;
  stored.good = backup.state == "good";
  stored.verified = backup.sidecar.verified != "none";
  stored.counts = counts_as_good(backup);
  stored.wide = backup.wide();
  stored.pinned = backup.sidecar.pinned;
  stored.plan = backup.plan();
  stored.expires = moment_member(object, "expires_at");
  return stored;
}

std::optional<int> limit_member(const Json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && it->is_number_unsigned() && *it <= 100000u ? std::optional<int>(it->get<int>()) : std::nullopt;
}

RetentionRules rules_from_json(const Json& keep) {
  return {limit_member(keep, "days"), limit_member(keep, "last"), limit_member(keep, "daily"), limit_member(keep, "weekly"), limit_member(keep, "monthly"), limit_member(keep, "yearly")};
}

// The rules in force, with the zones they need.
class Rules {
 public:
  // `backups`: newest first.
  explicit Rules(const std::vector<BackupInfo>& backups) {
    for (auto& plan : read_plans())
      if (!plan.suspended) add(plan.name, plan.keep, plan.timezone);
    // of a plan that is gone, those its newest backup was taken with
    for (auto& backup : backups) {
      if (!backup.is_own || backup.plan().empty() || plans_.count(backup.plan())) continue;
      auto keep = backup.sidecar.backup.find("keep");
      if (keep != backup.sidecar.backup.end() && keep->is_object()) add(backup.plan(), rules_from_json(*keep), keep->value("timezone", "UTC"));
    }
  }
  const std::map<std::string, RetentionPlan>& plans() const { return plans_; }

 private:
  void add(const std::string& name, const RetentionRules& rules, const std::string& timezone) {
    // rules that keep nothing would delete what nobody asked to delete
    if (rules.keeps_nothing()) return;
    try {
      zones_.push_back(std::make_unique<pg::ServerTimeZone>(timezone));
    } catch (const snapback::error&) {
      // a zone that this server lacks: boundaries of days are a few hours off, no backup is without rules
      zones_.push_back(std::make_unique<FixedZone>());
    }
    plans_[name] = {rules, zones_.back().get()};
  }
  std::map<std::string, RetentionPlan> plans_;
  std::vector<std::unique_ptr<TimeZone>> zones_;
};

std::vector<RetentionDecision> decide(const std::vector<BackupInfo>& backups) {
  std::vector<StoredBackup> stored;
  for (auto& backup : backups)
    if (backup.state != "writing") stored.push_back(to_stored(backup));
  Rules rules(backups);
  return decide_retention(stored, rules.plans(), now_microseconds());
}

}  // namespace

bool counts_as_good(const BackupInfo& backup) {
  return backup.is_own && backup.state == "good" && backup.sidecar.verified != "none" && !backup.uncommitted() && backup.kind() != "safety";
}

std::int64_t created_microseconds(const BackupInfo& backup) { return moment_member(backup.sidecar.backup, "created_at").value_or(backup_id_time(backup.id) * 1000000); }

std::optional<std::int64_t> manual_keeping() { return parse_length_of_time(pg::settings.keep_manual); }

Json retention_to_json(const RetentionRules& rules, const std::string& timezone) {
  Json json = Json::object();
  auto put = [&](const char* key, const std::optional<int>& limit) {
    if (limit) json[key] = static_cast<unsigned>(*limit);
  };
  put("days", rules.days);
  put("last", rules.last);
  put("daily", rules.daily);
  put("weekly", rules.weekly);
  put("monthly", rules.monthly);
  put("yearly", rules.yearly);
  json["timezone"] = timezone;
  return json;
}

void set_expiry(std::vector<BackupInfo>& backups) {
  Rules rules(backups);
  for (auto& backup : backups) {
    auto plan = rules.plans().find(backup.plan());
    if (!backup.is_own || backup.plan().empty() || plan == rules.plans().end() || backup.state == "writing") continue;
    auto expiry = expiry_of(plan->second.rules, to_stored(backup).created);
    backup.expiry = expiry ? format_utc(*expiry) : "";
  }
}

std::vector<PruneLine> prune_backups(const std::optional<std::string>& plan, bool apply) {
  if (plan) find_plan(*plan, "prune");
  Repository repository(apply);
  auto backups = repository.list();
  std::map<std::string, const BackupInfo*> by_id;
  for (auto& backup : backups) by_id[backup.id] = &backup;
  std::vector<PruneLine> lines;
  for (auto& decision : decide(backups)) {
    auto& backup = *by_id.at(decision.id);
    if (plan && backup.plan() != *plan) continue;
    if (apply && !decision.keep) check_keeping_right(backup, "delete");
    lines.push_back({decision.id, decision.keep, decision.reason, apply && !decision.keep});
  }
  for (auto& line : lines)
    if (line.applied) remove_at_commit(repository.location().path(), line.backup_id);
  return lines;
}

std::string prune_after_backup(Repository& repository) {
  try {
    for (auto& decision : decide(repository.list()))
      if (!decision.keep) remove_at_commit(repository.location().path(), decision.id);
  } catch (const snapback::error& e) {
    return "old backups were not pruned: " + e.message();
  }
  return "";
}

}  // namespace snapback::service
