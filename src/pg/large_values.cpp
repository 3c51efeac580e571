#include "pg/large_values.hpp"

#include "pg/call.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/detoast.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
}

namespace snapback::pg {

Size largest_row() {
#ifdef PG_SNAPBACK_TESTING
  return static_cast<Size>(settings.test_largest_row);
#else
  return Size{1} << 29;
#endif
}

Size largest_row_in_memory() { return largest_row() >> 4; }

Size largest_value_inside() { return largest_row_in_memory() >> 9; }

namespace {

// To the server such a value is an expanded object: it asks for the flat form whenever it needs the bytes, and frees that again.
//
// Nobody knows what code of the table's owner (a check, a generated column, an index expression) does with a pointer to it: a cursor that it opens keeps a copy past the row. So this stays until
// the transaction ends, and answers with an error once the row is done.
struct StoredValue {
  ExpandedObjectHeader header;
  Size size;
  struct varlena* memory;  // or in the file:
  BufFile* file;
  int file_number;
  off_t offset;
  bool gone;
};

Size stored_size(ExpandedObjectHeader* header) { return reinterpret_cast<StoredValue*>(header)->size; }

// Called by the server, inside of some pg::call; nothing here has a destructor.
void read_stored(ExpandedObjectHeader* header, void* result, Size size) {
  auto* value = reinterpret_cast<StoredValue*>(header);
  if (value->gone)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("a value of a restored row was kept after the row was written"),
                    errdetail("Code of the table, such as a check or a generated column, gave it to a cursor.")));
  if (value->memory != nullptr)
    memcpy(result, value->memory, size);
  else if (BufFileSeek(value->file, value->file_number, value->offset, SEEK_SET) != 0 || BufFileRead(value->file, result, size) != size)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a value back from a temporary file")));  // GCOVR_EXCL_LINE the server's file is shorter than it was written
}

const ExpandedObjectMethods stored_methods = {stored_size, read_stored};

// Its value is gone with the current context's memory.
StoredValue* new_stored_value(Size size) {
  auto* value = static_cast<StoredValue*>(MemoryContextAllocZero(TopTransactionContext, sizeof(StoredValue)));
  EOH_init_header(&value->header, &stored_methods, TopTransactionContext);
  value->size = size;
  auto* callback = static_cast<MemoryContextCallback*>(palloc(sizeof(MemoryContextCallback)));
  callback->func = [](void* argument) { static_cast<StoredValue*>(argument)->gone = true; };
  callback->arg = value;
  MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
  return value;
}

// Behind a pointer of another kind, because code for arrays takes every expanded object for one of its own.
Datum pointer_to(StoredValue* value) {
  varatt_indirect target = {reinterpret_cast<struct varlena*>(DatumGetPointer(EOHPGetRODatum(&value->header)))};
  auto* pointer = static_cast<struct varlena*>(palloc0(INDIRECT_POINTER_SIZE));
  SET_VARTAG_EXTERNAL(pointer, VARTAG_INDIRECT);
  memcpy(VARDATA_EXTERNAL(pointer), &target, sizeof target);
  return PointerGetDatum(pointer);
}

Datum store_unsafe(BufFile* file, int& end_file, off_t& end, struct varlena* value) {
  StoredValue* stored = new_stored_value(VARSIZE(value));
  stored->file = file;
  stored->file_number = end_file;
  stored->offset = end;
  if (BufFileSeek(file, end_file, end, SEEK_SET) != 0) elog(ERROR, "could not seek in a temporary file");
  BufFileWrite(file, value, stored->size);
  BufFileTell(file, &end_file, &end);
  return pointer_to(stored);
}

}  // namespace

Datum point_at_unsafe(struct varlena* value) {
  value = detoast_attr(value);  // what stands behind such a pointer is neither compressed nor has it a short header
  StoredValue* stored = new_stored_value(VARSIZE(value));
  stored->memory = value;
  return pointer_to(stored);
}

LargeValues::LargeValues()
    : limit_(largest_row_in_memory()), context_(call([&] { return AllocSetContextCreate(owned_.get(), "pg_snapback large values of a row", ALLOCSET_DEFAULT_SIZES); })) {}

Datum LargeValues::keep(Datum value, bool by_value, std::int16_t length, bool can_be_pointer) {
  if (by_value) return value;
  used_ = true;
  return call([&] {
    MemoryContext row = CurrentMemoryContext;
    auto* varlena = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    if (!can_be_pointer || VARSIZE_ANY(varlena) <= largest_value_inside()) {
      MemoryContextSwitchTo(context_);
      Datum copy = datumCopy(value, false, length);
      MemoryContextSwitchTo(row);
      return copy;
    }
    CHECK_FOR_INTERRUPTS();
    varlena = detoast_attr(varlena);
    MemoryContextSwitchTo(context_);
    if (file_ == nullptr) {
      file_ = BufFileCreateTemp(false);
      end_file_ = 0;
      end_ = 0;
    }
    Datum pointer = store_unsafe(file_, end_file_, end_, varlena);
    MemoryContextSwitchTo(row);
    return pointer;
  });
}

void LargeValues::clear() {
  if (!used_) return;
  call([&] {
    if (file_ != nullptr) BufFileClose(file_);
    file_ = nullptr;
    MemoryContextReset(context_);
  });
  used_ = false;
}

}  // namespace snapback::pg
