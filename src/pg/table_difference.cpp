#include "pg/table_difference.hpp"

#include <memory>

#include "pg/call.hpp"
#include "pg/difference_sides.hpp"
#include "pg/identity.hpp"
#include "pg/partitioned_table.hpp"
#include "pg/snapshot.hpp"

extern "C" {
#include "access/genam.h"
}

namespace snapback::pg {

namespace {

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

// The leaves of a partitioned table one after the other, each opened when it is read.
class LiveLeaves {
 public:
  explicit LiveLeaves(const PartitionedTable& table) : table_(table) {}

  bool done() const { return next_ == table_.leaves.size() && !side_; }
  double share() const { return done() ? 1 : (static_cast<double>(next_) - (side_ ? 1 - side_->share() : 0)) / static_cast<double>(table_.leaves.size()); }

  void read(RowMatcher& matcher) {
    if (!side_) {
      auto& leaf = table_.leaves[next_];
      side_ = std::make_unique<LiveSide>(leaf.relation, leaf.kept, leaf.key, next_);
      ++next_;
    }
    side_->read(matcher);
    if (!side_->done()) return;
    side_->close();
    side_.reset();
  }

 private:
  const PartitionedTable& table_;
  std::size_t next_ = 0;
  std::unique_ptr<LiveSide> side_;
};

// Its sources likewise.
class BackupSources {
 public:
  explicit BackupSources(const PartitionedTable& table) : table_(table) {}

  bool done() const { return next_ == table_.sources.size() && !side_; }
  double share() const { return done() ? 1 : (static_cast<double>(next_) - (side_ ? 1 - side_->share() : 0)) / static_cast<double>(table_.sources.size()); }
  std::uint64_t rows() const { return rows_; }
  std::uint64_t row() const { return rows_open_ ? rows_open_->parser.place() : 0; }
  const Fingerprint& fingerprint() const { return fingerprint_; }

  void read(RowMatcher& matcher) {
    if (!side_) {
      auto& source = table_.sources[next_];
      rows_open_ = table_.open(next_);
      side_ = std::make_unique<BackupSide>(table_.relation, source.mapping, table_.key, rows_open_->parser, source.rows, next_);
      ++next_;
    }
    side_->read(matcher);
    if (!side_->done()) return;
    rows_ += side_->rows();
    fingerprint_.add(side_->fingerprint());
    side_->close();
    side_.reset();
    rows_open_.reset();
  }

 private:
  const PartitionedTable& table_;
  std::size_t next_ = 0;
  std::uint64_t rows_ = 0;
  Fingerprint fingerprint_;
  std::unique_ptr<SourceRows> rows_open_;
  std::unique_ptr<BackupSide> side_;
};

// Reads both sides to their ends, side by side as far as the order of rows is still that of the backup.
template <class Live, class Backup>
void match(Live& live, Backup& backup, RowMatcher& matcher, const std::string& name, Progress& progress) {
  MemoryContext outer = CurrentMemoryContext;
  try {
    while (!live.done() || !backup.done()) {
      if (backup.done() || (!live.done() && live.share() <= backup.share()))
        live.read(matcher);
      else
        backup.read(matcher);
      progress.add(rows_per_call, 0);
      check_interrupts();
    }
  } catch (error& e) {
    MemoryContextSwitchTo(outer);
    rethrow_without_values(e, "compare table \"" + name + "\"", static_cast<std::int64_t>(backup.row()));
  }
}

}  // namespace

void find_difference(Oid relid, const std::string& name, const ColumnMapping& mapping, const std::vector<AttrNumber>& key, RowParser& parser, std::uint64_t rows, Difference& found,
                     Progress& progress) {
  RunAs owner(owner_of(relid));
  push_latest_snapshot();
  Leftovers leftovers(found, !has_other_uniqueness(relid, key));
  RowMatcher matcher([&](const RowMark& mark) { leftovers.add(mark); });
  LiveSide live(relid, mapping.kept, key);
  BackupSide backup(relid, mapping, key, parser, rows);
  match(live, backup, matcher, name, progress);
  matcher.drain();
  found.unchanged = matcher.matched();
  found.backup_rows = backup.rows();
  found.backup_fingerprint = backup.fingerprint();
  live.close();
  backup.close();
  leftovers.sort_out();
  pop_snapshot();
}

void find_leaf_difference(const PartitionedTable& table, Difference& found, Progress& progress) {
  RunAs owner(table.owner);
  push_latest_snapshot();
  Leftovers leftovers(found, false);
  RowMatcher matcher([&](const RowMark& mark) { leftovers.add(mark); });
  LiveLeaves live(table);
  BackupSources backup(table);
  match(live, backup, matcher, table.name, progress);
  matcher.drain();
  found.unchanged = matcher.matched();
  found.backup_rows = backup.rows();
  found.backup_fingerprint = backup.fingerprint();
  leftovers.sort_out();
  pop_snapshot();
}

}  // namespace snapback::pg
