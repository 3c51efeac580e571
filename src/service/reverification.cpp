#include "service/reverification.hpp"

#include "core/backup_id.hpp"
#include "pg/time_zone.hpp"
#include "service/retention.hpp"
#include "service/state.hpp"

namespace snapback::service {

std::vector<DueVerification> verifications_due(const Plan& plan) {
  Repository repository(false);
  std::vector<KeptBackup> kept;
  for (auto& backup : repository.list()) {
    if (!backup.is_own || backup.state != "good" || backup.plan() != plan.name) continue;
    std::int64_t verified = 0;
    if (!parse_utc(backup.sidecar.verified_at, verified)) verified = 0;
    kept.push_back({backup.id, created_microseconds(backup) / 1000000, verified / 1000000});
  }
  return due_verifications(Reverify::parse(plan.reverify), pg::ServerTimeZone(plan.timezone), std::move(kept), now_seconds());
}

void reverification_done(const Plan& plan) {
  auto next = next_reverify_time(plan, now_seconds());
  modify_state("UPDATE snapback.plan AS p SET next_reverify = pg_catalog.to_timestamp($2::bigint) WHERE p.plan = $1", {plan.name, next ? pg::Cell(std::to_string(*next)) : pg::Cell()});
}

}  // namespace snapback::service
