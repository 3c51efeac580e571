// A sink's room in two local pointers.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include "core/format/row_sink.hpp"

namespace snapback::pg::values {

// Takes room from a sink in larger portions than one value. What was written is the sink's only after flush(), which its owner calls before anybody else touches the
// sink. Trivially destructible, so that it may live where a longjmp passes.
class Out {
 public:
  explicit Out(RowSink& sink) : sink_(&sink), at_(sink.reserve(portion)), end_(at_ + portion) {}

  // At least n bytes of room; n at most RowSink::max_reserve.
  char* need(std::size_t n) {
    if (static_cast<std::size_t>(end_ - at_) < n) [[unlikely]] refill(n);
    return at_;
  }
  void take(char* end) { at_ = end; }
  void put(char c) {
    *need(1) = c;
    ++at_;
  }
  // A few bytes.
  void put(std::string_view text) {
    std::memcpy(need(text.size()), text.data(), text.size());
    at_ += text.size();
  }
  void flush() {
    sink_->commit(at_);
    end_ = at_;
  }
  // For what goes to the sink itself; nothing written here is pending then.
  RowSink& flushed() {
    flush();
    return *sink_;
  }
  // After that.
  void resume() {
    at_ = sink_->reserve(0);
    end_ = at_;
  }

 private:
  static constexpr std::size_t portion = 2048;

  [[gnu::noinline]] void refill(std::size_t n) {
    const std::size_t room = n > portion ? n : portion;
    sink_->commit(at_);
    at_ = sink_->reserve(room);
    end_ = at_ + room;
  }

  RowSink* sink_;
  char* at_;
  char* end_;
};

}  // namespace snapback::pg::values
