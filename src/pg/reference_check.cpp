#include "pg/reference_check.hpp"

#include "core/format/row_sink.hpp"
#include "pg/call.hpp"
#include "pg/row_writer.hpp"
#include "pg/snapshot.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace snapback::pg {

namespace {

// Keeps the text of the last row's key and nothing else.
class KeySink final : public RowSink {
 public:
  KeySink() : buffer_(max_reserve, '\0') { begin_row(); }
  void begin_row() override {
    cursor_ = buffer_.data();
    limit_ = cursor_ + buffer_.size();
  }
  void end_row(std::string_view key) override { key_.assign(key); }
  const std::string& key() const { return key_; }

 private:
  void make_room(std::size_t) override { cursor_ = buffer_.data(); }
  std::string buffer_, key_;
};

}  // namespace

void ReferenceCheck::add(const std::string_view& key, std::size_t nulls, std::size_t columns, ReferenceSide side) {
  if (nulls == columns || (nulls > 0 && (side == ReferenceSide::referenced || !match_full_))) return;
  if (key.empty()) {
    unsure_ = true;
    return;
  }
  Fingerprint hash = row_hash(key);
  const std::int64_t record[] = {static_cast<std::int64_t>(hash.high), static_cast<std::int64_t>(hash.low), side == ReferenceSide::referenced ? 0 : 1};
  keys_.put(record);
}

void ReferenceCheck::add_live(Oid relid, const std::vector<AttrNumber>& columns, ReferenceSide side) {
  struct Scan {
    Relation relation;
    TableScanDesc scan;
    TupleTableSlot* slot;
    MemoryContext context;
  };
  push_latest_snapshot();
  Scan scan = call([&]() -> Scan {
    Relation relation = table_open(relid, NoLock);
    return {relation, table_beginscan(relation, GetActiveSnapshot(), 0, nullptr), table_slot_create(relation, nullptr),
            AllocSetContextCreate(CurrentMemoryContext, "pg_snapback references", ALLOCSET_DEFAULT_SIZES)};
  });
  RowWriter writer(RelationGetDescr(scan.relation), columns, columns);
  KeySink sink;
  for (;;) {
    std::size_t nulls = 0;
    bool more = call([&] {
      MemoryContext old = MemoryContextSwitchTo(scan.context);
      bool found = table_scan_getnextslot(scan.scan, ForwardScanDirection, scan.slot);
      if (found) {
        writer.write_unsafe(scan.slot, sink);
        for (AttrNumber number : columns) nulls += scan.slot->tts_isnull[number - 1];
      }
      MemoryContextReset(scan.context);
      MemoryContextSwitchTo(old);
      return found;
    });
    if (!more) break;
    add(sink.key(), nulls, columns.size(), side);
    check_interrupts();
  }
  call([&] {
    ExecDropSingleTupleTableSlot(scan.slot);
    table_endscan(scan.scan);
    table_close(scan.relation, NoLock);
    MemoryContextDelete(scan.context);
  });
  pop_snapshot();
}

void ReferenceCheck::add_backup(RowParser& parser, const std::vector<std::string>& columns, ReferenceSide side) {
  std::vector<std::string> values(columns.size());
  std::string line;
  std::string_view name;
  while (parser.next_row()) {
    for (auto& value : values) value.clear();
    while (parser.next_key(name)) {
      std::size_t place = 0;
      while (place < columns.size() && (name != columns[place] || !values[place].empty())) ++place;
      if (place == columns.size())
        parser.skip_value();
      else
        parser.read_raw(values[place]);
    }
    std::size_t nulls = 0;
    line.assign(1, '[');
    for (auto& value : values) {
      nulls += value.empty();
      if (line.size() > 1) line += ',';
      line += value.empty() ? "null" : value;
    }
    line += ']';
    // as long as RowWriter makes it
    add(line.size() <= 512 ? line : std::string(), nulls, columns.size(), side);
    check_interrupts();
  }
}

std::uint64_t ReferenceCheck::missing() {
  std::int64_t record[3], held[2] = {0, 0};
  bool any = false;
  std::uint64_t count = 0;
  while (keys_.next(record)) {
    if (record[2] == 0) {
      held[0] = record[0];
      held[1] = record[1];
      any = true;
    } else if (!any || record[0] != held[0] || record[1] != held[1]) {
      ++count;
    }
    check_interrupts();
  }
  keys_.close();
  return count;
}

}  // namespace snapback::pg
