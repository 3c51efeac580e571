#include "pg/table_difference.hpp"

#include <memory>

#include "core/format/row_matcher.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"
#include "pg/snapshot.hpp"

extern "C" {
#include "access/genam.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
}

namespace snapback::pg {

namespace {

std::int64_t place_of(const ItemPointerData& position) {
  return (static_cast<std::int64_t>(ItemPointerGetBlockNumberNoCheck(&position)) << 16) | ItemPointerGetOffsetNumberNoCheck(&position);
}

std::int64_t word(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Oid owner_of(Oid relid) {
  return call([&] {
    Relation relation = table_open(relid, NoLock);
    Oid owner = relation->rd_rel->relowner;
    table_close(relation, NoLock);
    return owner;
  });
}

// Rows can only be updated in place when no other unique value of theirs may still be held by a row that is yet to change.
bool has_other_uniqueness(Oid relid, const std::vector<AttrNumber>& key) {
  return call([&] {
    bool found = false;
    Relation relation = table_open(relid, NoLock);
    List* indexes = RelationGetIndexList(relation);
    ListCell* cell;
    foreach (cell, indexes) {
      Relation index = index_open(lfirst_oid(cell), AccessShareLock);
      Form_pg_index form = index->rd_index;
      if (form->indisunique || form->indisexclusion) {
        bool is_key = form->indnkeyatts == static_cast<int>(key.size()) && !form->indisexclusion;
        for (int i = 0; is_key && i < form->indnkeyatts; ++i) is_key = form->indkey.values[i] == key[i];
        found |= !is_key;
      }
      index_close(index, AccessShareLock);
    }
    list_free(indexes);
    table_close(relation, NoLock);
    return found;
  });
}

// The live rows in physical order, a few at a time.
class LiveSide {
 public:
  LiveSide(Oid relid, const ColumnMapping& mapping, const std::vector<AttrNumber>& key) {
    call([&] {
      relation_ = table_open(relid, NoLock);
      blocks_ = RelationGetNumberOfBlocks(relation_);
      scan_ = table_beginscan(relation_, GetActiveSnapshot(), 0, nullptr);
      slot_ = table_slot_create(relation_, nullptr);
      context_ = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback live rows", ALLOCSET_DEFAULT_SIZES);
    });
    writer_ = std::make_unique<RowWriter>(RelationGetDescr(relation_), mapping.kept, key);
  }

  bool done() const { return done_; }
  double share() const { return blocks_ ? static_cast<double>(block_) / blocks_ : 1; }

  void read(RowMatcher& matcher) {
    int rows = 0;
    call([&] {
      MemoryContext old = MemoryContextSwitchTo(context_);
      while (rows < rows_per_call) {
        if (!table_scan_getnextslot(scan_, ForwardScanDirection, slot_)) {
          done_ = true;
          break;
        }
        writer_->write_unsafe(slot_, sink_);
        MemoryContextReset(context_);
        marks_[rows++] = {sink_.last_row(), sink_.last_key(), place_of(slot_->tts_tid), true};
      }
      MemoryContextSwitchTo(old);
    });
    for (int i = 0; i < rows; ++i) matcher.add(marks_[i]);
    if (rows > 0) block_ = static_cast<double>(marks_[rows - 1].place >> 16);
  }

  std::uint64_t rows() const { return sink_.rows(); }

  void close() {
    call([&] {
      ExecDropSingleTupleTableSlot(slot_);
      table_endscan(scan_);
      table_close(relation_, NoLock);
      MemoryContextDelete(context_);
    });
  }

 private:
  Relation relation_;
  TableScanDesc scan_;
  TupleTableSlot* slot_;
  MemoryContext context_;
  BlockNumber blocks_;
  double block_ = 0;
  bool done_ = false;
  std::unique_ptr<RowWriter> writer_;
  FingerprintSink sink_;
  RowMark marks_[rows_per_call];
};

// The backup's rows: their own hashes where the table has the same columns, otherwise those of the rows as this table would hold them.
class BackupSide {
 public:
  BackupSide(Oid relid, const ColumnMapping& mapping, const std::vector<AttrNumber>& key, RowParser& parser, std::uint64_t rows) : parser_(parser), expected_(rows), identical_(mapping.identical) {
    key_text_.resize(key.size());
    call([&] {
      relation_ = table_open(relid, NoLock);
      slot_ = MakeSingleTupleTableSlot(RelationGetDescr(relation_), &TTSOpsVirtual);
      context_ = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback backup rows", ALLOCSET_DEFAULT_SIZES);
    });
    for (auto& column : mapping.columns)
      for (std::size_t i = 0; i < key.size(); ++i)
        if (OidIsValid(column.type) && column.position == key[i] - 1) key_places_.emplace_back(column.name, i);
    if (identical_) return;
    large_ = std::make_unique<LargeValues>();
    reader_ = std::make_unique<RowReader>(mapping.columns, true, large_.get());
    writer_ = std::make_unique<RowWriter>(RelationGetDescr(relation_), mapping.kept, key);
  }

  bool done() const { return done_; }
  double share() const { return expected_ ? static_cast<double>(rows_) / static_cast<double>(expected_) : 1; }
  std::uint64_t rows() const { return rows_; }
  const Fingerprint& fingerprint() const { return identical_ ? parser_.fingerprint() : sink_.fingerprint(); }

  void read(RowMatcher& matcher) {
    for (int i = 0; i < rows_per_call; ++i) {
      RowMark mark;
      if (!(identical_ ? next_as_it_is(mark) : next_converted(mark))) {
        done_ = true;
        return;
      }
      ++rows_;
      mark.place = static_cast<std::int64_t>(parser_.row_number());
      matcher.add(mark);
    }
  }

  void close() {
    if (large_) large_->clear();
    call([&] {
      ExecDropSingleTupleTableSlot(slot_);
      table_close(relation_, NoLock);
      MemoryContextDelete(context_);
    });
  }

 private:
  bool next_as_it_is(RowMark& mark) {
    if (!parser_.next_row()) return false;
    std::size_t found = 0;
    std::string_view name;
    for (auto& text : key_text_) text.clear();
    while (found < key_places_.size() && parser_.next_key(name)) {
      bool is_key = false;
      for (auto& [column, place] : key_places_) {
        if (name != column || !key_text_[place].empty()) continue;
        parser_.read_raw(key_text_[place]);
        is_key = true;
        ++found;
        break;
      }
      if (!is_key) parser_.skip_value();
    }
    parser_.skip_row();
    mark.row = parser_.last_row_hash();
    if (key_text_.empty() || found != key_text_.size()) return true;
    // as RowWriter makes the key's text
    line_.assign(1, '[');
    for (auto& text : key_text_) {
      if (line_.size() > 1) line_ += ',';
      line_ += text;
    }
    line_ += ']';
    mark.key = row_hash(line_);
    return true;
  }

  bool next_converted(RowMark& mark) {
    MemoryContext outer = CurrentMemoryContext;
    call([&] {
      ExecClearTuple(slot_);
      memset(slot_->tts_isnull, true, slot_->tts_tupleDescriptor->natts * sizeof(bool));
      MemoryContextReset(context_);
    });
    MemoryContextSwitchTo(context_);
    bool more = reader_->read(parser_, slot_->tts_values, slot_->tts_isnull);
    if (more)
      call([&] {
        ExecStoreVirtualTuple(slot_);
        writer_->write_unsafe(slot_, sink_);
      });
    MemoryContextSwitchTo(outer);
    if (!more) return false;
    mark.row = sink_.last_row();
    mark.key = sink_.last_key();
    return true;
  }

  RowParser& parser_;
  std::uint64_t expected_, rows_ = 0;
  bool identical_, done_ = false;
  Relation relation_;
  TupleTableSlot* slot_;
  MemoryContext context_;
  std::vector<std::pair<std::string, std::size_t>> key_places_;  // column, place in the key
  std::vector<std::string> key_text_;
  std::string line_;
  std::unique_ptr<LargeValues> large_;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<RowWriter> writer_;
  FingerprintSink sink_;
};

// Records of the sort by hash.
enum { hash_high, hash_low, hash_live, hash_key_high, hash_key_low, hash_place, hash_columns };
// Records of the sort by key.
enum { key_high, key_low, key_live, key_place, key_columns };

// Sorts out what the matcher could not: first the equal rows that were too far apart, then the pairs of one key.
class Leftovers {
 public:
  Leftovers(Difference& found, bool in_place) : found_(found), in_place_(in_place) {}

  void add(const RowMark& mark) {
    const std::int64_t record[] = {word(mark.row.high), word(mark.row.low), mark.live ? 0 : 1, word(mark.key.high), word(mark.key.low), mark.place};
    by_hash_.put(record);
  }

  void sort_out() {
    cancel();
    by_hash_.close();
    pair();
    by_key_.close();
  }

 private:
  // Live rows come first in each group of one hash; the key is part of the row, so there is one at most unless the table has none.
  void cancel() {
    std::int64_t record[hash_columns], group[2] = {0, 0};
    std::vector<std::vector<std::int64_t>> lives;
    auto flush = [&] {
      for (auto& live : lives) differ(live.data());
      lives.clear();
    };
    while (by_hash_.next(record)) {
      if (record[hash_high] != group[0] || record[hash_low] != group[1]) {
        flush();
        group[0] = record[hash_high];
        group[1] = record[hash_low];
      }
      if (record[hash_live] == 0) {
        lives.emplace_back(record, record + hash_columns);
      } else if (!lives.empty()) {
        lives.pop_back();
        ++found_.unchanged;
      } else {
        differ(record);
      }
      check_interrupts();
    }
    flush();
  }

  void differ(const std::int64_t* record) {
    if (record[hash_key_high] == 0 && record[hash_key_low] == 0) {
      alone(record[hash_live] == 0, record[hash_place]);
      return;
    }
    const std::int64_t pair[] = {record[hash_key_high], record[hash_key_low], record[hash_live], record[hash_place]};
    by_key_.put(pair);
  }

  void pair() {
    std::int64_t record[key_columns], group[2] = {0, 0}, live = -1;
    auto flush = [&] {
      if (live >= 0) alone(true, live);
      live = -1;
    };
    while (by_key_.next(record)) {
      if (record[key_high] != group[0] || record[key_low] != group[1] || record[key_live] == 0) {
        flush();
        group[0] = record[key_high];
        group[1] = record[key_low];
      }
      if (record[key_live] == 0) {
        live = record[key_place];
      } else if (live >= 0) {
        ++found_.updated;
        write(record[key_place], live, in_place_);
        if (!in_place_) found_.removals.put(&live);
        live = -1;
      } else {
        alone(false, record[key_place]);
      }
      check_interrupts();
    }
    flush();
  }

  void alone(bool is_live, std::int64_t place) {
    if (is_live) {
      ++found_.deleted;
      found_.removals.put(&place);
    } else {
      ++found_.inserted;
      write(place, -1, false);
    }
  }

  void write(std::int64_t row, std::int64_t live, bool in_place) {
    const std::int64_t record[] = {row, live, in_place};
    found_.writes.put(record);
  }

  Difference& found_;
  bool in_place_;
  RecordSort by_hash_{hash_columns, 3}, by_key_{key_columns, 3};
};

}  // namespace

void find_difference(Oid relid, const std::string& name, const ColumnMapping& mapping, const std::vector<AttrNumber>& key, RowParser& parser, std::uint64_t rows, Difference& found,
                     Progress& progress) {
  RunAs owner(owner_of(relid));
  push_latest_snapshot();
  Leftovers leftovers(found, !has_other_uniqueness(relid, key));
  RowMatcher matcher([&](const RowMark& mark) { leftovers.add(mark); });
  LiveSide live(relid, mapping, key);
  BackupSide backup(relid, mapping, key, parser, rows);
  MemoryContext outer = CurrentMemoryContext;
  try {
    while (!live.done() || !backup.done()) {
      // side by side, as far as the order of rows is still that of the backup
      if (backup.done() || (!live.done() && live.share() <= backup.share()))
        live.read(matcher);
      else
        backup.read(matcher);
      progress.add(rows_per_call, 0);
      check_interrupts();
    }
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, "compare table \"" + name + "\"", static_cast<std::int64_t>(parser.place()));
  }
  matcher.drain();
  found.unchanged = matcher.matched();
  found.backup_rows = backup.rows();
  found.backup_fingerprint = backup.fingerprint();
  live.close();
  backup.close();
  leftovers.sort_out();
  pop_snapshot();
}

}  // namespace snapback::pg
