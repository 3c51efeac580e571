// Finding one live row after another by a unique index.
#pragma once

#include <vector>

#include "pg/pg.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
}

namespace snapback::pg {

// A scan of a B-tree for one row at a time. Trivially destructible.
struct KeyLookup {
  Relation index;
  IndexScanDesc scan;
  MemoryContext context;  // lives as long as the scan, which keeps what it allocates on the way
  ScanKeyData keys[INDEX_MAX_KEYS];
  AttrNumber columns[INDEX_MAX_KEYS];
  int count;
};

// All three are to be called inside pg::call. Rows are looked for under the active snapshot of the time of opening.
void open_lookup_unsafe(KeyLookup& lookup, Relation relation, Oid index);
// The live row whose key equals that in the values of `wanted`; false when there is none, or a key column is NULL. `found` keeps a pin until it is cleared.
bool find_unsafe(KeyLookup& lookup, TupleTableSlot* wanted, TupleTableSlot* found);
void close_lookup_unsafe(KeyLookup& lookup);

// What rows of a table are told apart by: the primary key, or else a unique index over NOT NULL columns, without expressions or predicate.
struct TableKey {
  Oid index = InvalidOid;  // none: the table has no such key
  bool immediate = true;   // false: deferrable
  std::vector<AttrNumber> columns;
};
// The relation is locked by the caller.
TableKey find_table_key(Oid relation);

}  // namespace snapback::pg
