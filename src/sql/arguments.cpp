#include "sql/arguments.hpp"

#include "core/error.hpp"
#include "pg/encoding.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "storage/lmgr.h"
#include "utils/array.h"
}

namespace snapback::sql {

namespace {

std::string datum_text(Datum datum) {
  text* value = pg::call([&] { return DatumGetTextPP(datum); });
  return std::string(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

HeapTuple build_tuple(TupleDesc description, const std::vector<Cell>& row) {
  std::vector<char*> values(description->natts, nullptr);
  if (static_cast<std::size_t>(description->natts) != row.size())
    throw snapback::error(sqlstate::internal_error, "result has " + std::to_string(row.size()) + " columns instead of " + std::to_string(description->natts));
  for (std::size_t i = 0; i < row.size(); ++i)
    if (row[i]) values[i] = const_cast<char*>(row[i]->c_str());
  return pg::call([&] { return BuildTupleFromCStrings(TupleDescGetAttInMetadata(description), values.data()); });
}

// 1234.5 -> shortest text that reads back
std::string seconds_text(double seconds) {
  char buffer[64];
  snprintf(buffer, sizeof(buffer), "%.3f", seconds);
  return buffer;
}

Cell string_cell(const Json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end() || !it->is_string() || it->get_ref<const std::string&>().empty()) return std::nullopt;
  return pg::shown_text(it->get_ref<const std::string&>());
}

}  // namespace

std::optional<std::string> text_argument(FunctionCallInfo fcinfo, int index) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  return datum_text(PG_GETARG_DATUM(index));
}

std::string required_text(FunctionCallInfo fcinfo, int index, const char* name) {
  auto value = text_argument(fcinfo, index);
  if (!value) throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must not be null");
  return *value;
}

std::optional<bool> bool_argument(FunctionCallInfo fcinfo, int index) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  return PG_GETARG_BOOL(index);
}

bool required_bool(FunctionCallInfo fcinfo, int index, const char* name) {
  auto value = bool_argument(fcinfo, index);
  if (!value) throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must not be null");
  return *value;
}

std::optional<int> int_argument(FunctionCallInfo fcinfo, int index) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  return PG_GETARG_INT32(index);
}

std::optional<std::vector<std::string>> text_list(FunctionCallInfo fcinfo, int index, const char* name) {
  if (PG_ARGISNULL(index)) return std::nullopt;
  struct Elements {
    Datum* values;
    bool* nulls;
    int count;
    int dimensions;
  };
  Elements elements = pg::call([&]() -> Elements {
    Elements e;
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(index);
    e.dimensions = ARR_NDIM(array);
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &e.values, &e.nulls, &e.count);
    return e;
  });
  if (elements.dimensions > 1) throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must be a list, not an array of more dimensions");
  std::vector<std::string> list;
  for (int i = 0; i < elements.count; ++i) {
    if (elements.nulls[i]) throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must not hold nulls");
    list.push_back(datum_text(elements.values[i]));
  }
  return list;
}

void refuse_argument(bool given, const char* function, const char* name) {
  if (given)
    throw snapback::error(sqlstate::feature_not_supported, std::string("argument \"") + name + "\" of " + function + "() is not supported yet", "",
                          "Leave it out; the changelog tells when it comes.");
}

void hold_function(FunctionCallInfo fcinfo) {
  const Oid function = fcinfo->flinfo->fn_oid;
  const char* name = pg::call([&] { return get_func_name(function); });
  const bool exists = pg::call([&] {
    LockDatabaseObject(ProcedureRelationId, function, 0, AccessShareLock);
    return SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function));
  });
  if (exists) return;
  throw snapback::error(sqlstate::undefined_function, std::string("function ") + (name != nullptr ? name : "?") + "() does not exist any more",
                        "Extension pg_snapback was dropped while the call waited. The backups are still in the storage directory.", "Make it anew: CREATE EXTENSION pg_snapback.");
}

Datum composite_result(FunctionCallInfo fcinfo, const std::vector<Cell>& row) {
  TupleDesc description = pg::call([&] {
    TupleDesc found = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &found) != TYPEFUNC_COMPOSITE)
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("function returning record called in context that cannot accept type record")));
    return BlessTupleDesc(found);
  });
  HeapTuple tuple = build_tuple(description, row);
  return pg::call([&] { return HeapTupleGetDatum(tuple); });
}

Datum set_result(FunctionCallInfo fcinfo, const std::vector<std::vector<Cell>>& rows) {
  pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
  auto* info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (auto& row : rows) {
    HeapTuple tuple = build_tuple(info->setDesc, row);
    pg::call([&] { tuplestore_puttuple(info->setResult, tuple); });
  }
  return static_cast<Datum>(0);
}

Datum text_result(FunctionCallInfo fcinfo, const Cell& text) {
  if (!text) PG_RETURN_NULL();
  return pg::call([&] { return PointerGetDatum(cstring_to_text_with_len(text->data(), static_cast<int>(text->size()))); });
}

Cell boolean_cell(bool value) { return value ? "t" : "f"; }

std::vector<Cell> backup_info_row(const service::BackupInfo& backup) {
  const Sidecar& sidecar = backup.sidecar;
  const Json& object = sidecar.backup;
  bool known = object.is_object() && !object.empty();
  auto number = [&](std::uint64_t value) -> Cell { return known ? Cell(std::to_string(value)) : Cell(); };
  std::vector<std::string> warnings;
  if (known && object.contains("warnings"))
    for (auto& warning : object["warnings"]) warnings.push_back(pg::shown_text(warning.get<std::string>()));
  Cell not_captured;
  if (known && object.contains("not_captured") && object["not_captured"].is_object()) not_captured = object["not_captured"].dump();
  return {backup.id,
          backup.state,
          known ? string_cell(object, "created_at") : Cell(),
          number(sidecar.tables),
          number(sidecar.rows),
          std::to_string(backup.stored_bytes),
          known ? Cell(sidecar.verified) : Cell(),
          known ? string_cell(object, "label") : Cell(),
          known ? string_cell(object, "database") : Cell(),
          number(sidecar.logical_bytes),
          known && backup.has_sidecar ? Cell(seconds_text(sidecar.seconds)) : Cell(),
          sidecar.verified_at.empty() ? Cell() : Cell(sidecar.verified_at),
          backup.expires_at().empty() ? Cell() : Cell(backup.expires_at()),
          boolean_cell(sidecar.pinned),
          boolean_cell(known && backup.uncommitted()),
          boolean_cell(false),
          Cell("default"),
          not_captured,
          pg::array_literal(warnings),
          backup.problem.empty() ? Cell() : Cell(backup.problem)};
}

}  // namespace snapback::sql
