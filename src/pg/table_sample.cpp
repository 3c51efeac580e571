#include "pg/table_sample.hpp"

#include "core/format/row_sink.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"
#include "pg/snapshot.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "catalog/catalog.h"
#include "catalog/pg_publication.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
}

namespace snapback::pg {

namespace {

// One row in `step`, without a rhythm: differences often have one (every second row), and a sample in step with it sees all of them or none. The numbers are those of SplitMix64.
bool is_sampled(std::uint64_t row, std::uint64_t step) {
  std::uint64_t mixed = (row + 1) * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return (mixed ^ mixed >> 31) % step == 0;
}

}  // namespace

void sample_rows(Oid relid, const std::string& name, const ColumnMapping& mapping, const TableKey& key, RowParser& parser, std::uint64_t step, Sample& sample) {
  struct Setup {
    Relation relation;
    MemoryContext context;
    TupleTableSlot *wanted, *found;
  };
  KeyLookup lookup;
  push_latest_snapshot();
  Oid owner_id = InvalidOid;
  Setup setup = call([&]() -> Setup {
    Setup s;
    s.relation = table_open(relid, NoLock);
    owner_id = s.relation->rd_rel->relowner;
    s.context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback sample", ALLOCSET_DEFAULT_SIZES);
    s.wanted = MakeSingleTupleTableSlot(RelationGetDescr(s.relation), &TTSOpsVirtual);
    s.found = table_slot_create(s.relation, nullptr);
    open_lookup_unsafe(lookup, s.relation, key.index);
    return s;
  });
  RunAs owner(owner_id);
  LargeValues large;
  RowReader reader(mapping.columns, true, &large);
  RowWriter writer(RelationGetDescr(setup.relation), mapping.kept, {});
  FingerprintSink sink;
  MemoryContext outer = CurrentMemoryContext;
  try {
    for (;;) {
      if (!is_sampled(parser.rows_begun(), step)) {
        if (!parser.next_row()) break;
        parser.skip_row();
        continue;
      }
      call([&] {
        ExecClearTuple(setup.wanted);
        ExecClearTuple(setup.found);
        memset(setup.wanted->tts_isnull, true, setup.wanted->tts_tupleDescriptor->natts * sizeof(bool));
        MemoryContextReset(setup.context);
      });
      MemoryContextSwitchTo(setup.context);
      if (!reader.read(parser, setup.wanted->tts_values, setup.wanted->tts_isnull)) break;
      ++sample.looked_at;
      call([&] {
        if (!find_unsafe(lookup, setup.wanted, setup.found)) return;
        ++sample.found;
        writer.write_unsafe(setup.found, sink);
        Fingerprint live = sink.last_row();
        Fingerprint backup = parser.last_row_hash();
        if (!mapping.identical) {
          ExecStoreVirtualTuple(setup.wanted);
          writer.write_unsafe(setup.wanted, sink);
          backup = sink.last_row();
        }
        sample.equal += live == backup;
      });
      MemoryContextSwitchTo(outer);
      check_interrupts();
    }
    MemoryContextSwitchTo(outer);
    large.clear();
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, "compare table \"" + name + "\"", -1);
  }
  call([&] {
    close_lookup_unsafe(lookup);
    ExecDropSingleTupleTableSlot(setup.wanted);
    ExecDropSingleTupleTableSlot(setup.found);
    MemoryContextDelete(setup.context);
    table_close(setup.relation, NoLock);
  });
  pop_snapshot();
}

std::uint64_t about_rows(Oid relid, std::uint64_t most_blocks) {
  push_latest_snapshot();
  std::uint64_t rows = 0;
  bool more = true;
  struct Scan {
    Relation relation;
    TableScanDesc scan;
    TupleTableSlot* slot;
  };
  Scan scan = call([&]() -> Scan {
    Relation relation = table_open(relid, NoLock);
    if (RelationGetNumberOfBlocks(relation) <= most_blocks) return {relation, table_beginscan(relation, GetActiveSnapshot(), 0, nullptr), table_slot_create(relation, nullptr)};
    BlockNumber pages;
    double tuples, visible;
    table_relation_estimate_size(relation, nullptr, &pages, &tuples, &visible);
    rows = static_cast<std::uint64_t>(tuples);
    return {relation, nullptr, nullptr};
  });
  while (scan.scan != nullptr && more) {
    call([&] {
      for (int i = 0; more && i < 1024; ++i) {
        more = table_scan_getnextslot(scan.scan, ForwardScanDirection, scan.slot);
        rows += more;
      }
    });
    check_interrupts();
  }
  call([&] {
    if (scan.scan != nullptr) {
      ExecDropSingleTupleTableSlot(scan.slot);
      table_endscan(scan.scan);
    }
    table_close(scan.relation, NoLock);
  });
  pop_snapshot();
  return rows;
}

Decoding decoding_of(Oid relid) {
  Decoding result;
  bool logged = call([&] {
    Relation relation = table_open(relid, NoLock);
    bool logical = RelationIsLogicallyLogged(relation);
    if (logical) {
      PublicationDesc published;
      RelationBuildPublicationDesc(relation, &published);
      const PublicationActions& actions = published.pubactions;
      result.decoded = actions.pubinsert || actions.pubupdate || actions.pubdelete || actions.pubtruncate;
      char identity = relation->rd_rel->relreplident;
      result.has_identity = identity == REPLICA_IDENTITY_FULL || OidIsValid(RelationGetReplicaIndex(relation));
    }
    table_close(relation, NoLock);
    return logical;
  });
  if (logged && !result.decoded)
    result.decoded = !query("SELECT 1 FROM pg_catalog.pg_get_replication_slots() s WHERE s.slot_type = 'logical' AND s.datoid = "
                            "(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())")
                           .empty();
  return result;
}

}  // namespace snapback::pg
