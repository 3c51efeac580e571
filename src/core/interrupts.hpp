// How long-running core code lets its surroundings cancel it.
#pragma once

namespace snapback {

class Interrupts {
 public:
  virtual ~Interrupts() = default;
  // Called at least every few milliseconds of work. May throw anything: the caller unwinds.
  virtual void check() = 0;
};

// For tests and tools that nobody cancels.
class NoInterrupts : public Interrupts {
 public:
  void check() override {}
};

}  // namespace snapback
