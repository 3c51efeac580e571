// course_import, course_undo, course_report and graph_import.
#include "core/error.hpp"
#include "core/graph/plan_report.hpp"
#include "pg/bulk.hpp"
#include "pg/call.hpp"
#include "service/graph/import.hpp"
#include "sql/arguments.hpp"

extern "C" {
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
}

namespace snapback::sql {

namespace {

using graph::Json;

// jsonb and uuid by their output functions; json is text already.
std::optional<std::string> output_text(FunctionCallInfo fcinfo, int index, Oid output) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  const char* text = pg::call([&] { return OidOutputFunctionCall(output, PG_GETARG_DATUM(index)); });
  return std::string(text);
}

Json json_argument(FunctionCallInfo fcinfo, int index) {
  auto text = output_text(fcinfo, index, F_JSONB_OUT);
  return text ? Json::parse(pg::utf8_text(*text)) : Json();
}

Datum jsonb_result(const Json& value) {
  std::string text = pg::server_text(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  return pg::call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str())); });
}

Datum run_import(FunctionCallInfo fcinfo, service::ImportRequest request, int first) {
  request.document = pg::utf8_text(required_text(fcinfo, first, "doc"));
  request.dry_run = required_bool(fcinfo, first + 1, "dry_run");
  request.rehearse = required_bool(fcinfo, first + 2, "rehearse");
  request.mapping = json_argument(fcinfo, first + 3);
  request.context = json_argument(fcinfo, first + 4);
  request.expect_plan = text_argument(fcinfo, first + 5);
  request.on_repeat = required_text(fcinfo, first + 6, "on_repeat");
  return jsonb_result(service::import_document(request));
}

Cell some(const std::string& text) { return text.empty() ? Cell() : Cell(pg::server_text(text)); }

}  // namespace

SNAPBACK_FUNCTION(course_import) { return run_import(fcinfo, {}, 0); }

SNAPBACK_FUNCTION(graph_import) {
  service::ImportRequest request;
  request.profile = required_text(fcinfo, 0, "profile");
  return run_import(fcinfo, std::move(request), 1);
}

SNAPBACK_FUNCTION(course_undo) {
  auto batch = output_text(fcinfo, 0, F_UUID_OUT);
  if (!batch) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"batch\" must not be null");
  return jsonb_result(service::undo_import(*batch, required_bool(fcinfo, 1, "dry_run")));
}

SNAPBACK_FUNCTION(course_report) {
  if (PG_ARGISNULL(0)) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"report\" must not be null");
  std::vector<std::vector<Cell>> rows;
  for (auto& row : graph::report_rows(json_argument(fcinfo, 0)))
    rows.push_back({some(row.severity), some(row.code), some(row.table), std::to_string(row.count), some(row.place), some(row.message), some(row.hint)});
  return set_result(fcinfo, rows);
}

}  // namespace snapback::sql
