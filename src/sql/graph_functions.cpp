// course_export, graph_export and the functions of profiles.
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/server.hpp"
#include "pg/json_rows.hpp"
#include "service/graph/export.hpp"
#include "service/graph/profiles.hpp"
#include "sql/arguments.hpp"

namespace snapback::sql {

namespace {

constexpr char course[] = "course";

// Any value by its output function.
std::string key_text(FunctionCallInfo fcinfo, int index, const char* name) {
  if (PG_ARGISNULL(index)) throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must not be null");
  const char* text = pg::call([&] {
    Oid output;
    bool varlena;
    getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, index), &output, &varlena);
    return OidOutputFunctionCall(output, PG_GETARG_DATUM(index));
  });
  return text;
}

// The value of a jsonb argument as text.
std::string json_text(FunctionCallInfo fcinfo, int index) {
  const char* text = pg::call([&] {
    Oid output;
    bool varlena;
    getTypeOutputInfo(JSONBOID, &output, &varlena);
    return OidOutputFunctionCall(output, PG_GETARG_DATUM(index));
  });
  return text;
}

Datum jsonb_result(const std::string& text) {
  return pg::call([&] {
    Oid input, parameter;
    getTypeInputInfo(JSONBOID, &input, &parameter);
    return OidInputFunctionCall(input, const_cast<char*>(text.c_str()), parameter, -1);
  });
}

Datum profile_result(FunctionCallInfo fcinfo, const std::string& name, int definition, const char* function) {
  if (PG_ARGISNULL(definition)) {
    return jsonb_result(pg::server_text(service::stored_profile(name).definition.dump()));
  }
  pg::refuse_read_only(function, false);
  return jsonb_result(service::store_profile(name, json_text(fcinfo, definition)));
}

Datum suggestion(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) throw snapback::error(sqlstate::invalid_parameter_value, "argument \"root\" must not be null");
  return jsonb_result(service::suggest_profile(PG_GETARG_OID(0)));
}

}  // namespace

SNAPBACK_FUNCTION(course_export) { return text_result(fcinfo, service::export_graph(course, key_text(fcinfo, 0, "id"))); }

SNAPBACK_FUNCTION(graph_export) {
  const std::string name = required_text(fcinfo, 0, "profile");
  return text_result(fcinfo, service::export_graph(name, key_text(fcinfo, 1, "id")));
}

SNAPBACK_FUNCTION(course_profile) { return profile_result(fcinfo, course, 0, "course_profile"); }

SNAPBACK_FUNCTION(graph_profile) { return profile_result(fcinfo, required_text(fcinfo, 0, "profile"), 1, "graph_profile"); }

SNAPBACK_FUNCTION(course_profile_suggest) { return suggestion(fcinfo); }

SNAPBACK_FUNCTION(graph_profile_suggest) { return suggestion(fcinfo); }

SNAPBACK_FUNCTION(course_profile_check) { return set_result(fcinfo, service::check_profile(course)); }

SNAPBACK_FUNCTION(graph_profile_check) { return set_result(fcinfo, service::check_profile(required_text(fcinfo, 0, "profile"))); }

}  // namespace snapback::sql
