// Recognises the rows that two sides have in common by their hashes, in bounded memory: what a restore by difference begins with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/digest.hpp"

namespace snapback {

// One row of one side.
struct RowMark {
  Fingerprint row;         // hash of its line
  Fingerprint key;         // hash of its key, zero when there is none
  std::int64_t place = 0;  // where the side finds it again
  bool live = false;       // which side
};

// A multiset difference: a row of one side and a row of the other with the same hash cancel each other. Rows wait for their counterpart; when too many wait, all of them are handed
// to `leave`, where the same cancelling has to go on with those that come later. Both sides in about the same order keep the number of waiting rows small.
class RowMatcher {
 public:
  static constexpr std::size_t default_capacity = std::size_t{1} << 17;  // waiting rows; 14 MB

  // `capacity`: a power of two, at least 1024.
  explicit RowMatcher(std::function<void(const RowMark&)> leave, std::size_t capacity = default_capacity);

  // One row of either side. May raise what `leave` raises.
  void add(const RowMark& mark);
  // The end of both sides: everything that still waits leaves.
  void drain();

  std::uint64_t matched() const { return matched_; }  // pairs
  std::size_t waiting() const { return waiting_; }

 private:
  struct Slot {
    RowMark mark;
    bool used = false;
  };

  std::size_t home(const Fingerprint& row) const { return static_cast<std::size_t>(row.low) & (slots_.size() - 1); }
  void remove(std::size_t at);
  void grow();

  std::function<void(const RowMark&)> leave_;
  std::size_t capacity_;
  std::vector<Slot> slots_;  // open addressing, at most half full
  std::size_t waiting_ = 0;
  std::uint64_t matched_ = 0;
};

}  // namespace snapback
