// One table being written below the level of SQL: no triggers, no rules; constraints, partition bounds and generated columns as the server itself computes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pg/pg.hpp"
#include "pg/row_reader.hpp"

struct EState;
struct ResultRelInfo;
struct ExprState;

namespace snapback::pg {

// How the columns of a backup meet those of a live table. `columns[i].position` is the live attribute number minus 1.
struct ColumnMapping {
  std::vector<ColumnTarget> columns;      // in the backup's order
  std::vector<AttrNumber> kept;           // live attributes that come from the backup, in the backup's order
  std::vector<AttrNumber> defaulted;      // live attributes the backup does not have
  bool identical = true;                  // same types and no column dropped: the backup's own hashes are those of the live rows
};

// The executor's state for inserts into one relation. The relation is locked by the caller. PostgreSQL resources are freed by close(), or by the end of the (sub)transaction.
// Everything named _unsafe is to be called inside pg::call.
class TableTarget {
 public:
  TableTarget(Oid relation, const ColumnMapping& mapping, bool with_indexes);
  ~TableTarget();
  TableTarget(const TableTarget&) = delete;
  TableTarget& operator=(const TableTarget&) = delete;

  Relation relation() const { return relation_; }
  EState* estate() const { return estate_; }
  ResultRelInfo* info() const { return info_; }
  // Whether the table's partition bound takes a stored virtual tuple; true for a table that is no partition. Before complete_unsafe().
  bool takes_unsafe(TupleTableSlot* slot);
  // Fills defaults of columns the backup does not have into a slot's values (NULL without default).
  void fill_defaults_unsafe(TupleTableSlot* slot);
  // Generated columns, NOT NULL, CHECK and partition bound of a stored virtual tuple. True when the row has values that stand outside of the tuple (LargeValues, or the
  // current context's memory): they have to last until the row is written.
  bool complete_unsafe(TupleTableSlot* slot, bool update);
  // Write a completed row, with its index entries: a new one, or the next version of the one at `place`. `has_pointers`: what complete_unsafe() said; such a row is written value by
  // value, so that one of them is in memory at a time. Return the indexes of deferrable constraints that may be violated.
  List* insert_unsafe(TupleTableSlot* slot, bool has_pointers);
  List* update_unsafe(const ItemPointerData& place, TupleTableSlot* slot, bool has_pointers);
  void close();

 private:
  List* insert_entries_unsafe(TupleTableSlot* slot, bool update, snapback_update_indexes_t indexes);
  List* write_by_value_unsafe(const ItemPointerData* place, TupleTableSlot* slot);

  Relation relation_ = nullptr;
  EState* estate_ = nullptr;
  ResultRelInfo* info_ = nullptr;
  std::vector<AttrNumber> defaulted_;
  std::vector<ExprState*> defaults_;
  bool with_indexes_;
  TupleTableSlot* version_ = nullptr;  // of a row that is written value by value, as it is stored
  TupleTableSlot* next_ = nullptr;     // and its next version
};

// What inserting or updating returned, once every row that is to go has gone: what a deferrable constraint finds doubtful then is a conflict for good. Raises 23505, 23P01. Inside pg::call.
void refuse_conflicts_unsafe(List* doubtful, Relation relation);

// Rethrows a PostgreSQL error about data as snapback::error with the same SQLSTATE and no value in it: details and contexts go, messages of class 22 are replaced.
// Anything else goes on unchanged. Called inside a catch handler. `where` completes the sentence "could not …", as in `load table "public.t"`; row < 0: unknown.
[[noreturn]] void rethrow_without_values(class error& e, const std::string& where, std::int64_t row);

}  // namespace snapback::pg
