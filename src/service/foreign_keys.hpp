// Foreign keys that a restore touches: locked with their far ends, checked set-wise afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/catalog.hpp"

namespace snapback::service {

// Every key with one end in `tables` (their partitioned ancestors counted in).
std::vector<ForeignKeyDescription> keys_touching(const std::vector<Oid>& tables);
// The ends of those keys that lie outside `tables`.
std::vector<Oid> far_ends(const std::vector<ForeignKeyDescription>& keys, const std::vector<Oid>& tables);

// Who is to add a foreign key to `table`, for adding it looks at all rows: the current user where no code of an owner's can run, else the table's owner. None where that would lend an owner's
// rights to the code of another: a superuser's, or those of the other table's owner, as whom the server looks at rows that the first may not read.
std::optional<Oid> adding_role(const TableDescription& table, const std::vector<std::string>& columns, Oid referenced, const std::vector<std::string>& referenced_columns);

// Looks with the newest snapshot for rows whose reference points nowhere. Raises 23503 naming table and key; the offending values are shown to callers who may read that table, never logged.
// Runs no code of a table's owner with other rights than that owner's: where indexes have expressions, or the comparison needs a cast, the check runs as one of the owners.
void check_foreign_keys(const std::vector<ForeignKeyDescription>& keys);

}  // namespace snapback::service
