#include "core/format/row_matcher.hpp"

#include <algorithm>
#include <utility>

namespace snapback {
namespace {

constexpr std::size_t first_size = 1024;
// equal rows of one side pile up in one place; beyond this they are left to the sort
constexpr std::size_t longest_probe = 64;

}  // namespace

RowMatcher::RowMatcher(std::function<void(const RowMark&)> leave, std::size_t capacity) : leave_(std::move(leave)), capacity_(capacity), slots_(first_size) {}

void RowMatcher::add(const RowMark& mark) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home(mark.row);
  std::size_t probes = 0;
  for (; slots_[at].used; at = (at + 1) & mask) {
    if (slots_[at].mark.row == mark.row && slots_[at].mark.live != mark.live) {
      remove(at);
      ++matched_;
      return;
    }
    if (++probes == longest_probe) {
      leave_(mark);
      return;
    }
  }
  slots_[at] = {mark, true};
  ++waiting_;
  if (waiting_ * 2 <= slots_.size()) return;
  if (waiting_ >= capacity_)
    drain();
  else
    grow();
}

// What was pushed away from its home by the removed row moves back, so that no search ends too early.
void RowMatcher::remove(std::size_t at) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = at;
  for (std::size_t next = (at + 1) & mask; slots_[next].used; next = (next + 1) & mask) {
    const std::size_t distance = (next - home(slots_[next].mark.row)) & mask;
    if (distance < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole].used = false;
  --waiting_;
}

void RowMatcher::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (!slot.used) continue;
    std::size_t at = home(slot.mark.row);
    while (slots_[at].used) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

void RowMatcher::drain() {
  for (Slot& slot : slots_) {
    if (!slot.used) continue;
    leave_(slot.mark);
    slot.used = false;
  }
  waiting_ = 0;
}

}  // namespace snapback
