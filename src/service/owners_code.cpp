#include "service/owners_code.hpp"

#include <regex>
#include <set>

#include "pg/call.hpp"
#include "pg/spi.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

// Whether the input function of the type is the server's, or an extension's, and looks at nothing that a user wrote.
bool has_plain_input(const std::string& type) {
  auto rows = pg::query(R"(
      WITH RECURSIVE base (oid) AS (
        SELECT pg_catalog.to_regtype($1)::pg_catalog.oid
        UNION
        SELECT t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
      SELECT pg_catalog.bool_and(coalesce(e.typtype, t.typtype) IN ('b', 'e') OR coalesce(e.typnamespace, t.typnamespace) = 'pg_catalog'::pg_catalog.regnamespace)
        FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
       WHERE t.typtype <> 'd')",
                        {type});
  return rows[0][0] == "t";
}

std::string without_modifier(const std::string& type) { return std::regex_replace(type, std::regex(R"(\([0-9, ]*\))"), ""); }

// Types that literals of an expression are cast to, as PostgreSQL prints them ('...'::type). False when it has a literal of another form.
bool literal_types(const std::string& expression, std::set<std::string>& types) {
  // std::regex recurses for every character of a repetition: literals are taken out by hand
  std::string bare;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] != '\'') {
      bare += expression[i];
      continue;
    }
    for (++i; i < expression.size(); ++i)
      if (expression[i] == '\'' && (i + 1 == expression.size() || expression[++i] != '\'')) break;
    bare += "\x01";
    if (i < expression.size()) bare += expression[i];
  }
  static const std::regex other_forms(R"(\bcast\s*\(|[\w"]\s*)" "\x01", std::regex::icase);
  if (std::regex_search(bare, other_forms)) return false;
  static const std::regex cast(R"(::\s*((?:"[^"]*"|\w)+\.(?:"[^"]*"|\w)+))");
  for (std::sregex_iterator it(bare.begin(), bare.end(), cast), end; it != end; ++it) types.insert((*it)[1]);
  return true;
}

}  // namespace

Oid former_owner(const RestorePlan& plan, const Json& definition) {
  if (!plan.source->backup.is_own) return InvalidOid;
  std::string owner = string_of(definition, "owner");
  return pg::call([&]() -> Oid {
    Oid role = get_role_oid(owner.c_str(), true);
    return OidIsValid(role) && role != GetUserId() && has_privs_of_role(GetUserId(), role) ? role : InvalidOid;
  });
}

bool may_create_in(Oid role, const std::string& schema) {
  auto rows = pg::query("SELECT pg_catalog.has_schema_privilege($1::oid, oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $2", {std::to_string(role), schema});
  return !rows.empty() && rows[0][0] == "t";
}

bool is_strangers_code(const RestorePlan& plan, const Json& definition) {
  if (!plan.source->backup.is_own) return false;  // trusted by name, with from_database
  std::string owner = string_of(definition, "owner");
  return pg::call([&] {
    Oid role = get_role_oid(owner.c_str(), true);
    return OidIsValid(role) && !has_privs_of_role(GetUserId(), role);
  });
}

bool runs_when_parsed(const std::string& expression, const Json& columns) {
  if (expression.find('\'') == std::string::npos) return false;  // no literal
  std::set<std::string> types;
  if (!literal_types(expression, types)) return true;
  for (auto& column : columns) types.insert(without_modifier(string_of(column, "type")));
  for (auto& type : types)
    if (!has_plain_input(type)) return true;
  return false;
}

bool is_code_when_made(const Json& definition) {
  auto& columns = definition.at("columns");
  for (auto& column : columns) {
    if (column.contains("generated_stored") || column.contains("generated_virtual")) return true;
    if (runs_when_parsed(column.value("default", ""), columns)) return true;
  }
  if (auto parent = definition.find("partition_of"); parent != definition.end()) return runs_when_parsed(parent->value("bound", ""), columns);
  return false;
}

}  // namespace snapback::service
