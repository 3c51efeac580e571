#include "core/background_work.hpp"

#include <pthread.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace snapback {

BackgroundWork::~BackgroundWork() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return step_ != Step::work; });
    step_ = Step::stop;
  }
  changed_.notify_all();
  thread_.join();
}

bool BackgroundWork::make_thread() {
  // a signal's handler must run on the thread that the server knows
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread_.joinable();
}

void BackgroundWork::start(std::function<void()> work) {
  if (!thread_.joinable() && !make_thread()) {
    try {
      work();
    } catch (...) {
      failure_ = std::current_exception();  // raised by wait(), as with a thread
    }
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    work_ = std::move(work);
    step_ = Step::work;
  }
  changed_.notify_all();
}

bool BackgroundWork::done() const {
  const std::lock_guard lock(mutex_);
  return step_ != Step::work;
}

void BackgroundWork::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return step_ != Step::work; });
  step_ = Step::idle;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void BackgroundWork::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return step_ == Step::work || step_ == Step::stop; });
    if (step_ == Step::stop) return;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work_();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    step_ = Step::done;
    changed_.notify_all();
  }
}

}  // namespace snapback
