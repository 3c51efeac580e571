#include "pg/partitioned_table.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/difference_sides.hpp"
#include "pg/identity.hpp"
#include "pg/key_lookup.hpp"
#include "pg/large_values.hpp"
#include "pg/row_writer.hpp"
#include "pg/snapshot.hpp"

extern "C" {
#include "access/tupconvert.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
}

namespace snapback::pg {

LeafTargets::LeafTargets(const PartitionedTable& table, bool with_indexes) : parts_(table.leaves.size()) {
  ColumnMapping mapping;
  mapping.defaulted = table.defaulted;
  bool own_leaf = table.leaves.size() == 1 && table.leaves[0].relation == table.relation;
  if (!own_leaf) root_ = std::make_unique<TableTarget>(table.relation, mapping, false);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& part = parts_[i];
    part.target = std::make_unique<TableTarget>(table.leaves[i].relation, own_leaf ? mapping : ColumnMapping(), with_indexes);
    order_.push_back(static_cast<int>(i));
    call([&] {
      TupleDesc leaf = RelationGetDescr(part.target->relation());
      TupleDesc whole = RelationGetDescr((root_ ? *root_ : *part.target).relation());
      part.row = MakeSingleTupleTableSlot(leaf, &TTSOpsVirtual);
      part.from_root = convert_tuples_by_name(whole, leaf);
      part.to_root = convert_tuples_by_name(leaf, whole);
    });
  }
}

LeafTargets::~LeafTargets() = default;

namespace {

// The values only; they stay where they are.
void convert_unsafe(TupleConversionMap* map, TupleTableSlot* from, TupleTableSlot* to) {
  if (map != nullptr) {
    (void)execute_attr_map_slot(map->attrMap, from, to);
    return;
  }
  ExecClearTuple(to);
  slot_getallattrs(from);
  const auto columns = static_cast<Size>(to->tts_tupleDescriptor->natts);
  memcpy(to->tts_values, from->tts_values, columns * sizeof(Datum));
  memcpy(to->tts_isnull, from->tts_isnull, columns * sizeof(bool));
  ExecStoreVirtualTuple(to);
}

}  // namespace

void LeafTargets::fill_defaults_unsafe(TupleTableSlot* row) {
  auto& whole = root_ ? *root_ : *parts_[0].target;
  ResetPerTupleExprContext(whole.estate());
  whole.fill_defaults_unsafe(row);
}

int LeafTargets::find_unsafe(TupleTableSlot* row) {
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const int leaf = order_[i];
    auto& part = parts_[static_cast<std::size_t>(leaf)];
    convert_unsafe(part.from_root, row, part.row);
    if (!part.target->takes_unsafe(part.row)) {
      ExecClearTuple(part.row);
      continue;
    }
    for (; i > 0; --i) order_[i] = order_[i - 1];
    order_[0] = leaf;
    return leaf;
  }
  return -1;
}

void LeafTargets::to_root_unsafe(int leaf, TupleTableSlot* from, TupleTableSlot* to) { convert_unsafe(parts_[static_cast<std::size_t>(leaf)].to_root, from, to); }

void LeafTargets::close() {
  for (auto& part : parts_) {
    call([&] { ExecDropSingleTupleTableSlot(part.row); });
    part.target->close();
  }
  if (root_) root_->close();
}

