#include "service/run_call.hpp"

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"

namespace snapback::service {

namespace {

struct Argument {
  std::string name, type;  // the type by its qualified name
};

struct Function {
  std::string oid, name;  // qualified
  std::size_t required = 0;  // the first so many arguments have no default
  std::vector<Argument> arguments;
};

Function find_function(const std::string& kind) {
  Function function;
  for (auto& row : pg::query(R"(
      SELECT p.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname), a.name,
             pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.typname), p.pronargs - p.pronargdefaults
        FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid AND p.pronamespace = n.oid
        CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(p.proargnames[1:p.pronargs]), pg_catalog.unnest(p.proargtypes::oid[])) WITH ORDINALITY AS a (name, type, n)
        JOIN pg_catalog.pg_type t ON t.oid = a.type
        JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
       WHERE e.extname = 'pg_snapback' AND p.proname = 'backup_' || $1
       ORDER BY a.n)",
                             {kind})) {
    function.oid = *row[0];
    function.name = *row[1];
    function.required = std::stoul(*row[4]);
    function.arguments.push_back({*row[2], *row[3]});
  }
  if (function.oid.empty())
    throw snapback::error(sqlstate::feature_not_supported, "action \"" + kind + "\" is not supported by this version of the extension");
  return function;
}

pg::Cell text_of(const std::string& name, const Json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return pg::server_text(value.get<std::string>());
  if (!value.is_array()) return pg::server_text(value.dump());
  std::vector<std::string> items;
  for (auto& item : value) {
    if (!item.is_string())
      throw snapback::error(sqlstate::invalid_parameter_value, "argument \"" + printable(name) + "\" must be a list of texts", "", "For example {\"tables\": [\"courses\", \"quiz_*\"]}.");
    items.push_back(pg::server_text(item.get<std::string>()));
  }
  return pg::array_literal(items);
}

const Argument& find_argument(const Function& function, const std::string& kind, const std::string& name) {
  std::string known;
  for (auto& argument : function.arguments) {
    if (argument.name == name) return argument;
    known += (known.empty() ? "" : ", ") + argument.name;
  }
  throw snapback::error(sqlstate::invalid_parameter_value, "action \"" + kind + "\" has no argument \"" + printable(name) + "\"", "It takes: " + known + ".");
}

RunCall join(const std::string& kind, const Json& arguments, const Function& function, bool call) {
  RunCall result;
  std::string list;
  for (std::size_t i = 0; i < function.required; ++i)
    if (!arguments.contains(function.arguments[i].name))
      throw snapback::error(sqlstate::invalid_parameter_value, "action \"" + kind + "\" needs the argument \"" + function.arguments[i].name + "\"");
  for (auto& [name, value] : arguments.items()) {
    auto& argument = find_argument(function, kind, name);
    result.values.push_back(text_of(name, value));
    list += (list.empty() ? "" : ", ") + (call ? pg::quote_identifier(argument.name) + " => " : std::string()) + "CAST($" + std::to_string(result.values.size()) + " AS " + argument.type + ")";
  }
  result.sql = call ? "SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)) FROM " + function.name + "(" + list + ") AS r" : "SELECT " + list;
  return result;
}

}  // namespace

RunCall make_run_call(const std::string& kind, const Json& arguments) { return join(kind, arguments, find_function(kind), true); }

void check_run_call(const std::string& kind, const Json& arguments, const std::string& role) {
  auto function = find_function(kind);
  auto call = join(kind, arguments, function, false);
  if (!call.values.empty()) (void)pg::query(call.sql, call.values);
  if (pg::query("SELECT pg_catalog.has_function_privilege($1, $2::oid, 'EXECUTE')", {role, function.oid})[0][0] != "t")
    throw snapback::error(sqlstate::insufficient_privilege, "permission denied for function backup_" + kind, "",
                          kind == "create" || kind == "delete" || kind == "prune" ? "A superuser can grant it: SELECT backup_grant('role', 'operate')." : "A superuser can grant it: SELECT backup_grant('role').");
}

}  // namespace snapback::service
