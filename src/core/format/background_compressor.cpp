#include "core/format/background_compressor.hpp"

#include <pthread.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace snapback {

BackgroundCompressor::~BackgroundCompressor() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return step_ != Step::work; });
    step_ = Step::stop;
  }
  changed_.notify_all();
  thread_.join();
}

bool BackgroundCompressor::make_thread() {
  // a signal's handler must run on the thread that the server knows
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // GCOVR_EXCL_LINE: no thread to be had from the system
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread_.joinable();
}

bool BackgroundCompressor::start(std::string_view text, char* out, std::size_t capacity) {
  if (!thread_.joinable() && !make_thread()) return false;
  {
    const std::lock_guard lock(mutex_);
    text_ = text;
    out_ = out;
    capacity_ = capacity;
    step_ = Step::work;
  }
  changed_.notify_all();
  return true;
}

std::size_t BackgroundCompressor::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return step_ == Step::done; });
  step_ = Step::idle;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  return size_;
}

void BackgroundCompressor::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return step_ == Step::work || step_ == Step::stop; });
    if (step_ == Step::stop) return;
    lock.unlock();
    std::size_t size = 0;
    std::exception_ptr failure;
    try {
      size = compressor_.compress(text_, out_, capacity_);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    size_ = size;
    failure_ = failure;
    step_ = Step::done;
    changed_.notify_all();
  }
}

}  // namespace snapback
