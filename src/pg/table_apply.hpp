// The row-wise road: rows found by primary key, inserted or overwritten one at a time (modes missing and upsert).
#pragma once

#include "core/format/row_parser.hpp"
#include "core/format/row_sink.hpp"
#include "pg/pg.hpp"
#include "pg/progress.hpp"
#include "pg/table_target.hpp"

namespace snapback::pg {

struct ApplyResult {
  std::uint64_t inserted = 0, updated = 0, unchanged = 0;
  Fingerprint added, removed;  // hashes of the rows written and of those overwritten, over the kept columns
};

struct ApplyOptions {
  bool overwrite = false;  // upsert; otherwise rows whose key exists are left alone
  bool write = true;       // false: only count what would happen
};

// Needs SHARE ROW EXCLUSIVE on the table (ACCESS SHARE when nothing is written), a valid primary key index and every key column among the mapping's kept ones, of unchanged type.
// Runs as the table's owner, under the newest snapshot.
ApplyResult apply_rows(Oid relation, const std::string& name, const ColumnMapping& mapping, RowParser& parser, const ApplyOptions& options, Progress& progress);

// Primary key index that apply_rows can use: InvalidOid when there is none (or it is deferrable).
Oid usable_key_index(Oid relation);

}  // namespace snapback::pg
