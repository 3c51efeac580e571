// Facts about the server this backend belongs to.
#pragma once

#include <cstdint>
#include <string>

#include "pg/pg.hpp"

namespace snapback::pg {

std::uint64_t system_identifier();
// True on a hot standby.
bool in_recovery();
// True in a READ ONLY transaction (always on a standby).
bool transaction_is_read_only();
// True when the transaction has an id, so may have written something.
bool transaction_has_written();
// Raises 25006 for `function` in a read-only transaction; with `standby_allowed` not on a standby.
void refuse_read_only(const char* function, bool standby_allowed);
std::string role_name(Oid role);
std::string server_version();
std::string database_encoding();

}  // namespace snapback::pg
