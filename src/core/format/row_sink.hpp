// Where a row's line of text is written, value by value: into a frame of a backup, or into a hash only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace snapback {

// A growing text buffer with a raw-pointer interface, so that code guarded against longjmp can write to it: between two calls nothing with a
// destructor is alive in the writer. A value larger than a chunk is written in pieces; the sink may pass on what it holds at any reserve().
//
//   sink.begin_row();
//   char* p = sink.reserve(n);   // at least n bytes; n at most max_reserve
//   p = ...write at most n bytes...
//   sink.commit(p);
//   sink.end_row(keys);
//
// reserve() and end_row() may throw (memory, disk, cancel).
class RowSink {
 public:
  static constexpr std::size_t max_reserve = std::size_t{1} << 20;

  virtual ~RowSink();
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;

  char* reserve(std::size_t n) {
    if (static_cast<std::size_t>(limit_ - cursor_) < n) make_room(n);
    return cursor_;
  }
  void commit(char* end) { cursor_ = end; }

  // Plain bytes, of any length.
  void append(const char* data, std::size_t size) {
    while (size > max_reserve) {
      std::memcpy(reserve(max_reserve), data, max_reserve);
      cursor_ += max_reserve;
      data += max_reserve;
      size -= max_reserve;
    }
    std::memcpy(reserve(size), data, size);
    cursor_ += size;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }

  // Text of any length as the inside of a JSON string (no quotes added): '"', '\\' and bytes below 0x20 escaped (RFC 8259 section 7), the rest as it is.
  void append_escaped(const char* data, std::size_t size);
  // Bytes of any length as lower-case hex digits.
  void append_hex(const unsigned char* data, std::size_t size);

  virtual void begin_row() = 0;
  // `key`: the row's primary key as a JSON array text (empty when the table has none or it is too long to keep).
  virtual void end_row(std::string_view key) = 0;

 protected:
  RowSink() = default;
  // Postcondition: limit_ - cursor_ >= n. May pass on whole or partial rows and move the rest to the front.
  virtual void make_room(std::size_t n) = 0;

  char* cursor_ = nullptr;
  char* limit_ = nullptr;
};

// Counts and fingerprints rows without keeping them: what compare and proof read live tables with.
class FingerprintSink final : public RowSink {
 public:
  FingerprintSink();
  ~FingerprintSink() override;

  void begin_row() override;
  void end_row(std::string_view key) override;

  std::uint64_t rows() const { return rows_; }
  std::uint64_t logical_bytes() const { return bytes_; }  // text of all rows, separators not counted
  const Fingerprint& fingerprint() const { return fingerprint_; }
  const Fingerprint& last_row() const { return last_; }
  const Fingerprint& last_key() const { return last_key_; }  // hash of the key's text; zero when there was none
  void reset_totals();

 private:
  void make_room(std::size_t n) override;

  std::string buffer_;
  RowHasher hasher_;
  bool spilled_ = false;  // part of the current row is in hasher_ already
  std::uint64_t rows_ = 0, bytes_ = 0;
  Fingerprint fingerprint_, last_, last_key_;
};

}  // namespace snapback
