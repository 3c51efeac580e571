#include "pg/direct_rows.hpp"

#include <memory>

#include "pg/call.hpp"
#include "pg/values/memory_sink.hpp"
#include "pg/values/owned_context.hpp"
#include "pg/values/value_writer.hpp"

namespace snapback::pg {

namespace {

constexpr int rows_per_check = 1024;

}  // namespace

void scan_values(Oid table, const std::vector<std::string>& columns, const std::function<void(const std::vector<std::string_view>&)>& row) {
  struct Scan {
    Relation relation;
    TableScanDesc scan;
    TupleTableSlot* slot;
    MemoryContext row_context;
  };
  const Scan scan = call([&]() -> Scan {
    Scan s;
    s.relation = table_open(table, AccessShareLock);
    s.scan = table_beginscan(s.relation, GetActiveSnapshot(), 0, nullptr);
    s.slot = table_slot_create(s.relation, nullptr);
    s.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback row", ALLOCSET_DEFAULT_SIZES);
    return s;
  });
  values::OwnedContext context("pg_snapback values");
  std::vector<int> positions;
  std::vector<std::unique_ptr<values::ValueWriter>> writers;
  for (const auto& name : columns) {
    const AttrNumber number = call([&] {
      const AttrNumber found = get_attnum(table, name.c_str());
      if (found == InvalidAttrNumber) elog(ERROR, "a partition has no column %s", name.c_str());
      return found;
    });
    const auto* attribute = TupleDescAttr(RelationGetDescr(scan.relation), number - 1);
    const auto shape = values::inspect_type(attribute->atttypid, attribute->atttypmod, "column \"" + name + "\"", false);
    positions.push_back(number - 1);
    writers.push_back(std::make_unique<values::ValueWriter>(*shape, context.get()));
  }
  std::vector<values::MemorySink> sinks(columns.size());
  std::vector<std::string_view> found(columns.size());
  for (int count = 0;; ++count) {
    const bool more = call([&] {
      if (!table_scan_getnextslot(scan.scan, ForwardScanDirection, scan.slot)) return false;
      MemoryContext old = MemoryContextSwitchTo(scan.row_context);
      slot_getallattrs(scan.slot);
      for (std::size_t i = 0; i < columns.size(); ++i) {
        sinks[i].clear();
        if (scan.slot->tts_isnull[positions[i]]) continue;
        values::Out out(sinks[i]);
        writers[i]->write(scan.slot->tts_values[positions[i]], out);
        out.flush();
      }
      MemoryContextSwitchTo(old);
      MemoryContextReset(scan.row_context);
      return true;
    });
    if (!more) break;
    for (std::size_t i = 0; i < columns.size(); ++i) found[i] = sinks[i].text();
    row(found);
    if (count % rows_per_check == 0) check_interrupts();
  }
  call([&] {
    ExecDropSingleTupleTableSlot(scan.slot);
    table_endscan(scan.scan);
    table_close(scan.relation, NoLock);
    MemoryContextDelete(scan.row_context);
  });
}

}  // namespace snapback::pg
