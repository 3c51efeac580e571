// Alerts on their way: what opens and closes is recorded, logged once, and notified.
#include "core/backup_id.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "service/state.hpp"
#include "service/watching.hpp"

extern "C" {
#include "commands/async.h"
}

namespace snapback::service {

namespace {

constexpr const char* channel = "pg_snapback";

void announce(const char* event, const Alert& alert) {
  Json payload = {{"event", event}, {"severity", alert.severity}, {"code", alert.code}, {"plan", pg::shown_utf8(alert.plan)}};
  if (!alert.subject.empty()) payload["backup_id"] = alert.subject;
  std::string text = pg::shown_text(payload.dump());
  std::string plan = printable(alert.plan), subject = alert.subject.empty() ? "" : " backup=" + alert.subject;
  pg::call([&] {
    Async_Notify(channel, text.c_str());
    ereport(LOG, (errmsg("pg_snapback: alert=%s severity=%s code=%s plan=\"%s\"%s", event, alert.severity.c_str(), alert.code.c_str(), plan.c_str(), subject.c_str()),
                  errhidestmt(true), errhidecontext(true)));
  });
}

std::vector<Alert> open_alerts() {
  std::vector<Alert> alerts;
  for (auto& row : query_state("SELECT a.severity, a.code, a.plan, a.subject FROM snapback.alert a WHERE a.closed_at IS NULL")) {
    Alert alert;
    alert.severity = *row[0];
    alert.code = *row[1];
    alert.plan = *row[2];
    alert.subject = *row[3];
    alerts.push_back(std::move(alert));
  }
  return alerts;
}

}  // namespace

std::optional<Seconds> refresh_alerts() {
  // one at a time: what another worker has opened since this one looked would be closed again
  modify_state("LOCK TABLE snapback.alert IN SHARE ROW EXCLUSIVE MODE");
  auto watched = look();
  auto changes = compare_alerts(open_alerts(), all_alerts(watched));
  for (auto& alert : changes.opened)
    if (!modify_state("INSERT INTO snapback.alert AS a (severity, code, plan, subject, since, message, hint) "
                      "VALUES ($1, $2, $3, $4, pg_catalog.to_timestamp($5::bigint), $6, $7) ON CONFLICT DO NOTHING RETURNING a.alert_id",
                      {alert.severity, alert.code, alert.plan, alert.subject, std::to_string(alert.since), alert.message, alert.hint})
             .empty())
      announce("opened", alert);
  for (auto& alert : changes.closed)
    if (!modify_state("UPDATE snapback.alert AS a SET closed_at = pg_catalog.clock_timestamp() WHERE a.closed_at IS NULL AND a.code = $1 AND a.plan = $2 AND a.subject = $3 "
                      "RETURNING a.alert_id",
                      {alert.code, alert.plan, alert.subject})
             .empty())
      announce("closed", alert);
  modify_state("DELETE FROM snapback.alert AS a WHERE a.closed_at < pg_catalog.now() - '90 days'::interval");
  std::vector<PlanFacts> facts;
  for (auto& plan : watched.plans) facts.push_back(plan->facts);
  return next_age_limit(facts, watched.now);
}

}  // namespace snapback::service
