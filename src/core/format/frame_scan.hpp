// Walks over the zstd frames of a file, whatever stands between them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/format/manifest.hpp"
#include "core/interrupts.hpp"
#include "core/storage/storage.hpp"

namespace snapback {

inline constexpr std::string_view zstd_frame_magic("\x28\xB5\x2F\xFD", 4);

class FrameScan {
 public:
  FrameScan(ReadableFile& file, Interrupts& interrupts);
  ~FrameScan();
  FrameScan(const FrameScan&) = delete;
  FrameScan& operator=(const FrameScan&) = delete;

  // The next frame that is whole by its own checksum; false at the end of the file, or when there is too much that only looks like frames.
  bool next();
  // Its place, sizes and SHA-256; nothing about rows.
  const FrameEntry& frame() const { return frame_; }
  // Valid until the next call of next() or text_of().
  std::string_view text() const { return text_; }
  // Something that is no frame stood before it, or before the end.
  bool after_gap() const { return gap_; }
  // The text of a frame that was there before. Empty when it is there no more.
  std::string_view text_of(const FrameEntry& frame);

 private:
  bool read_frame(std::uint64_t offset);
  bool skip_skippable();

  ReadableFile& file_;
  Interrupts& interrupts_;
  void* decompressor_;  // ZSTD_DCtx, owned
  std::uint64_t next_ = 0;
  int failures_ = 0;
  bool gap_ = false;
  FrameEntry frame_;
  std::string bytes_, text_;
};

}  // namespace snapback
