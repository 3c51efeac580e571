#include "pg/table_target.hpp"

#include "pg/call.hpp"
#include "pg/settings.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
#include "access/detoast.h"
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

// What a row may hold by itself, and the values that then stand outside of it. A tuple ends at 1 GB.
Size largest_row() {
#ifdef PG_SNAPBACK_TESTING
  return static_cast<Size>(settings.test_largest_row);
#else
  return Size{1} << 29;
#endif
}
Size largest_value_inside() { return largest_row() >> 9; }

bool is_inside(TupleTableSlot* slot, int column) {
  return !slot->tts_isnull[column] && TupleDescAttr(slot->tts_tupleDescriptor, column)->attlen == -1 &&
         !VARATT_IS_EXTERNAL(DatumGetPointer(slot->tts_values[column]));
}

// Puts pointers in the place of large values when all together would make no tuple; the server's toaster follows them and stores one value after the other.
bool point_at_large_values_unsafe(TupleTableSlot* slot) {
  const int columns = slot->tts_tupleDescriptor->natts;
  Size size = 0;
  for (int i = 0; i < columns; ++i)
    if (is_inside(slot, i)) size += VARSIZE_ANY(DatumGetPointer(slot->tts_values[i]));
  if (size <= largest_row()) return false;
  for (int i = 0; i < columns; ++i) {
    if (!is_inside(slot, i) || VARSIZE_ANY(DatumGetPointer(slot->tts_values[i])) <= largest_value_inside()) continue;
    varatt_indirect target = {reinterpret_cast<varlena*>(DatumGetPointer(slot->tts_values[i]))};
    auto* pointer = static_cast<varlena*>(palloc0(INDIRECT_POINTER_SIZE));
    SET_VARTAG_EXTERNAL(pointer, VARTAG_INDIRECT);
    memcpy(VARDATA_EXTERNAL(pointer), &target, sizeof target);
    slot->tts_values[i] = PointerGetDatum(pointer);
  }
  return true;
}

}  // namespace

bool TableTarget::complete_unsafe(TupleTableSlot* slot, bool update) {
  const bool points = point_at_large_values_unsafe(slot);
  TupleConstr* constraints = RelationGetDescr(relation_)->constr;
  slot->tts_tableOid = RelationGetRelid(relation_);
  if (constraints != nullptr && constraints->has_generated_stored)
    ExecComputeStoredGenerated(info_, estate_, slot, update ? CMD_UPDATE : CMD_INSERT);
  if (constraints != nullptr) ExecConstraints(info_, slot, estate_);
  if (relation_->rd_rel->relispartition) ExecPartitionCheck(info_, slot, estate_, true);
  return points;
}

void TableTarget::close() {
  call([&] {
    if (with_indexes_) ExecCloseIndices(info_);
    ExecCloseRangeTableRelations(estate_);
    FreeExecutorState(estate_);
    table_close(relation_, NoLock);
  });
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
