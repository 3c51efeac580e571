// Sorts records of integers, on disk when they do not fit into work_mem.
#pragma once

#include <cstdint>

#include "pg/pg.hpp"

struct Tuplesortstate;

namespace snapback::pg {

// The server's own sort. Its temporary files count for temp_file_limit and go with the transaction. Made of nothing until the first record comes; freed by close() or with the
// memory context that is current at its construction.
class RecordSort {
 public:
  static constexpr int most_columns = 6;

  // Records of `columns` integers, sorted by the first `keys` of them.
  RecordSort(int columns, int keys) : columns_(columns), keys_(keys), context_(CurrentMemoryContext) {}
  RecordSort(const RecordSort&) = delete;
  RecordSort& operator=(const RecordSort&) = delete;

  // Before the first next(). Raises what the server raises, 53400 for too many temporary files included.
  void put(const std::int64_t* values);
  // The next record in order; false after the last.
  bool next(std::int64_t* values);
  void close();

  std::uint64_t count() const { return count_; }

 private:
  int columns_, keys_;
  MemoryContext context_;
  std::uint64_t count_ = 0;
  bool sorted_ = false;
  Tuplesortstate* state_ = nullptr;
  TupleTableSlot *in_ = nullptr, *out_ = nullptr;
};

}  // namespace snapback::pg