namespace {

// Rows of the sources, one at a time, as rows of the partitioned table.
class RootRows {
 public:
  RootRows(PartitionedTable& table, LeafTargets& targets) : table_(table), targets_(targets) {
    GetUserIdAndSecContext(&user_, &security_);
    call([&] {
      context_ = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback rows of partitions", ALLOCSET_DEFAULT_SIZES);
      Relation relation = table_open(table.relation, NoLock);
      row_ = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(relation)), &TTSOpsVirtual);
      table_close(relation, NoLock);
    });
    from_backup_.resize(static_cast<std::size_t>(row_->tts_tupleDescriptor->natts));
    for (AttrNumber kept : table.kept) from_backup_[static_cast<std::size_t>(kept - 1)] = true;
  }

  void start(std::size_t source) {
    finish();
    source_ = source;
    open_ = table_.open(source);
    reader_ = std::make_unique<RowReader>(table_.sources[source].mapping.columns, true, &large_);
  }

  RowParser& parser() { return open_->parser; }
  // What is being done, and with which row: for rethrow_without_values().
  std::string where() const { return open_ ? "restore rows of table \"" + table_.sources[source_].name + "\" into \"" + table_.name + "\"" : "write to table \"" + table_.name + "\""; }
  std::int64_t place() const { return open_ ? static_cast<std::int64_t>(open_->parser.place()) : -1; }

  // Reads the next row and leaves context() current; false after the last of the source. What was made of the row before is gone.
  bool read() {
    call([&] {
      ExecClearTuple(row_);
      memset(row_->tts_isnull, true, static_cast<Size>(row_->tts_tupleDescriptor->natts) * sizeof(bool));
      MemoryContextReset(context_);
    });
    MemoryContextSwitchTo(context_);
    return reader_->read(open_->parser, row_->tts_values, row_->tts_isnull);
  }

  // The leaf that takes the row, -1 when none does. Columns that the backup does not have are those of `live`, a row of the partitioned table; without one they get their defaults.
  int look_for_leaf(TupleTableSlot* live = nullptr) {
    return call([&] {
      if (live == nullptr)
        targets_.fill_defaults_unsafe(row_);
      else
        keep_other_columns_unsafe(live);
      ExecClearTuple(row_);
      ExecStoreVirtualTuple(row_);
      return targets_.find_unsafe(row_);
    });
  }
  // Raises 23514 where none does.
  int find_leaf(TupleTableSlot* live = nullptr) {
    const int leaf = look_for_leaf(live);
    if (leaf < 0)
      throw snapback::error(sqlstate::check_violation, "no partition of table \"" + table_.name + "\" takes a row of the backup's table \"" + table_.sources[source_].name + "\"",
                            "It is row " + std::to_string(open_->parser.row_number()) + " of that table in the backup, counted from 0. Values are not shown.",
                            "Make a partition for it, or restore with into_schema.");
    return leaf;
  }

  // Whose code runs: that of the leaf's owner until become_reader_unsafe(). After an error the caller's RunAs ends it.
  void become_owner_unsafe(int leaf) const { SetUserIdAndSecContext(table_.leaves[static_cast<std::size_t>(leaf)].owner, security_); }
  void become_reader_unsafe() const { SetUserIdAndSecContext(user_, security_); }

  void finish() {
    large_.clear();
    reader_.reset();
    open_.reset();
  }
  void close() {
    finish();
    call([&] {
      ExecDropSingleTupleTableSlot(row_);
      MemoryContextDelete(context_);
    });
  }

 private:
  void keep_other_columns_unsafe(TupleTableSlot* live) {
    for (int i = 0; i < row_->tts_tupleDescriptor->natts; ++i) {
      if (from_backup_[static_cast<std::size_t>(i)]) continue;
      row_->tts_values[i] = live->tts_values[i];
      row_->tts_isnull[i] = live->tts_isnull[i];
    }
  }

  PartitionedTable& table_;
  LeafTargets& targets_;
  LargeValues large_;
  Oid user_;
  int security_;
  std::vector<bool> from_backup_;
  std::size_t source_ = 0;
  std::unique_ptr<SourceRows> open_;
  std::unique_ptr<RowReader> reader_;
  MemoryContext context_;
  TupleTableSlot* row_;
};

// Hashes of rows of the leaves, all in the order of the partitioned table's columns.
class LeafHashes {
 public:
  LeafHashes(const PartitionedTable& table, const LeafTargets& targets) {
    for (std::size_t i = 0; i < table.leaves.size(); ++i)
      writers_.push_back(std::make_unique<RowWriter>(RelationGetDescr(targets.target(static_cast<int>(i)).relation()), table.leaves[i].kept, std::vector<AttrNumber>{}));
  }
  const Fingerprint& hash_unsafe(int leaf, TupleTableSlot* row) {
    writers_[static_cast<std::size_t>(leaf)]->write_unsafe(row, sink_);
    return sink_.last_row();
  }
  const Fingerprint& total() const { return sink_.fingerprint(); }

 private:
  std::vector<std::unique_ptr<RowWriter>> writers_;
  FingerprintSink sink_;
};

[[noreturn]] void wrong_row_count(const LeafSource& source, std::uint64_t rows) {
  throw snapback::error(sqlstate::data_corrupted, "the backup does not have the rows of table \"" + source.name + "\"",
                        std::to_string(source.rows) + " rows were recorded, " + std::to_string(rows) + " are there.");
}

// Calls `visit` with every row of every source and its leaf, context() of the row current.
template <class Visit>
void each_row(PartitionedTable& table, RootRows& rows, Progress& progress, Visit visit) {
  MemoryContext outer = CurrentMemoryContext;
  try {
    for (std::size_t source = 0; source < table.sources.size(); ++source) {
      rows.start(source);
      std::uint64_t count = 0;
      while (rows.read()) {
        ++count;
        visit(rows.find_leaf());
        MemoryContextSwitchTo(outer);
        if (count % rows_per_call == 0) progress.add(rows_per_call, 0);
        check_interrupts();
      }
      MemoryContextSwitchTo(outer);
      if (count != table.sources[source].rows) wrong_row_count(table.sources[source], count);
    }
    rows.finish();
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, rows.where(), rows.place());
  }
}

}  // namespace

