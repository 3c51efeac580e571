// Writing a row whose values are too large to be in memory all at once.
#include "pg/call.hpp"
#include "pg/table_target.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
}

namespace snapback::pg {

// The toaster fetches every value that a new tuple points to before it stores the first one, but leaves alone what the version before has stored already. So the row is first written without
// its large values, and each of them makes a next version. None but the last is ever seen by anybody; they go with the first vacuum, and with a rollback.
//
// Index entries are made of the complete row. A version that stays on its page while no indexed column changes gets none of its own (HOT): those of the first version lead to it. So where no
// large value is in an index, the first version has the entries, and a later one that does not fit its page. Otherwise the indexed ones come last of all, and the last version, which
// then stands for itself, has them.

namespace {

struct LargeColumns {
  int* columns;  // those in an index last
  int count;
  bool indexed;  // whether one is in an index
};

LargeColumns large_columns_unsafe(Relation relation, TupleTableSlot* slot, bool is_new) {
  const int natts = slot->tts_tupleDescriptor->natts;
  LargeColumns large = {static_cast<int*>(palloc(sizeof(int) * static_cast<Size>(natts))), 0, false};
  Bitmapset* indexed = RelationGetIndexAttrBitmap(relation, SNAPBACK_INDEX_ATTRIBUTES);
  for (bool wanted : {false, true}) {
    for (int i = 0; i < natts; ++i) {
      if (slot->tts_isnull[i] || TupleDescAttr(slot->tts_tupleDescriptor, i)->attlen != -1) continue;
      struct varlena* value = reinterpret_cast<struct varlena*>(DatumGetPointer(slot->tts_values[i]));
      // a new row may also have values of one that was deleted
      if (!(is_new ? VARATT_IS_EXTERNAL(value) : VARATT_IS_EXTERNAL_INDIRECT(value))) continue;
      if (bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, indexed) != wanted) continue;
      large.columns[large.count++] = i;
      large.indexed |= wanted;
    }
  }
  bms_free(indexed);
  return large;
}

void copy_values(TupleTableSlot* to, TupleTableSlot* from) {
  const auto natts = static_cast<Size>(to->tts_tupleDescriptor->natts);
  ExecClearTuple(to);
  memcpy(to->tts_values, from->tts_values, natts * sizeof(Datum));
  memcpy(to->tts_isnull, from->tts_isnull, natts * sizeof(bool));
}

}  // namespace

List* TableTarget::write_by_value_unsafe(const ItemPointerData* place, TupleTableSlot* slot) {
  if (version_ == nullptr) {
    MemoryContext old = MemoryContextSwitchTo(estate_->es_query_cxt);
    version_ = table_slot_create(relation_, nullptr);
    next_ = MakeSingleTupleTableSlot(RelationGetDescr(relation_), &TTSOpsVirtual);
    MemoryContextSwitchTo(old);
  }
  slot_getallattrs(slot);
  const LargeColumns large = large_columns_unsafe(relation_, slot, place == nullptr);
  ItemPointerData written;
  snapback_update_indexes_t indexes = {};
  List* doubtful = NIL;
  auto entries = [&](bool update) {
    slot->tts_tid = written;
    doubtful = list_concat(doubtful, insert_entries_unsafe(slot, update, indexes));
  };

  Snapshot snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : nullptr;
  copy_values(next_, slot);
  for (int i = 0; i < large.count; ++i) next_->tts_isnull[large.columns[i]] = true;
  ExecStoreVirtualTuple(next_);
  if (place == nullptr) {
    table_tuple_insert(relation_, next_, GetCurrentCommandId(true), 0, nullptr);
  } else {
    ItemPointerData position = *place;
    simple_table_tuple_update(relation_, &position, next_, snapshot, &indexes);
  }
  written = next_->tts_tid;
  if (!large.indexed) entries(place != nullptr);

  for (int i = 0; i < large.count; ++i) {
    const int column = large.columns[i];
    CHECK_FOR_INTERRUPTS();
    CommandCounterIncrement();
    if (!table_tuple_fetch_row_version(relation_, &written, SnapshotAny, version_)) elog(ERROR, "a version of a row is not where it was written");
    slot_getallattrs(version_);
    copy_values(next_, version_);
    next_->tts_isnull[column] = false;
    next_->tts_values[column] = slot->tts_values[column];
    ExecStoreVirtualTuple(next_);
    simple_table_tuple_update(relation_, &written, next_, snapshot, &indexes);
    written = next_->tts_tid;
    if (!large.indexed) entries(true);
  }
  if (large.indexed) {
    if (SnapbackUpdatesNoIndexes(indexes) || SnapbackUpdatesSummarizing(indexes)) elog(ERROR, "the last version of a row was written without its index entries");
    entries(place != nullptr);
  }
  ExecClearTuple(next_);
  ExecClearTuple(version_);
  // rows that follow belong to the command of the last version
  estate_->es_output_cid = GetCurrentCommandId(true);
  return doubtful;
}

}  // namespace snapback::pg
