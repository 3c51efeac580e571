#include "pg/table_scan.hpp"

#include <memory>

#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/row_writer.hpp"
#include "pg/spi.hpp"
#include "pg/politeness.hpp"

extern "C" {
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "tcop/dest.h"
}

namespace snapback::pg {

namespace {

constexpr int rows_per_call = 128;

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

// Receives the executor's rows. The callbacks run under PostgreSQL's frames, so each is a boundary of its own.
struct Receiver {
  DestReceiver base;
  const ScanTarget* target;
  RowSink* sink;
  Progress* progress;
  std::unique_ptr<RowWriter>* writer;
  MemoryContext row_context;
};

void receiver_startup(DestReceiver* self, int, TupleDesc description) {
  boundary([&] {
    auto* receiver = reinterpret_cast<Receiver*>(self);
    std::vector<AttrNumber> columns(receiver->target->columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<AttrNumber>(i + 1);
    *receiver->writer = std::make_unique<RowWriter>(description, columns, std::vector<AttrNumber>{});
  });
}

bool receiver_row(TupleTableSlot* slot, DestReceiver* self) {
  return boundary([&] {
    auto* receiver = reinterpret_cast<Receiver*>(self);
    call([&] {
      MemoryContext old = MemoryContextSwitchTo(receiver->row_context);
      (*receiver->writer)->write_unsafe(slot, *receiver->sink);
      MemoryContextSwitchTo(old);
      MemoryContextReset(receiver->row_context);
    });
    receiver->progress->add(1, 0);
    return true;
  });
}

void receiver_nothing(DestReceiver*) {}

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
  std::unique_ptr<RowWriter> writer;
  Receiver receiver{};
  receiver.base.receiveSlot = receiver_row;
  receiver.base.rStartup = receiver_startup;
  receiver.base.rShutdown = receiver_nothing;
  receiver.base.rDestroy = receiver_nothing;
  receiver.base.mydest = DestNone;
  receiver.target = &target;
  receiver.sink = &sink;
  receiver.progress = &progress;
  receiver.writer = &writer;
  RunAs owner(target.owner);
  call([&] {
    receiver.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback row", ALLOCSET_DEFAULT_SIZES);
    SPI_connect();
    SPIPlanPtr plan = SPI_prepare(statement.c_str(), 0, nullptr);
    if (plan == nullptr) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    SPIExecuteOptions options;
    memset(&options, 0, sizeof(options));
    options.read_only = true;
    options.dest = &receiver.base;
    SPI_execute_plan_extended(plan, &options);
    SPI_finish();
    MemoryContextDelete(receiver.row_context);
  });
}

}  // namespace

void scan_table(const ScanTarget& target, RowSink& sink, Progress& progress) {
  if (target.by_executor)
    scan_executor(target, sink, progress);
  else
    scan_heap(target, sink, progress);
}

}  // namespace snapback::pg