PartitionedLoad load_leaves(PartitionedTable& table, bool write, Progress& progress) {
  RunAs owner(table.owner);
  PartitionedLoad result;
  LeafTargets targets(table, false);
  LeafHashes hashes(table, targets);
  RootRows rows(table, targets);
  each_row(table, rows, progress, [&](int leaf) {
    call([&] {
      rows.become_owner_unsafe(leaf);
      auto& target = targets.target(leaf);
      const bool has_pointers = target.complete_unsafe(targets.row(leaf), false);
      (void)hashes.hash_unsafe(leaf, targets.row(leaf));
      if (write) (void)target.insert_unsafe(targets.row(leaf), has_pointers);
      ExecClearTuple(targets.row(leaf));
      rows.become_reader_unsafe();
    });
    ++table.leaves[static_cast<std::size_t>(leaf)].inserted;
    ++result.rows;
  });
  rows.close();
  targets.close();
  call([] { CommandCounterIncrement(); });
  result.fingerprint = hashes.total();
  return result;
}

ApplyResult apply_to_leaves(PartitionedTable& table, const ApplyOptions& options, Progress& progress) {
  struct Found {
    KeyLookup lookup;
    TupleTableSlot* row;
  };
  RunAs owner(table.owner);
  push_latest_snapshot();
  ApplyResult result;
  LeafTargets targets(table, options.write);
  LeafHashes hashes(table, targets);
  RootRows rows(table, targets);
  std::vector<Found> found(table.leaves.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    Oid index = usable_key_index(table.leaves[i].relation);
    call([&] {
      Relation relation = targets.target(static_cast<int>(i)).relation();
      open_lookup_unsafe(found[i].lookup, relation, index);
      found[i].row = table_slot_create(relation, nullptr);
    });
  }
  TupleTableSlot* live = call([&] {
    Relation relation = table_open(table.relation, NoLock);
    TupleTableSlot* slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(relation)), &TTSOpsVirtual);
    table_close(relation, NoLock);
    return slot;
  });
  each_row(table, rows, progress, [&](int leaf) {
    auto& there = found[static_cast<std::size_t>(leaf)];
    auto& target = targets.target(leaf);
    TupleTableSlot* row = targets.row(leaf);
    const bool exists = call([&] { return find_unsafe(there.lookup, row, there.row); });
    if (exists && options.overwrite) {
      Fingerprint is = call([&] { return hashes.hash_unsafe(leaf, there.row); });
      Fingerprint wanted = call([&] { return hashes.hash_unsafe(leaf, row); });
      if (is == wanted) {
        ++result.unchanged;
      } else {
        ++result.updated;
        if (options.write) {
          call([&] { targets.to_root_unsafe(leaf, there.row, live); });
          // the key decides about the leaf, and it is the same
          (void)rows.find_leaf(live);
          call([&] {
            rows.become_owner_unsafe(leaf);
            const bool has_pointers = target.complete_unsafe(row, true);
            (void)target.update_unsafe(there.row->tts_tid, row, has_pointers);
            rows.become_reader_unsafe();
          });
          result.removed.add(is);
          result.added.add(call([&] { return hashes.hash_unsafe(leaf, row); }));
        }
      }
    } else if (exists) {
      ++result.unchanged;
    } else {
      ++result.inserted;
      ++table.leaves[static_cast<std::size_t>(leaf)].inserted;
      if (options.write) {
        call([&] {
          rows.become_owner_unsafe(leaf);
          const bool has_pointers = target.complete_unsafe(row, false);
          (void)target.insert_unsafe(row, has_pointers);
          rows.become_reader_unsafe();
        });
        result.added.add(call([&] { return hashes.hash_unsafe(leaf, row); }));
      }
    }
    call([&] {
      ExecClearTuple(there.row);
      ExecClearTuple(row);
      ExecClearTuple(live);
    });
  });
  call([&] {
    for (auto& there : found) {
      close_lookup_unsafe(there.lookup);
      ExecDropSingleTupleTableSlot(there.row);
    }
    ExecDropSingleTupleTableSlot(live);
  });
  rows.close();
  targets.close();
  pop_snapshot();
  call([] { CommandCounterIncrement(); });
  return result;
}

