// A first look at how much of a table differs from a backup.
#pragma once

#include "core/format/row_parser.hpp"
#include "pg/key_lookup.hpp"
#include "pg/pg.hpp"
#include "pg/table_target.hpp"

namespace snapback::pg {

struct Sample {
  std::uint64_t looked_at = 0;  // rows of the backup
  std::uint64_t found = 0;      // whose key the live table has
  std::uint64_t equal = 0;      // and whose other values too
};

// Looks about one in `step` rows of the parser up by its key and adds to `sample`. ACCESS SHARE will do. `mapping` keeps every column of the key. As the table's owner, under the newest snapshot.
void sample_rows(Oid relation, const std::string& name, const ColumnMapping& mapping, const TableKey& key, RowParser& parser, std::uint64_t step, Sample& sample);

// Live rows: counted up to `most_blocks` blocks of the table, estimated by the planner's figures above.
std::uint64_t about_rows(Oid relation, std::uint64_t most_blocks);

// Changes of the table are decoded by somebody: it is published, or a logical slot of this database exists; and rows that change can be told apart in the stream.
struct Decoding {
  bool decoded = false;
  bool has_identity = false;
};
Decoding decoding_of(Oid relation);

}  // namespace snapback::pg
