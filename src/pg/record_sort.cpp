#include "pg/record_sort.hpp"

#include "pg/call.hpp"

extern "C" {
#include "catalog/pg_operator_d.h"
#include "executor/tuptable.h"
#include "utils/tuplesort.h"
}

namespace snapback::pg {

void RecordSort::put(const std::int64_t* values) {
  call([&] {
    MemoryContext old = MemoryContextSwitchTo(context_);
    if (state_ == nullptr) {
      TupleDesc description = CreateTemplateTupleDesc(columns_);
      for (int i = 0; i < columns_; ++i) TupleDescInitEntry(description, static_cast<AttrNumber>(i + 1), nullptr, INT8OID, -1, 0);
      AttrNumber numbers[most_columns];
      Oid operators[most_columns], collations[most_columns];
      bool nulls_first[most_columns];
      for (int i = 0; i < keys_; ++i) {
        numbers[i] = static_cast<AttrNumber>(i + 1);
        operators[i] = Int8LessOperator;
        collations[i] = InvalidOid;
        nulls_first[i] = false;
      }
      in_ = MakeSingleTupleTableSlot(description, &TTSOpsVirtual);
      out_ = MakeSingleTupleTableSlot(description, &TTSOpsMinimalTuple);
      state_ = tuplesort_begin_heap(description, keys_, numbers, operators, collations, nulls_first, work_mem, nullptr, TUPLESORT_NONE);
    }
    ExecClearTuple(in_);
    for (int i = 0; i < columns_; ++i) {
      in_->tts_values[i] = Int64GetDatum(values[i]);
      in_->tts_isnull[i] = false;
    }
    ExecStoreVirtualTuple(in_);
    tuplesort_puttupleslot(state_, in_);
    MemoryContextSwitchTo(old);
  });
  ++count_;
}

bool RecordSort::next(std::int64_t* values) {
  if (state_ == nullptr) return false;
  return call([&] {
    if (!sorted_) tuplesort_performsort(state_);
    sorted_ = true;
    if (!tuplesort_gettupleslot(state_, true, false, out_, nullptr)) return false;
    slot_getallattrs(out_);
    for (int i = 0; i < columns_; ++i) values[i] = DatumGetInt64(out_->tts_values[i]);
    return true;
  });
}

void RecordSort::close() {
  if (state_ == nullptr) return;
  call([&] {
    ExecDropSingleTupleTableSlot(in_);
    ExecDropSingleTupleTableSlot(out_);
    tuplesort_end(state_);
  });
  state_ = nullptr;
}

}  // namespace snapback::pg
