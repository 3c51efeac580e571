// Every difference between the supported server versions, sorted by name. No other file looks at PG_VERSION_NUM.
#pragma once

#if PG_VERSION_NUM < 150000
#error "pg_snapback needs PostgreSQL 15 or later"
#endif
#if PG_VERSION_NUM >= 190000 && !defined(PG_SNAPBACK_UNTESTED_SERVER)
#error "pg_snapback is not tested with this server; define PG_SNAPBACK_UNTESTED_SERVER to try"
#endif

// RelFileNode became RelFileNumber in 16.
#if PG_VERSION_NUM >= 160000
#define snapback_relfilenumber_t RelFileNumber
#define SnapbackRelationSetNewRelfilenumber RelationSetNewRelfilenumber
#else
#define snapback_relfilenumber_t Oid
#define SnapbackRelationSetNewRelfilenumber RelationSetNewRelfilenode
#endif

// parseTypeString took a flag up to 15 and takes an error context from 16.
#if PG_VERSION_NUM >= 160000
#define SnapbackParseTypeString(text, type, typmod) parseTypeString(text, type, typmod, (Node*)&soft)
#define SNAPBACK_SOFT_ERRORS 1
#else
#define SnapbackParseTypeString(text, type, typmod) (parseTypeString(text, type, typmod, true), OidIsValid(*(type)))
#endif

// ExecInitRangeTable: RTEPermissionInfo list from 16, unpruned relids from 18.
#if PG_VERSION_NUM >= 180000
#define SnapbackInitRangeTable(estate, rte)                                       \
  do {                                                                            \
    List* permissions = NIL;                                                      \
    addRTEPermissionInfo(&permissions, rte);                                      \
    ExecInitRangeTable(estate, list_make1(rte), permissions, bms_make_singleton(1)); \
  } while (0)
#elif PG_VERSION_NUM >= 160000
#define SnapbackInitRangeTable(estate, rte)                     \
  do {                                                          \
    List* permissions = NIL;                                    \
    addRTEPermissionInfo(&permissions, rte);                    \
    ExecInitRangeTable(estate, list_make1(rte), permissions);   \
  } while (0)
#else
#define SnapbackInitRangeTable(estate, rte) ExecInitRangeTable(estate, list_make1(rte))
#endif

// ExecInsertIndexTuples: onlySummarizing from 16.
#if PG_VERSION_NUM >= 160000
#define SnapbackInsertIndexTuples(info, slot, estate, update, only_summarizing) \
  ExecInsertIndexTuples(info, slot, estate, update, false, nullptr, NIL, only_summarizing)
typedef TU_UpdateIndexes snapback_update_indexes_t;
#define SnapbackUpdatesNoIndexes(value) ((value) == TU_None)
#define SnapbackUpdatesSummarizing(value) ((value) == TU_Summarizing)
#else
#define SnapbackInsertIndexTuples(info, slot, estate, update, only_summarizing) \
  ((void)(only_summarizing), ExecInsertIndexTuples(info, slot, estate, update, false, nullptr, NIL))
typedef bool snapback_update_indexes_t;
#define SnapbackUpdatesNoIndexes(value) (!(value))
#define SnapbackUpdatesSummarizing(value) false
#endif

// index_beginscan: instrumentation from 18.
#if PG_VERSION_NUM >= 180000
#define SnapbackIndexBeginScan(heap, index, snapshot, keys) index_beginscan(heap, index, snapshot, nullptr, keys, 0)
#else
#define SnapbackIndexBeginScan(heap, index, snapshot, keys) index_beginscan(heap, index, snapshot, keys, 0)
#endif

// Columns whose change makes an update that is not HOT: any of an index up to 15, from 16 on those of summarizing indexes (BRIN) do not count.
#if PG_VERSION_NUM >= 160000
#define SNAPBACK_INDEX_ATTRIBUTES INDEX_ATTR_BITMAP_HOT_BLOCKING
#else
#define SNAPBACK_INDEX_ATTRIBUTES INDEX_ATTR_BITMAP_ALL
#endif

// reindex_relation: the statement, for event triggers, from 17.
#if PG_VERSION_NUM >= 170000
#define SnapbackReindexRelation(relation, flags, params) reindex_relation(nullptr, relation, flags, params)
#else
#define SnapbackReindexRelation(relation, flags, params) reindex_relation(relation, flags, params)
#endif
