#include "pg/server.hpp"

#include "pg/call.hpp"

extern "C" {
#include "access/xlog.h"
}

namespace snapback::pg {

std::uint64_t system_identifier() { return GetSystemIdentifier(); }

bool in_recovery() { return RecoveryInProgress(); }

bool transaction_is_read_only() { return XactReadOnly; }

bool transaction_has_written() { return TransactionIdIsValid(GetTopTransactionIdIfAny()); }

void refuse_read_only(const char* function, bool standby_allowed) {
  if (in_recovery()) {
    if (standby_allowed) return;
    throw snapback::error(sqlstate::read_only_sql_transaction, std::string("cannot execute ") + function + "() during recovery", "This server is a standby.",
                          "Call it on the primary server.");
  }
  if (transaction_is_read_only())
    throw snapback::error(sqlstate::read_only_sql_transaction, std::string("cannot execute ") + function + "() in a read-only transaction", "",
                          "Over a REST gateway call it with POST instead of GET; in psql start the transaction with READ WRITE.");
}

std::string role_name(Oid role) {
  const char* name = call([&] { return GetUserNameFromId(role, true); });
  return name ? name : "";
}

std::string server_version() { return PG_VERSION; }

std::string database_encoding() { return call([] { return GetDatabaseEncodingName(); }); }

}  // namespace snapback::pg
