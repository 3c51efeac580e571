#include "pg/progress.hpp"

#include <algorithm>

extern "C" {
#include "commands/progress.h"
#include "utils/backend_progress.h"
}

namespace snapback::pg {

namespace {

// Slots that neither COPY's own figures nor an index build overwrite.
constexpr int slot_state = 17, slot_rows_estimated = 18, slot_bytes = 19;
constexpr int64 state_magic = 0x534E415000;  // "SNAP", then operation and phase

Progress* current = nullptr;

}  // namespace

const char* operation_name(int operation) {
  switch (static_cast<Operation>(operation)) {
    case Operation::backup: return "backup";
    case Operation::verify: return "verify";
    case Operation::compare: return "compare";
    case Operation::restore: return "restore";
  }
  return "unknown";
}

const char* phase_name(int phase) {
  switch (static_cast<Phase>(phase)) {
    case Phase::locking: return "locking";
    case Phase::reading: return "reading tables";
    case Phase::syncing: return "syncing file";
    case Phase::reading_back: return "reading back";
    case Phase::checking: return "checking contents";
    case Phase::writing: return "writing rows";
    case Phase::indexing: return "building indexes";
    case Phase::foreign_keys: return "checking foreign keys";
    case Phase::proving: return "proving";
  }
  return "unknown";
}

Progress::Progress(Operation operation, Phase phase) : outer_(current), operation_(operation), phase_(phase) {
  current = this;
  show();
}

Progress::~Progress() {
  // plain stores into shared memory: nothing here can raise
  current = outer_;
  pgstat_progress_end_command();
  if (outer_ != nullptr) outer_->show();
}

void Progress::show() {
  pgstat_progress_start_command(PROGRESS_COMMAND_COPY, relation_);
  const int indexes[] = {PROGRESS_COPY_BYTES_PROCESSED, PROGRESS_COPY_BYTES_TOTAL, PROGRESS_COPY_TUPLES_PROCESSED, PROGRESS_COPY_COMMAND,
                         PROGRESS_COPY_TYPE, slot_state, slot_rows_estimated, slot_bytes};
  const int64 values[] = {static_cast<int64>(bytes_),
                          static_cast<int64>(bytes_estimated_),
                          static_cast<int64>(rows_),
                          operation_ == Operation::restore ? PROGRESS_COPY_COMMAND_FROM : PROGRESS_COPY_COMMAND_TO,
                          PROGRESS_COPY_TYPE_FILE,
                          state_magic | (static_cast<int64>(operation_) << 4) | static_cast<int64>(phase_),
                          static_cast<int64>(rows_estimated_),
                          static_cast<int64>(bytes_)};
  pgstat_progress_update_multi_param(8, indexes, values);
}

void Progress::phase(Phase phase, Oid relation) {
  phase_ = phase;
  relation_ = relation;
  show();
}

void Progress::estimate(std::uint64_t rows, std::uint64_t bytes) {
  rows_estimated_ = rows;
  bytes_estimated_ = bytes;
  show();
}

void Progress::done(std::uint64_t rows, std::uint64_t bytes) {
  rows_ = rows;
  bytes_ = bytes;
  const int indexes[] = {PROGRESS_COPY_BYTES_PROCESSED, PROGRESS_COPY_TUPLES_PROCESSED, slot_bytes};
  const int64 values[] = {static_cast<int64>(bytes_), static_cast<int64>(rows_), static_cast<int64>(bytes_)};
  pgstat_progress_update_multi_param(3, indexes, values);
}

void Progress::add(std::uint64_t rows, std::uint64_t bytes) { done(rows_ + rows, bytes_ + bytes); }

}  // namespace snapback::pg
