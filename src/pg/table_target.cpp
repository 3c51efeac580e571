#include "pg/table_target.hpp"

#include "pg/call.hpp"
#include "pg/large_values.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
#include "access/genam.h"
#include "commands/tablecmds.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
}

namespace snapback::pg {

TableTarget::TableTarget(Oid relation, const ColumnMapping& mapping, bool with_indexes) : defaulted_(mapping.defaulted), with_indexes_(with_indexes) {
  defaults_.resize(defaulted_.size());
  call([&] {
    relation_ = table_open(relation, NoLock);
    CheckTableNotInUse(relation_, "backup_restore()");
    estate_ = CreateExecutorState();
    MemoryContext old = MemoryContextSwitchTo(estate_->es_query_cxt);
    RangeTblEntry* entry = makeNode(RangeTblEntry);
    entry->rtekind = RTE_RELATION;
    entry->relid = relation;
    entry->relkind = relation_->rd_rel->relkind;
    entry->rellockmode = AccessShareLock;
    SnapbackInitRangeTable(estate_, entry);
    info_ = makeNode(ResultRelInfo);
    InitResultRelInfo(info_, relation_, 1, nullptr, 0);
    // no trigger of the table's fires in a restore, of whatever state
    info_->ri_TrigDesc = nullptr;
    estate_->es_output_cid = GetCurrentCommandId(true);
    if (with_indexes_) ExecOpenIndices(info_, false);
    for (std::size_t i = 0; i < defaulted_.size(); ++i) {
      Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation_), defaulted_[i] - 1);
      if (attribute->attgenerated != '\0') continue;
      auto* expression = reinterpret_cast<Expr*>(build_column_default(relation_, defaulted_[i]));
      if (expression != nullptr) defaults_[i] = ExecPrepareExpr(expression, estate_);
    }
    MemoryContextSwitchTo(old);
  });
}

TableTarget::~TableTarget() = default;

bool TableTarget::takes_unsafe(TupleTableSlot* slot) {
  if (!relation_->rd_rel->relispartition) return true;
  ResetPerTupleExprContext(estate_);
  slot->tts_tableOid = RelationGetRelid(relation_);
  return ExecPartitionCheck(info_, slot, estate_, false);
}

void TableTarget::fill_defaults_unsafe(TupleTableSlot* slot) {
  for (std::size_t i = 0; i < defaulted_.size(); ++i) {
    int position = defaulted_[i] - 1;
    slot->tts_isnull[position] = true;
    slot->tts_values[position] = static_cast<Datum>(0);
    if (defaults_[i] != nullptr)
      slot->tts_values[position] = ExecEvalExpr(defaults_[i], GetPerTupleExprContext(estate_), &slot->tts_isnull[position]);
  }
}

namespace {

bool is_varlena(TupleTableSlot* slot, int column) {
  return !slot->tts_isnull[column] && TupleDescAttr(slot->tts_tupleDescriptor, column)->attlen == -1;
}

bool is_inside(TupleTableSlot* slot, int column) {
  return is_varlena(slot, column) && !VARATT_IS_EXTERNAL(DatumGetPointer(slot->tts_values[column]));
}

bool is_pointer(TupleTableSlot* slot, int column) {
  return is_varlena(slot, column) && VARATT_IS_EXTERNAL_INDIRECT(DatumGetPointer(slot->tts_values[column]));
}

// Puts pointers in the place of large values when all together would make no tuple; the server's toaster follows them. True when the row has pointers now.
bool point_at_large_values_unsafe(TupleTableSlot* slot) {
  const int columns = slot->tts_tupleDescriptor->natts;
  Size size = 0;
  bool pointers = false;
  for (int i = 0; i < columns; ++i) {
    if (is_inside(slot, i))
      size += VARSIZE_ANY(DatumGetPointer(slot->tts_values[i]));
    else
      pointers |= is_pointer(slot, i);
  }
  if (size <= largest_row()) return pointers;
  for (int i = 0; i < columns; ++i) {
    if (!is_inside(slot, i) || VARSIZE_ANY(DatumGetPointer(slot->tts_values[i])) <= largest_value_inside()) continue;
    if (get_typstorage(TupleDescAttr(slot->tts_tupleDescriptor, i)->atttypid) == TYPSTORAGE_PLAIN) continue;
    slot->tts_values[i] = point_at_unsafe(reinterpret_cast<struct varlena*>(DatumGetPointer(slot->tts_values[i])));
  }
  return true;
}

}  // namespace

