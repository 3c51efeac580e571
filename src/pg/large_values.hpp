// Values of one row that are too large to be in memory all at once. Each stands in its row as a pointer (VARTAG_INDIRECT), which the server's functions and its toaster follow.
#pragma once

#include <cstdint>

#include "pg/pg.hpp"
#include "pg/values/owned_context.hpp"

extern "C" {
#include "storage/buffile.h"
}

namespace snapback::pg {

// What the values of a row may come to within one tuple. A tuple ends at 1 GB.
Size largest_row();
// How much of a row may be read before its large values are put aside.
Size largest_row_in_memory();
// A value up to this size always stays in its row.
Size largest_value_inside();

// A pointer to a value, in CurrentMemoryContext; the value lies there too, and whoever follows the pointer when that memory is freed gets an error (55000). To be called inside pg::call.
Datum point_at_unsafe(struct varlena* value);

// The large values of one row, in a temporary file of the server, which goes with the transaction at the latest. Made in a context that outlives it.
class LargeValues {
 public:
  LargeValues();
  LargeValues(const LargeValues&) = delete;
  LargeValues& operator=(const LargeValues&) = delete;

  // Whether a row of which so many bytes were read has to be put aside.
  bool is_due(std::uint64_t size) const { return size > limit_; }
  // The value to put in the place of one in CurrentMemoryContext: a pointer to a copy in the file where it is large and its type's functions follow pointers, otherwise a copy in memory.
  // Both last until clear(); whoever follows the pointer later gets an error (55000). Raises 53100, 53400 (temp_file_limit), 58030.
  Datum keep(Datum value, bool by_value, std::int16_t length, bool can_be_pointer);
  // Forgets the values of the row before. Also to be called after the last row.
  void clear();

 private:
  std::uint64_t limit_;
  values::OwnedContext owned_{"pg_snapback large values"};
  MemoryContext context_;
  BufFile* file_ = nullptr;
  int end_file_ = 0;  // where the next value goes in the file
  off_t end_ = 0;
  bool used_ = false;
};

}  // namespace snapback::pg
