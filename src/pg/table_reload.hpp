// The reload road: new storage for a table, its rows in bulk, its indexes once.
#pragma once

#include "core/format/row_parser.hpp"
#include "core/format/row_sink.hpp"
#include "pg/pg.hpp"
#include "pg/progress.hpp"
#include "pg/table_target.hpp"

namespace snapback::pg {

// Gives a table (ACCESS EXCLUSIVE held) new, empty storage, TOAST and indexes included, transactionally; the old comes back on rollback. Writes the TRUNCATE record that logical
// decoding needs. Foreign keys are not looked at.
void empty_table(Oid relation);

struct LoadResult {
  std::uint64_t rows = 0;
  Fingerprint fingerprint;  // over the kept columns as converted; only filled when the mapping is not identical
};

// Appends the parser's rows without touching the indexes, which must be rebuilt afterwards. Runs as the table's owner. With `write` false nothing is written, but every row is converted,
// completed and checked as if it were to be.
LoadResult load_rows(Oid relation, const std::string& name, const ColumnMapping& mapping, RowParser& parser, bool write, Progress& progress);

// Builds all indexes of a table anew and checks their constraints.
void rebuild_indexes(Oid relation, const std::string& name);

// For a table that this transaction made and loaded, after its indexes are built: lets everybody use them from the commit on. The server keeps an index from older transactions where it met
// rows that were updated on their page before it was built, as large rows are; but here no version but the last was ever visible to others.
void release_indexes(Oid relation);

}  // namespace snapback::pg