bool TableTarget::complete_unsafe(TupleTableSlot* slot, bool update) {
  const bool pointers = point_at_large_values_unsafe(slot);
  TupleConstr* constraints = RelationGetDescr(relation_)->constr;
  slot->tts_tableOid = RelationGetRelid(relation_);
  if (constraints != nullptr && constraints->has_generated_stored)
    ExecComputeStoredGenerated(info_, estate_, slot, update ? CMD_UPDATE : CMD_INSERT);
  if (constraints != nullptr) ExecConstraints(info_, slot, estate_);
  if (relation_->rd_rel->relispartition) ExecPartitionCheck(info_, slot, estate_, true);
  return pointers;
}

List* TableTarget::insert_entries_unsafe(TupleTableSlot* slot, bool update, snapback_update_indexes_t indexes) {
  if (!with_indexes_ || (update && SnapbackUpdatesNoIndexes(indexes))) return NIL;
  return SnapbackInsertIndexTuples(info_, slot, estate_, update, update && SnapbackUpdatesSummarizing(indexes));
}

List* TableTarget::insert_unsafe(TupleTableSlot* slot, bool has_pointers) {
  // Logical decoding would hand out each version of the row, and the first ones may be none that a subscriber can take.
  if (has_pointers && !RelationIsLogicallyLogged(relation_)) return write_by_value_unsafe(nullptr, slot);
  table_tuple_insert(relation_, slot, estate_->es_output_cid, 0, nullptr);
  return insert_entries_unsafe(slot, false, {});
}

List* TableTarget::update_unsafe(const ItemPointerData& place, TupleTableSlot* slot, bool has_pointers) {
  if (has_pointers && !RelationIsLogicallyLogged(relation_)) return write_by_value_unsafe(&place, slot);
  ItemPointerData position = place;
  snapback_update_indexes_t indexes;
  simple_table_tuple_update(relation_, &position, slot, GetActiveSnapshot(), &indexes);
  return insert_entries_unsafe(slot, true, indexes);
}

void TableTarget::close() {
  call([&] {
    if (with_indexes_) ExecCloseIndices(info_);
    if (version_ != nullptr) {
      ExecDropSingleTupleTableSlot(version_);
      ExecDropSingleTupleTableSlot(next_);
    }
    ExecCloseRangeTableRelations(estate_);
    FreeExecutorState(estate_);
    table_close(relation_, NoLock);
  });
}

void refuse_conflicts_unsafe(List* doubtful, Relation relation) {
  if (doubtful == NIL) return;
  Oid index = linitial_oid(doubtful);
  Relation index_relation = index_open(index, AccessShareLock);
  bool exclusion = index_relation->rd_index->indisexclusion;
  index_close(index_relation, NoLock);
  if (exclusion)
    ereport(ERROR, (errcode(ERRCODE_EXCLUSION_VIOLATION), errmsg("conflicting key value violates exclusion constraint \"%s\"", get_rel_name(index)), errtable(relation)));
  ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION), errmsg("duplicate key value violates unique constraint \"%s\"", get_rel_name(index)), errtable(relation)));
}

void rethrow_without_values(error& e, const std::string& where, std::int64_t row) {
  std::string state = e.sqlstate();
  if (!is_data_error(state)) throw std::move(e);
  std::string message = e.message();
  // messages of integrity violations name constraint and table; those of data exceptions quote the value
  if (state.compare(0, 2, "23") != 0) message = "could not " + where + ": a value was refused";
  std::string detail = row >= 0 ? "It is row " + std::to_string(row) + " of the table in the backup, counted from 0. Values are not shown."
                                : "Values are not shown. It happened while trying to " + where + ".";
  throw snapback::error(state.c_str(), message, detail);
}

}  // namespace snapback::pg
