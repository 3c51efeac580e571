#include "pg/key_lookup.hpp"

#include "pg/call.hpp"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "executor/tuptable.h"
}

namespace snapback::pg {

void open_lookup_unsafe(KeyLookup& lookup, Relation relation, Oid index) {
  lookup.context = CurrentMemoryContext;
  lookup.index = index_open(index, AccessShareLock);
  lookup.count = IndexRelationGetNumberOfKeyAttributes(lookup.index);
  for (int i = 0; i < lookup.count; ++i) {
    lookup.columns[i] = lookup.index->rd_index->indkey.values[i];
    Oid family = lookup.index->rd_opfamily[i], type = lookup.index->rd_opcintype[i];
    Oid equality = get_opfamily_member(family, type, type, BTEqualStrategyNumber);
    if (!OidIsValid(equality)) elog(ERROR, "no equality operator in operator family %u", family);
    ScanKeyInit(&lookup.keys[i], static_cast<AttrNumber>(i + 1), BTEqualStrategyNumber, get_opcode(equality), static_cast<Datum>(0));
    lookup.keys[i].sk_collation = lookup.index->rd_indcollation[i];
  }
  lookup.scan = SnapbackIndexBeginScan(relation, lookup.index, GetActiveSnapshot(), lookup.count);
}

bool find_unsafe(KeyLookup& lookup, TupleTableSlot* wanted, TupleTableSlot* found) {
  for (int i = 0; i < lookup.count; ++i) {
    int position = lookup.columns[i] - 1;
    if (wanted->tts_isnull[position]) return false;
    lookup.keys[i].sk_argument = wanted->tts_values[position];
  }
  // not in the context of the row, which is reset before the scan frees its list of dead entries
  MemoryContext row = MemoryContextSwitchTo(lookup.context);
  index_rescan(lookup.scan, lookup.keys, lookup.count, nullptr, 0);
  bool exists = index_getnext_slot(lookup.scan, ForwardScanDirection, found);
  MemoryContextSwitchTo(row);
  return exists;
}

void close_lookup_unsafe(KeyLookup& lookup) {
  index_endscan(lookup.scan);
  index_close(lookup.index, AccessShareLock);
}

namespace {

bool is_key_unsafe(Relation relation, Relation index) {
  Form_pg_index form = index->rd_index;
  if (!form->indisunique || !form->indisvalid || !form->indisready || index->rd_rel->relam != BTREE_AM_OID) return false;
  if (RelationGetIndexExpressions(index) != NIL || RelationGetIndexPredicate(index) != NIL) return false;
  for (int i = 0; i < form->indnkeyatts; ++i) {
    int number = form->indkey.values[i];
    if (number <= 0 || !TupleDescAttr(RelationGetDescr(relation), number - 1)->attnotnull) return false;
  }
  return true;
}

}  // namespace

TableKey find_table_key(Oid relid) {
  struct Found {
    Oid index;
    bool immediate, primary;
    int count;
    AttrNumber columns[INDEX_MAX_KEYS];
  };
  Found found = call([&]() -> Found {
    Found best{InvalidOid, false, false, 0, {}};
    Relation relation = table_open(relid, NoLock);
    List* indexes = RelationGetIndexList(relation);
    ListCell* cell;
    foreach (cell, indexes) {
      Relation index = index_open(lfirst_oid(cell), AccessShareLock);
      Form_pg_index form = index->rd_index;
      bool better = !OidIsValid(best.index) || (form->indisprimary && !best.primary) || (!best.primary && form->indimmediate && !best.immediate);
      if (better && is_key_unsafe(relation, index)) {
        best.index = RelationGetRelid(index);
        best.immediate = form->indimmediate;
        best.primary = form->indisprimary;
        best.count = form->indnkeyatts;
        for (int i = 0; i < best.count; ++i) best.columns[i] = form->indkey.values[i];
      }
      index_close(index, AccessShareLock);
    }
    list_free(indexes);
    table_close(relation, NoLock);
    return best;
  });
  return {found.index, found.immediate, {found.columns, found.columns + found.count}};
}

}  // namespace snapback::pg
