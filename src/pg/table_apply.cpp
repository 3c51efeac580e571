#include "pg/table_apply.hpp"

#include <memory>

#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/key_lookup.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"
#include "pg/snapshot.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
}

namespace snapback::pg {

Oid usable_key_index(Oid relid) {
  return call([&]() -> Oid {
    Relation relation = table_open(relid, NoLock);
    list_free(RelationGetIndexList(relation));  // fills rd_pkindex
    Oid found = relation->rd_pkindex;
    if (OidIsValid(found)) {
      HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(found));
      if (HeapTupleIsValid(tuple)) {
        auto* index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
        if (!index->indimmediate || !index->indisvalid) found = InvalidOid;
        ReleaseSysCache(tuple);
      }
    }
    table_close(relation, NoLock);
    return found;
  });
}

ApplyResult apply_rows(Oid relid, const std::string& name, const ColumnMapping& mapping, RowParser& parser, const ApplyOptions& options, Progress& progress) {
  Oid index = usable_key_index(relid);
  struct Setup {
    Oid owner;
    MemoryContext context;
    TupleTableSlot *wanted, *found;
  };
  ApplyResult result;
  Oid owner_id = call([&] {
    Relation relation = table_open(relid, NoLock);
    Oid owner = relation->rd_rel->relowner;
    table_close(relation, NoLock);
    return owner;
  });
  RunAs owner(owner_id);
  push_latest_snapshot();
  TableTarget target(relid, mapping, options.write);
  LargeValues large;
  RowReader reader(mapping.columns, true, &large);
  RowWriter writer(RelationGetDescr(target.relation()), mapping.kept, std::vector<AttrNumber>{});
  FingerprintSink sink;
  KeyLookup lookup;
  Setup setup = call([&]() -> Setup {
    Setup s;
    s.owner = owner_id;
    s.context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback apply", ALLOCSET_DEFAULT_SIZES);
    s.wanted = MakeSingleTupleTableSlot(RelationGetDescr(target.relation()), &TTSOpsVirtual);
    s.found = table_slot_create(target.relation(), nullptr);
    open_lookup_unsafe(lookup, target.relation(), index);
    return s;
  });

  auto hash_of = [&](TupleTableSlot* slot) {
    writer.write_unsafe(slot, sink);
    return sink.last_row();
  };
  auto insert = [&](TupleTableSlot* slot) {
    target.fill_defaults_unsafe(slot);
    ExecStoreVirtualTuple(slot);
    const bool has_pointers = target.complete_unsafe(slot, false);
    (void)target.insert_unsafe(slot, has_pointers);
    result.added.add(hash_of(slot));
  };
  // the columns that the backup does not have keep their live values
  auto overwrite = [&](TupleTableSlot* slot, TupleTableSlot* live) {
    slot_getallattrs(live);
    for (int i = 0; i < slot->tts_tupleDescriptor->natts; ++i) {
      bool from_backup = false;
      for (AttrNumber kept : mapping.kept) from_backup |= kept == i + 1;
      if (from_backup) continue;
      slot->tts_values[i] = live->tts_values[i];
      slot->tts_isnull[i] = live->tts_isnull[i];
    }
    ExecStoreVirtualTuple(slot);
    const bool has_pointers = target.complete_unsafe(slot, true);
    (void)target.update_unsafe(live->tts_tid, slot, has_pointers);
    result.added.add(hash_of(slot));
  };

  MemoryContext outer = CurrentMemoryContext;
  try {
    for (;;) {
      call([&] {
        ExecClearTuple(setup.wanted);
        ExecClearTuple(setup.found);
        memset(setup.wanted->tts_isnull, true, setup.wanted->tts_tupleDescriptor->natts * sizeof(bool));
        MemoryContextReset(setup.context);
        ResetPerTupleExprContext(target.estate());
      });
      MemoryContextSwitchTo(setup.context);
      bool more = reader.read(parser, setup.wanted->tts_values, setup.wanted->tts_isnull);
      if (!more) break;
      call([&] {
        bool exists = find_unsafe(lookup, setup.wanted, setup.found);
        if (!exists) {
          ++result.inserted;
          if (options.write) insert(setup.wanted);
          return;
        }
        if (!options.overwrite) {
          ++result.unchanged;
          return;
        }
        Fingerprint live = hash_of(setup.found);
        Fingerprint backup;
        if (mapping.identical) {
          backup = parser.last_row_hash();
        } else {
          ExecStoreVirtualTuple(setup.wanted);
          backup = hash_of(setup.wanted);
        }
        if (live == backup) {
          ++result.unchanged;
          return;
        }
        ++result.updated;
        if (!options.write) return;
        result.removed.add(live);
        overwrite(setup.wanted, setup.found);
      });
      MemoryContextSwitchTo(outer);
      progress.add(1, 0);
      check_interrupts();
    }
    MemoryContextSwitchTo(outer);
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, "write to table \"" + name + "\"", static_cast<std::int64_t>(parser.row_number()));
  }
  large.clear();
  call([&] {
    close_lookup_unsafe(lookup);
    ExecDropSingleTupleTableSlot(setup.wanted);
    ExecDropSingleTupleTableSlot(setup.found);
    MemoryContextDelete(setup.context);
  });
  target.close();
  pop_snapshot();
  call([] { CommandCounterIncrement(); });
  return result;
}

}  // namespace snapback::pg
