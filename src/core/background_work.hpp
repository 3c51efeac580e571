// One thread beside the caller's, for work that needs nothing of the server: compressing and hashing. All signals are blocked in it, and it may still run
// while a server process exits, so the work touches nothing but the memory and the objects it is handed.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace snapback {

class BackgroundWork {
 public:
  BackgroundWork() = default;
  // Waits for what is under way.
  ~BackgroundWork();
  BackgroundWork(const BackgroundWork&) = delete;
  BackgroundWork& operator=(const BackgroundWork&) = delete;

  // Nothing may be under way; what `work` uses must stay, and belongs to it, until wait(). Does the work at once where the system has no thread to give.
  void start(std::function<void()> work);
  // True when wait() would return at once.
  bool done() const;
  // Until the work is done; raises what it raised. Returns at once when nothing was started.
  void wait();

 private:
  enum class Step { idle, work, done, stop };

  bool make_thread();
  void run();

  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Step step_ = Step::idle;
  std::function<void()> work_;
  std::exception_ptr failure_;
};

}  // namespace snapback
