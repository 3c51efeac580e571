// The two sides that find_difference() matches: live rows, and rows of a backup.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/format/row_matcher.hpp"
#include "pg/call.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"
#include "pg/table_target.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
}

namespace snapback::pg {

// A place is a live row's position, or a row's number in the backup, with the number of its part above it where there are several tables on a side.
inline constexpr int place_bits = 48;
inline std::int64_t part_of_place(std::size_t part) { return static_cast<std::int64_t>(part) << place_bits; }
inline std::size_t part_at(std::int64_t place) { return static_cast<std::size_t>(place >> place_bits); }
inline std::int64_t place_in_part(std::int64_t place) { return place & ((std::int64_t{1} << place_bits) - 1); }

inline std::int64_t place_of(const ItemPointerData& position) {
  return (static_cast<std::int64_t>(ItemPointerGetBlockNumberNoCheck(&position)) << 16) | ItemPointerGetOffsetNumberNoCheck(&position);
}

inline void set_place(ItemPointerData& position, std::int64_t place) {
  ItemPointerSet(&position, static_cast<BlockNumber>(place_in_part(place) >> 16), static_cast<OffsetNumber>(place & 0xffff));
}

// The live rows in physical order, a few at a time.
class LiveSide {
 public:
  // `part`: which of several tables it is.
  LiveSide(Oid relid, const std::vector<AttrNumber>& kept, const std::vector<AttrNumber>& key, std::size_t part = 0) : part_(part_of_place(part)) {
    call([&] {
      relation_ = table_open(relid, NoLock);
      blocks_ = RelationGetNumberOfBlocks(relation_);
      scan_ = table_beginscan(relation_, GetActiveSnapshot(), 0, nullptr);
      slot_ = table_slot_create(relation_, nullptr);
      context_ = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback live rows", ALLOCSET_DEFAULT_SIZES);
    });
    writer_ = std::make_unique<RowWriter>(RelationGetDescr(relation_), kept, key);
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
        marks_[rows++] = {sink_.last_row(), sink_.last_key(), part_ | place_of(slot_->tts_tid), true};
      }
      MemoryContextSwitchTo(old);
    });
    for (int i = 0; i < rows; ++i) matcher.add(marks_[i]);
    if (rows > 0) block_ = static_cast<double>((marks_[rows - 1].place & ~part_) >> 16);
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
  std::int64_t part_;
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
  BackupSide(Oid relid, const ColumnMapping& mapping, const std::vector<AttrNumber>& key, RowParser& parser, std::uint64_t rows, std::size_t part = 0) : parser_(parser), part_(part_of_place(part)), expected_(rows), identical_(mapping.identical) {
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
  std::uint64_t row() const { return parser_.place(); }
  const Fingerprint& fingerprint() const { return identical_ ? parser_.fingerprint() : sink_.fingerprint(); }

  void read(RowMatcher& matcher) {
    for (int i = 0; i < rows_per_call; ++i) {
      RowMark mark;
      if (!(identical_ ? next_as_it_is(mark) : next_converted(mark))) {
        done_ = true;
        return;
      }
      ++rows_;
      mark.place = part_ | static_cast<std::int64_t>(parser_.row_number());
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
  std::int64_t part_;
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

}  // namespace snapback::pg
