// What another session sees of an operation while it runs. The figures lie in the server's own per-backend progress slot (no preload needed): an operation shows as a COPY
// there, in pg_stat_progress_copy too, and our own figures are in its last parameters, which COPY and index builds leave alone.
#pragma once

#include <cstdint>

#include "pg/pg.hpp"

namespace snapback::pg {

enum class Operation : int { backup = 1, verify = 2, compare = 3, restore = 4 };
enum class Phase : int { locking = 1, reading = 2, syncing = 3, reading_back = 4, checking = 5, writing = 6, indexing = 7, foreign_keys = 8, proving = 9 };

const char* operation_name(int operation);
const char* phase_name(int phase);

// One operation's progress; at most one shows per backend, an inner one (a safety backup) takes over and gives back.
class Progress {
 public:
  Progress(Operation operation, Phase phase);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void phase(Phase phase, Oid relation = InvalidOid);
  void estimate(std::uint64_t rows, std::uint64_t bytes);
  void done(std::uint64_t rows, std::uint64_t bytes);  // totals so far
  void add(std::uint64_t rows, std::uint64_t bytes);
  // Shows everything anew, after the server used the slot for something else (ANALYZE).
  void show();

 private:
  Progress* outer_;
  Operation operation_;
  Phase phase_;
  Oid relation_ = InvalidOid;
  std::uint64_t rows_ = 0, bytes_ = 0, rows_estimated_ = 0, bytes_estimated_ = 0;
};

}  // namespace snapback::pg
