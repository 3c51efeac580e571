// Compresses one frame on a thread of its own while the caller writes the next. The thread touches nothing but the memory it is handed and the compressor: it
// may still run while a server process exits. All signals are blocked in it.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <string_view>
#include <thread>

#include "core/format/frame_encoder.hpp"

namespace snapback {

class BackgroundCompressor {
 public:
  // The compressor belongs to the thread between start() and wait().
  explicit BackgroundCompressor(ZstdCompressor& compressor) : compressor_(compressor) {}
  // Waits for what is under way.
  ~BackgroundCompressor();
  BackgroundCompressor(const BackgroundCompressor&) = delete;
  BackgroundCompressor& operator=(const BackgroundCompressor&) = delete;

  // Text and out must stay until wait(); nothing may be under way. False when there is no thread and none can be made.
  bool start(std::string_view text, char* out, std::size_t capacity);
  // The compressed size, once it is there; raises what the compressor raised.
  std::size_t wait();

 private:
  enum class Step { idle, work, done, stop };

  bool make_thread();
  void run();

  ZstdCompressor& compressor_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Step step_ = Step::idle;
  std::string_view text_;
  char* out_ = nullptr;
  std::size_t capacity_ = 0, size_ = 0;
  std::exception_ptr failure_;
};

}  // namespace snapback
