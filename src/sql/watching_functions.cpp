// snapback.last_good_backups, snapback.current_alerts, snapback.current_metrics, backup_health, backup_checklist.
#include "core/backup_id.hpp"
#include "pg/encoding.hpp"
#include "pg/server.hpp"
#include "service/retention.hpp"
#include "service/watching.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

namespace {

Cell moment_cell(service::Seconds moment) { return format_utc(moment * 1000000); }
Cell text_or_null(const std::string& text) { return text.empty() ? Cell() : Cell(text); }

std::string number_text(double value) {
  char buffer[64];
  snprintf(buffer, sizeof(buffer), "%.17g", value);
  return buffer;
}

}  // namespace

SNAPBACK_FUNCTION(last_good_backups) {
  std::vector<std::vector<Cell>> rows;
  for (auto& backup : service::last_good_backups()) rows.push_back({backup.plan(), backup.id, format_utc(service::created_microseconds(backup))});
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(current_alerts) {
  std::vector<std::vector<Cell>> rows;
  for (auto& alert : service::current_alerts())
    rows.push_back({alert.severity, alert.code, text_or_null(alert.plan), moment_cell(alert.since), alert.message, text_or_null(alert.hint), text_or_null(alert.subject)});
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(current_metrics) {
  std::vector<std::vector<Cell>> rows;
  for (auto& metric : service::metrics()) rows.push_back({metric.name, pg::shown_text(metric.labels.dump()), number_text(metric.value), metric.help});
  return set_result(fcinfo, rows);
}

SNAPBACK_FUNCTION(refresh_alerts) {
  pg::refuse_read_only("snapback.refresh_alerts", false);
  auto next = service::refresh_alerts();
  return text_result(fcinfo, next ? moment_cell(*next) : Cell());
}

SNAPBACK_FUNCTION(backup_health) {
  auto health = service::health();
  return composite_result(fcinfo, {boolean_cell(health.status == "ok"), health.status, health.message, health.last_good ? moment_cell(*health.last_good) : Cell(),
                                   health.last_good ? Cell(std::to_string(health.now - *health.last_good)) : Cell(), std::to_string(health.alerts), std::to_string(health.critical),
                                   std::to_string(health.plans)});
}

SNAPBACK_FUNCTION(backup_checklist) {
  std::vector<std::vector<Cell>> rows;
  for (auto& item : service::checklist()) rows.push_back({item.item, boolean_cell(item.ok), item.reason});
  return set_result(fcinfo, rows);
}

}  // namespace snapback::sql
