// Rows of a partitioned table, written into the partitions where they belong by the bounds of today.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/format/row_parser.hpp"
#include "core/format/row_sink.hpp"
#include "pg/call.hpp"
#include "pg/progress.hpp"
#include "pg/table_apply.hpp"
#include "pg/table_difference.hpp"
#include "pg/table_target.hpp"

struct TupleConversionMap;

namespace snapback::pg {

// A partition without partitions of its own. The columns are those of the PartitionedTable, in its order.
struct Leaf {
  Oid relation = InvalidOid, owner = InvalidOid;
  std::vector<AttrNumber> kept, key;
  std::uint64_t inserted = 0, removed = 0;  // filled while its rows are written
};

// One of the backup's tables whose rows are to go into the partitioned table. The mapping's positions are columns of the partitioned table, and `kept` is the same in all of them.
struct LeafSource {
  std::string name;
  ColumnMapping mapping;
  std::uint64_t rows = 0;
};

// The rows of one source, to be read once.
struct SourceRows {
  // `open_text` opens the text, with the interrupts that it may keep.
  template <class Open>
  explicit SourceRows(Open open_text) : text(open_text(interrupts)), parser(*text) {}

  ServerInterrupts interrupts;
  std::unique_ptr<TextSource> text;
  RowParser parser;
};

struct PartitionedTable {
  Oid relation = InvalidOid, owner = InvalidOid;
  std::string name;
  std::vector<AttrNumber> kept;  // columns that come from the backup, in the order in which rows are hashed
  std::vector<AttrNumber> key;   // primary key, may be empty
  std::vector<AttrNumber> defaulted;  // columns that the backup does not have: they get this table's defaults
  std::vector<Leaf> leaves;      // locked by the caller
  std::vector<LeafSource> sources;
  std::function<std::unique_ptr<SourceRows>(std::size_t source)> open;  // one at a time

  static constexpr std::size_t most_parts = 32767;  // leaves, and sources, that find_difference() can tell apart
};

// Where the rows of one partitioned table go: a TableTarget for every leaf. A table may be its own only leaf. Functions named _unsafe are to be called inside pg::call.
class LeafTargets {
 public:
  LeafTargets(const PartitionedTable& table, bool with_indexes);
  ~LeafTargets();

  // Fills the defaults of columns that the backup does not have, as the current user.
  void fill_defaults_unsafe(TupleTableSlot* row);
  // The leaf that takes a row, given as a virtual tuple of the partitioned table, and -1 when none does. The row then stands in row(leaf) too, in the leaf's own shape. The partition key's
  // code runs as the current user.
  int find_unsafe(TupleTableSlot* row);
  // A row of a leaf in the shape of the partitioned table, in `to`; its values stay where they are.
  void to_root_unsafe(int leaf, TupleTableSlot* from, TupleTableSlot* to);
  TupleTableSlot* row(int leaf) const { return parts_[static_cast<std::size_t>(leaf)].row; }
  TableTarget& target(int leaf) const { return *parts_[static_cast<std::size_t>(leaf)].target; }
  void close();

 private:
  struct Part {
    std::unique_ptr<TableTarget> target;
    TupleTableSlot* row = nullptr;
    TupleConversionMap *from_root = nullptr, *to_root = nullptr;  // null: the same columns in the same places
  };
  std::unique_ptr<TableTarget> root_;  // none where the table is its own only leaf
  std::vector<Part> parts_;
  std::vector<int> order_;  // the leaf of the last row first: neighbours mostly belong together
};

struct PartitionedLoad {
  std::uint64_t rows = 0;
  Fingerprint fingerprint;  // of the rows as converted
};

// All of these convert rows as the table's owner, and complete and check them as the owner of the leaf, below triggers and rules. Leaves' counts are filled. Raise 23514 for a row that
// no leaf takes, XX001 when a source does not have its rows, and what load_rows, apply_rows and apply_difference raise.

// Appends the rows of all sources, without index entries: the leaves are empty, and their indexes are built afterwards. With `write` false every row is only converted, completed and checked.
PartitionedLoad load_leaves(PartitionedTable& table, bool write, Progress& progress);
// As apply_rows: by the primary key of the leaf.
ApplyResult apply_to_leaves(PartitionedTable& table, const ApplyOptions& options, Progress& progress);
// As find_difference, over all leaves and all sources; rows that change are removed and written anew.
void find_leaf_difference(const PartitionedTable& table, Difference& found, Progress& progress);
// As apply_difference.
void apply_leaf_difference(PartitionedTable& table, Difference& found, bool write, Progress& progress);

// How many rows of the sources no leaf takes. Writes nothing.
std::uint64_t rows_without_leaf(PartitionedTable& table);

}  // namespace snapback::pg
