// A sink that keeps what is written to it.
#pragma once

#include <string>
#include <string_view>

#include "core/format/row_sink.hpp"

namespace snapback::pg::values {

class MemorySink final : public RowSink {
 public:
  MemorySink() : buffer_(1024, '\0') { clear(); }

  // Everything written since begin_row() or clear(). Valid until the next call.
  std::string_view text() const { return {buffer_.data(), size()}; }
  std::size_t size() const { return static_cast<std::size_t>(cursor_ - buffer_.data()); }
  void clear() {
    cursor_ = buffer_.data();
    limit_ = buffer_.data() + buffer_.size();
  }
  void begin_row() override { clear(); }
  void end_row(std::string_view) override {}

 private:
  void make_room(std::size_t n) override {
    const std::size_t used = size();
    buffer_.resize(buffer_.size() * 2 + n);
    cursor_ = buffer_.data() + used;
    limit_ = buffer_.data() + buffer_.size();
  }

  std::string buffer_;
};

}  // namespace snapback::pg::values
