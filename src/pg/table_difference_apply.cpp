// Writing what find_difference() found.
#include "pg/call.hpp"
#include "pg/difference_sides.hpp"
#include "pg/identity.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"
#include "pg/snapshot.hpp"
#include "pg/table_difference.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
}

namespace snapback::pg {

namespace {

void remove_rows(TableTarget& target, Difference& found, Progress& progress) {
  for (bool more = true; more;) {
    int rows = 0;
    while (rows < rows_per_call) {
      std::int64_t place;
      more = found.removals.next(&place);
      if (!more) break;
      call([&] {
        ItemPointerData position;
        set_place(position, place);
        simple_table_tuple_delete(target.relation(), &position, GetActiveSnapshot());
      });
      ++rows;
    }
    progress.add(static_cast<std::uint64_t>(rows), 0);
    check_interrupts();
  }
}

// Writes one row of the backup at a time.
class RowChanges {
 public:
  RowChanges(TableTarget& target, const ColumnMapping& mapping, bool write) : target_(target), reader_(mapping.columns, true, &large_), write_(write) {
    TupleDesc description = RelationGetDescr(target.relation());
    from_backup_.resize(static_cast<std::size_t>(description->natts));
    for (AttrNumber kept : mapping.kept) from_backup_[static_cast<std::size_t>(kept - 1)] = true;
    call([&] {
      context_ = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback changed rows", ALLOCSET_DEFAULT_SIZES);
      row_ = MakeSingleTupleTableSlot(description, &TTSOpsVirtual);
      live_ = table_slot_create(target.relation(), nullptr);
    });
  }

  // The parser stands before the row. `live`: place of the row it replaces, or -1.
  void apply(RowParser& parser, std::int64_t live, bool in_place) {
    MemoryContext outer = CurrentMemoryContext;
    call([&] {
      ExecClearTuple(row_);
      ExecClearTuple(live_);
      memset(row_->tts_isnull, true, row_->tts_tupleDescriptor->natts * sizeof(bool));
      MemoryContextReset(context_);
      ResetPerTupleExprContext(target_.estate());
    });
    MemoryContextSwitchTo(context_);
    if (!reader_.read(parser, row_->tts_values, row_->tts_isnull)) parser.fail("it is not there any more");
    call([&] {
      if (live < 0)
        target_.fill_defaults_unsafe(row_);
      else
        keep_other_columns_unsafe(live, in_place);
      ExecStoreVirtualTuple(row_);
      const bool has_pointers = target_.complete_unsafe(row_, in_place);
      if (!write_) return;
      ItemPointerData position;
      if (in_place) set_place(position, live);
      refuse_conflicts_unsafe(in_place ? target_.update_unsafe(position, row_, has_pointers) : target_.insert_unsafe(row_, has_pointers), target_.relation());
    });
    MemoryContextSwitchTo(outer);
  }

  void close() {
    large_.clear();
    call([&] {
      ExecDropSingleTupleTableSlot(row_);
      ExecDropSingleTupleTableSlot(live_);
      MemoryContextDelete(context_);
    });
  }

 private:
  // What the backup does not have stays as it is in the row that is replaced; that one may be removed by now, but not by anybody else.
  void keep_other_columns_unsafe(std::int64_t place, bool in_place) {
    ItemPointerData position;
    set_place(position, place);
    if (!table_tuple_fetch_row_version(target_.relation(), &position, in_place ? GetActiveSnapshot() : SnapshotAny, live_)) elog(ERROR, "a live row is not where it was");
    slot_getallattrs(live_);
    for (int i = 0; i < row_->tts_tupleDescriptor->natts; ++i) {
      if (from_backup_[static_cast<std::size_t>(i)]) continue;
      row_->tts_values[i] = live_->tts_values[i];
      row_->tts_isnull[i] = live_->tts_isnull[i];
    }
  }

  TableTarget& target_;
  LargeValues large_;
  RowReader reader_;
  bool write_;
  std::vector<bool> from_backup_;
  MemoryContext context_;
  TupleTableSlot *row_, *live_;
};

void change_rows(TableTarget& target, const ColumnMapping& mapping, RowParser& parser, Difference& found, bool write, Progress& progress) {
  RowChanges changes(target, mapping, write);
  std::int64_t record[3];
  while (found.writes.next(record)) {
    while (static_cast<std::int64_t>(parser.rows_begun()) < record[0]) {
      if (!parser.next_row()) parser.fail("it is not there any more");
      parser.skip_row();
      if (parser.rows_begun() % rows_per_call == 0) check_interrupts();
    }
    changes.apply(parser, record[1], record[2] != 0);
    progress.add(1, 0);
    check_interrupts();
  }
  changes.close();
}

}  // namespace

void apply_difference(Oid relid, const std::string& name, const ColumnMapping& mapping, RowParser& parser, Difference& found, bool write, Progress& progress) {
  Oid owner_id = call([&] {
    Relation relation = table_open(relid, NoLock);
    Oid owner = relation->rd_rel->relowner;
    table_close(relation, NoLock);
    return owner;
  });
  RunAs owner(owner_id);
  push_latest_snapshot();
  TableTarget target(relid, mapping, write);
  MemoryContext outer = CurrentMemoryContext;
  try {
    if (write) remove_rows(target, found, progress);
    change_rows(target, mapping, parser, found, write, progress);
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, "write to table \"" + name + "\"", static_cast<std::int64_t>(parser.place()));
  }
  target.close();
  found.close();
  pop_snapshot();
  call([] { CommandCounterIncrement(); });
}

}  // namespace snapback::pg
