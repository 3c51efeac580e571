#include "pg/table_reload.hpp"

#include <memory>

#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/hio.h"
#include "access/xloginsert.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/pg_index.h"
#include "commands/tablecmds.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "pgstat.h"
#include "utils/inval.h"
}

namespace snapback::pg {

namespace {

constexpr int batch_rows = 1000;
constexpr std::size_t batch_bytes = 65536;

void log_truncate(Relation relation) {
  if (!RelationIsLogicallyLogged(relation)) return;
  xl_heap_truncate record;
  Oid relid = RelationGetRelid(relation);
  record.dbId = MyDatabaseId;
  record.nrelids = 1;
  record.flags = 0;
  XLogBeginInsert();
  XLogRegisterData(reinterpret_cast<char*>(&record), SizeOfHeapTruncate);
  XLogRegisterData(reinterpret_cast<char*>(&relid), sizeof(Oid));
  XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
  (void)XLogInsert(RM_HEAP_ID, XLOG_HEAP_TRUNCATE);
}

// Slots of one batch; they are reused.
struct Batch {
  TupleTableSlot* slots[batch_rows];
  int made = 0, used = 0;
};

}  // namespace

void empty_table(Oid relid) {
  call([&] {
    Relation relation = table_open(relid, NoLock);
    CheckTableNotInUse(relation, "backup_restore()");
    Oid toast = relation->rd_rel->reltoastrelid;
    char persistence = relation->rd_rel->relpersistence;
    log_truncate(relation);
    SnapbackRelationSetNewRelfilenumber(relation, persistence);
    if (OidIsValid(toast)) {
      Relation toast_relation = relation_open(toast, AccessExclusiveLock);
      SnapbackRelationSetNewRelfilenumber(toast_relation, toast_relation->rd_rel->relpersistence);
      table_close(toast_relation, NoLock);
    }
    ReindexParams params;
    memset(&params, 0, sizeof(params));
    SnapbackReindexRelation(relid, REINDEX_REL_PROCESS_TOAST, &params);
    pgstat_count_truncate(relation);
    table_close(relation, NoLock);
    CommandCounterIncrement();
  });
}

LoadResult load_rows(Oid relid, const std::string& name, const ColumnMapping& mapping, RowParser& parser, bool write, Progress& progress) {
  struct Owned {
    Oid owner;
    MemoryContext context;
  };
  Owned owned = call([&]() -> Owned {
    Relation relation = table_open(relid, NoLock);
    Oid owner = relation->rd_rel->relowner;
    table_close(relation, NoLock);
    return {owner, AllocSetContextCreate(CurrentMemoryContext, "pg_snapback load", ALLOCSET_DEFAULT_SIZES)};
  });
  LoadResult result;
  RunAs owner(owned.owner);
  TableTarget target(relid, mapping, false);
  LargeValues large;
  RowReader reader(mapping.columns, true, &large);
  std::unique_ptr<RowWriter> writer;
  FingerprintSink sink;
  if (!mapping.identical) writer = std::make_unique<RowWriter>(RelationGetDescr(target.relation()), mapping.kept, std::vector<AttrNumber>{});

  Batch batch;
  BulkInsertState bulk = call([&] { return write ? GetBulkInsertState() : nullptr; });
  std::size_t bytes = 0;
  // Writes the rows that wait, and behind them one that has to be written value by value.
  auto flush = [&](TupleTableSlot* large_row) {
    bytes = 0;
    if (batch.used == 0 && large_row == nullptr) return;
    call([&] {
      // the insert leaves its toasted copies behind in the current context
      MemoryContext old = MemoryContextSwitchTo(owned.context);
      if (write && batch.used > 0) table_multi_insert(target.relation(), batch.slots, batch.used, target.estate()->es_output_cid, TABLE_INSERT_SKIP_FSM, bulk);
      if (write && large_row != nullptr) (void)target.insert_unsafe(large_row, true);
      MemoryContextSwitchTo(old);
      for (int i = 0; i < batch.used; ++i) ExecClearTuple(batch.slots[i]);
      if (large_row != nullptr) ExecClearTuple(large_row);
      MemoryContextReset(owned.context);
    });
    progress.add(static_cast<std::uint64_t>(batch.used) + (large_row != nullptr), 0);
    batch.used = 0;
  };

  MemoryContext outer = CurrentMemoryContext;
  try {
    for (;;) {
      if (batch.used == batch.made) {
        MemoryContextSwitchTo(outer);
        batch.slots[batch.made] = call([&] { return table_slot_create(target.relation(), nullptr); });
        ++batch.made;
      }
      TupleTableSlot* slot = batch.slots[batch.used];
      MemoryContextSwitchTo(owned.context);
      call([&] {
        ExecClearTuple(slot);
        memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
      });
      bool more = reader.read(parser, slot->tts_values, slot->tts_isnull);
      MemoryContextSwitchTo(outer);
      if (!more) break;
      bool has_pointers = false;
      call([&] {
        ResetPerTupleExprContext(target.estate());
        MemoryContext old = MemoryContextSwitchTo(owned.context);
        target.fill_defaults_unsafe(slot);
        ExecStoreVirtualTuple(slot);
        has_pointers = target.complete_unsafe(slot, false);
        if (writer) writer->write_unsafe(slot, sink);
        MemoryContextSwitchTo(old);
        if (has_pointers) return;
        // the slot's own copy lasts until the batch is written, so that memory is that of one row and one batch
        ExecMaterializeSlot(slot);
        MemoryContextReset(owned.context);
      });
      ++result.rows;
      if (!has_pointers) ++batch.used;
      bytes += parser.last_row_size();
      if (has_pointers || batch.used == batch_rows || bytes >= batch_bytes) {
        flush(has_pointers ? slot : nullptr);
        check_interrupts();
      }
    }
    flush(nullptr);
    large.clear();
  } catch (error& e) {
    rethrow_without_values(e, "load table \"" + name + "\"", static_cast<std::int64_t>(parser.row_number()));
  }
  call([&] {
    if (bulk != nullptr) FreeBulkInsertState(bulk);
    for (int i = 0; i < batch.made; ++i) ExecDropSingleTupleTableSlot(batch.slots[i]);
    if (write) table_finish_bulk_insert(target.relation(), TABLE_INSERT_SKIP_FSM);
    MemoryContextDelete(owned.context);
  });
  target.close();
  call([] { CommandCounterIncrement(); });
  result.fingerprint = sink.fingerprint();
  return result;
}

void rebuild_indexes(Oid relid, const std::string& name) {
  try {
    call([&] {
      ReindexParams params;
      memset(&params, 0, sizeof(params));
      SnapbackReindexRelation(relid, REINDEX_REL_SUPPRESS_INDEX_USE | REINDEX_REL_CHECK_CONSTRAINTS, &params);
      CommandCounterIncrement();
    });
  } catch (error& e) {
    rethrow_without_values(e, "build the indexes of table \"" + name + "\"", -1);
  }
}

void release_indexes(Oid relid) {
  call([&] {
    Relation relation = table_open(relid, NoLock);
    List* indexes = RelationGetIndexList(relation);
    Relation catalog = table_open(IndexRelationId, RowExclusiveLock);
    ListCell* cell;
    foreach (cell, indexes) {
      HeapTuple tuple = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
      if (!HeapTupleIsValid(tuple)) continue;
      auto* index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
      if (index->indcheckxmin) {
        index->indcheckxmin = false;
        CatalogTupleUpdate(catalog, &tuple->t_self, tuple);
        CacheInvalidateRelcache(relation);
      }
      heap_freetuple(tuple);
    }
    table_close(catalog, RowExclusiveLock);
    list_free(indexes);
    table_close(relation, NoLock);
    CommandCounterIncrement();
  });
}

}  // namespace snapback::pg
