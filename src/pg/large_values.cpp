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

Datum point_at_unsafe(struct varlena* value) {
  varatt_indirect target = {value};
  auto* pointer = static_cast<struct varlena*>(palloc0(INDIRECT_POINTER_SIZE));
  SET_VARTAG_EXTERNAL(pointer, VARTAG_INDIRECT);
  memcpy(VARDATA_EXTERNAL(pointer), &target, sizeof target);
  return PointerGetDatum(pointer);
}

namespace {

// To the server a value in the file is an expanded object: it asks for the flat form whenever it needs the bytes, and frees that again.
struct StoredValue {
  ExpandedObjectHeader header;
  BufFile* file;
  int file_number;
  off_t offset;
  Size size;
};

Size stored_size(ExpandedObjectHeader* header) { return reinterpret_cast<StoredValue*>(header)->size; }

// Called by the server, inside of some pg::call; nothing here has a destructor.
void read_stored(ExpandedObjectHeader* header, void* result, Size size) {
  auto* value = reinterpret_cast<StoredValue*>(header);
  if (BufFileSeek(value->file, value->file_number, value->offset, SEEK_SET) != 0 || BufFileRead(value->file, result, size) != size)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a value back from a temporary file")));  // GCOVR_EXCL_LINE the server's file is shorter than it was written
}

const ExpandedObjectMethods stored_methods = {stored_size, read_stored};

Datum store_unsafe(BufFile* file, int& end_file, off_t& end, struct varlena* value) {
  auto* stored = static_cast<StoredValue*>(palloc(sizeof(StoredValue)));
  EOH_init_header(&stored->header, &stored_methods, CurrentMemoryContext);
  stored->file = file;
  stored->size = VARSIZE(value);
  stored->file_number = end_file;
  stored->offset = end;
  if (BufFileSeek(file, end_file, end, SEEK_SET) != 0) elog(ERROR, "could not seek in a temporary file");
  BufFileWrite(file, value, stored->size);
  BufFileTell(file, &end_file, &end);
  // behind a pointer of another kind, because code for arrays takes every expanded object for one of its own
  return point_at_unsafe(reinterpret_cast<struct varlena*>(DatumGetPointer(EOHPGetRODatum(&stored->header))));
}

}  // namespace

LargeValues::LargeValues()
    : limit_(largest_row_in_memory()), context_(call([&] { return AllocSetContextCreate(owned_.get(), "pg_snapback large values of a row", ALLOCSET_DEFAULT_SIZES); })) {}

Datum LargeValues::keep(Datum value, bool by_value, std::int16_t length) {
  if (by_value) return value;
  used_ = true;
  return call([&] {
    MemoryContext row = CurrentMemoryContext;
    auto* varlena = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    if (length != -1 || VARSIZE_ANY(varlena) <= largest_value_inside()) {
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
