#include "pg/table_scan.hpp"

#include <optional>

#include "pg/call.hpp"
#include "pg/executor_rows.hpp"
#include "pg/identity.hpp"
#include "pg/row_writer.hpp"
#include "pg/spi.hpp"
#include "pg/politeness.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace snapback::pg {

namespace {

void scan_heap(const ScanTarget& target, RowSink& sink, Progress& progress) {
  struct Scan {
    Relation relation;
    TableScanDesc scan;
    TupleTableSlot* slot;
    MemoryContext row_context;
  };
  Scan scan = call([&]() -> Scan {
    Scan s;
    s.relation = table_open(target.relation, NoLock);
    s.scan = table_beginscan(s.relation, GetActiveSnapshot(), 0, nullptr);
    s.slot = table_slot_create(s.relation, nullptr);
    s.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback row", ALLOCSET_DEFAULT_SIZES);
    return s;
  });
  RowWriter writer(RelationGetDescr(scan.relation), target.columns, target.key);
  bool more = true;
  while (more) {
    int rows = 0;
    more = call([&] {
      MemoryContext old = MemoryContextSwitchTo(scan.row_context);
      while (rows < rows_per_call) {
        if (!table_scan_getnextslot(scan.scan, ForwardScanDirection, scan.slot)) {
          MemoryContextSwitchTo(old);
          return false;
        }
        writer.write_unsafe(scan.slot, sink);
        MemoryContextReset(scan.row_context);
        ++rows;
      }
      MemoryContextSwitchTo(old);
      return true;
    });
    progress.add(static_cast<std::uint64_t>(rows), 0);
    check_interrupts();
    give_way();
  }
  call([&] {
    ExecDropSingleTupleTableSlot(scan.slot);
    table_endscan(scan.scan);
    table_close(scan.relation, NoLock);
    MemoryContextDelete(scan.row_context);
  });
}

// Writes the rows of a view or a foreign table.
class ScanReceiver final : public ExecutorRows {
 public:
  ScanReceiver(const ScanTarget& target, RowSink& sink, Progress& progress) : target_(target), sink_(sink), progress_(progress) {}

  void begin(TupleDesc description) override {
    std::vector<AttrNumber> columns(target_.columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<AttrNumber>(i + 1);
    writer_.emplace(description, columns, std::vector<AttrNumber>{});
  }

  void row_unsafe(TupleTableSlot* slot) override {
    writer_->write_unsafe(slot, sink_);
    progress_.add(1, 0);
  }

 private:
  const ScanTarget& target_;
  RowSink& sink_;
  Progress& progress_;
  std::optional<RowWriter> writer_;
};

std::string select_statement(const ScanTarget& target, const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + quote_identifier(name);
  return "SELECT " + list + " FROM " + qualified(target.schema, target.name);
}

void scan_executor(const ScanTarget& target, RowSink& sink, Progress& progress) {
  std::vector<std::string> names;
  for (auto column : target.columns) {
    const char* name = call([&] { return get_attname(target.relation, column, false); });
    names.emplace_back(name);
  }
  std::string statement = select_statement(target, names);
  ScanReceiver receiver(target, sink, progress);
  RunAs owner(target.owner);
  execute_for_rows(statement, {}, receiver);
}

}  // namespace

void scan_table(const ScanTarget& target, RowSink& sink, Progress& progress) {
  if (target.by_executor)
    scan_executor(target, sink, progress);
  else
    scan_heap(target, sink, progress);
}

}  // namespace snapback::pg