namespace {

void remove_leaf_rows(PartitionedTable& table, LeafTargets& targets, Difference& found, bool write, Progress& progress) {
  std::int64_t place;
  while (found.removals.next(&place)) {
    const std::size_t leaf = part_at(place);
    if (write)
      call([&] {
        ItemPointerData position;
        set_place(position, place);
        simple_table_tuple_delete(targets.target(static_cast<int>(leaf)).relation(), &position, GetActiveSnapshot());
      });
    ++table.leaves[leaf].removed;
    progress.add(1, 0);
    check_interrupts();
  }
}

// The rows of the leaves that are replaced: they are removed by now, but not by anybody else.
class ReplacedRows {
 public:
  ReplacedRows(const PartitionedTable& table, LeafTargets& targets) : targets_(targets), stored_(table.leaves.size()) {
    call([&] {
      Relation relation = table_open(table.relation, NoLock);
      row_ = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(relation)), &TTSOpsVirtual);
      table_close(relation, NoLock);
    });
  }
  // In the shape of the partitioned table, until the next call.
  TupleTableSlot* at(std::int64_t place) {
    const std::size_t leaf = part_at(place);
    call([&] {
      Relation relation = targets_.target(static_cast<int>(leaf)).relation();
      if (stored_[leaf] == nullptr) stored_[leaf] = table_slot_create(relation, nullptr);
      ItemPointerData position;
      set_place(position, place);
      if (!table_tuple_fetch_row_version(relation, &position, SnapshotAny, stored_[leaf])) elog(ERROR, "a live row is not where it was");
      targets_.to_root_unsafe(static_cast<int>(leaf), stored_[leaf], row_);
    });
    return row_;
  }
  void close() {
    call([&] {
      ExecDropSingleTupleTableSlot(row_);
      for (auto* slot : stored_)
        if (slot != nullptr) ExecDropSingleTupleTableSlot(slot);
    });
  }

 private:
  LeafTargets& targets_;
  std::vector<TupleTableSlot*> stored_;
  TupleTableSlot* row_;
};

void write_leaf_rows(PartitionedTable& table, LeafTargets& targets, RootRows& rows, Difference& found, bool write, Progress& progress) {
  MemoryContext outer = CurrentMemoryContext;
  ReplacedRows replaced(table, targets);
  std::int64_t record[3];
  std::size_t open = table.sources.size();
  while (found.writes.next(record)) {
    if (open != part_at(record[0])) rows.start(open = part_at(record[0]));
    while (static_cast<std::int64_t>(rows.parser().rows_begun()) < place_in_part(record[0])) {
      if (!rows.parser().next_row()) rows.parser().fail("it is not there any more");
      rows.parser().skip_row();
      if (rows.parser().rows_begun() % rows_per_call == 0) check_interrupts();
    }
    TupleTableSlot* live = record[1] < 0 ? nullptr : replaced.at(record[1]);
    if (!rows.read()) rows.parser().fail("it is not there any more");
    const int leaf = rows.find_leaf(live);
    call([&] {
      rows.become_owner_unsafe(leaf);
      auto& target = targets.target(leaf);
      const bool has_pointers = target.complete_unsafe(targets.row(leaf), false);
      if (write) refuse_conflicts_unsafe(target.insert_unsafe(targets.row(leaf), has_pointers), target.relation());
      ExecClearTuple(targets.row(leaf));
      rows.become_reader_unsafe();
    });
    ++table.leaves[static_cast<std::size_t>(leaf)].inserted;
    MemoryContextSwitchTo(outer);
    progress.add(1, 0);
    check_interrupts();
  }
  rows.finish();
  replaced.close();
}

}  // namespace

void apply_leaf_difference(PartitionedTable& table, Difference& found, bool write, Progress& progress) {
  RunAs owner(table.owner);
  push_latest_snapshot();
  LeafTargets targets(table, write);
  RootRows rows(table, targets);
  MemoryContext outer = CurrentMemoryContext;
  try {
    remove_leaf_rows(table, targets, found, write, progress);
    write_leaf_rows(table, targets, rows, found, write, progress);
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, rows.where(), rows.place());
  }
  rows.close();
  targets.close();
  found.close();
  pop_snapshot();
  call([] { CommandCounterIncrement(); });
}

std::uint64_t rows_without_leaf(PartitionedTable& table) {
  RunAs owner(table.owner);
  LeafTargets targets(table, false);
  RootRows rows(table, targets);
  std::uint64_t count = 0;
  MemoryContext outer = CurrentMemoryContext;
  try {
    for (std::size_t source = 0; source < table.sources.size(); ++source) {
      rows.start(source);
      while (rows.read()) {
        count += rows.look_for_leaf() < 0;
        MemoryContextSwitchTo(outer);
        check_interrupts();
      }
    }
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, rows.where(), rows.place());
  }
  MemoryContextSwitchTo(outer);
  rows.close();
  targets.close();
  return count;
}

}  // namespace snapback::pg
