// Definitions in a backup are code of the roles that wrote them: who may make a table of them, and which of them run before a row is there.
#pragma once

#include <string>

#include "service/restore_plan.hpp"

namespace snapback::service {

// The role that owned the table in this database before, when the user may hand it, or its copy, back; InvalidOid otherwise.
Oid former_owner(const RestorePlan& plan, const Json& definition);

bool may_create_in(Oid role, const std::string& schema);

// True when the table's expressions would run with the rights of a user who is neither the role that wrote them nor may act as it.
bool is_strangers_code(const RestorePlan& plan, const Json& definition);

// True when parsing an expression over these columns may run code: the input function of a range, composite or array looks at the checks of domains inside it.
bool runs_when_parsed(const std::string& expression, const Json& columns);

// True when making the bare table may run code: it has generated columns, or defaults and bounds of which the above is true.
bool is_code_when_made(const Json& definition);

}  // namespace snapback::service
