#include "core/format/frame_scan.hpp"

#include <zstd.h>

#include <algorithm>
#include <new>

#include "core/format/bytes.hpp"
#include "core/format/file_search.hpp"
#include "core/format/manifest_check.hpp"

namespace snapback {
namespace {

constexpr std::size_t longest_frame_header = 18;
constexpr int most_failures = 10'000;  // a file that was made to look like frames everywhere is not read for ever

}  // namespace

FrameScan::FrameScan(ReadableFile& file, Interrupts& interrupts) : file_(file), interrupts_(interrupts), decompressor_(ZSTD_createDCtx()) {
  if (decompressor_ == nullptr) throw std::bad_alloc();  // GCOVR_EXCL_LINE: out of memory here
}

FrameScan::~FrameScan() { ZSTD_freeDCtx(static_cast<ZSTD_DCtx*>(decompressor_)); }

// Reads no more than a frame of that text can have; zstd finds its end and proves it by its checksum.
bool FrameScan::read_frame(std::uint64_t offset) {
  const std::string header = read_up_to(file_, offset, longest_frame_header);
  if (!header.starts_with(zstd_frame_magic)) return false;
  const unsigned long long text_size = ZSTD_getFrameContentSize(header.data(), header.size());
  if (text_size == 0 || text_size > max_frame_text) return false;  // unknown and malformed are larger
  bytes_ = read_up_to(file_, offset, ZSTD_compressBound(text_size));
  const std::size_t size = ZSTD_findFrameCompressedSize(bytes_.data(), bytes_.size());
  if (ZSTD_isError(size) || size < min_frame_size) return false;
  bytes_.resize(size);
  text_.resize(text_size);
  if (ZSTD_decompressDCtx(static_cast<ZSTD_DCtx*>(decompressor_), text_.data(), text_.size(), bytes_.data(), bytes_.size()) != text_size) return false;
  frame_ = FrameEntry{};
  frame_.offset = offset;
  frame_.size = size;
  frame_.text_size = text_size;
  frame_.sha256 = sha256_of(bytes_);
  return true;
}

// The manifest and the seek table, where they are left.
bool FrameScan::skip_skippable() {
  const std::string header = read_up_to(file_, next_, skippable_header_size);
  if (header.size() < skippable_header_size || (bytes::get_u32(header.data()) & 0xfffffff0) != 0x184D2A50) return false;
  const std::uint64_t size = std::uint64_t{bytes::get_u32(header.data() + 4)} + skippable_header_size;
  if (size > file_.size() - next_) return false;
  next_ += size;
  return true;
}

bool FrameScan::next() {
  gap_ = false;
  while (next_ < file_.size()) {
    interrupts_.check();
    if (read_frame(next_)) {
      next_ += frame_.size;
      return true;
    }
    if (skip_skippable()) continue;
    gap_ = true;
    if (++failures_ > most_failures) return false;
    next_ = find_bytes(file_, zstd_frame_magic, next_ + 1, interrupts_);
  }
  return false;
}

std::string_view FrameScan::text_of(const FrameEntry& frame) {
  const FrameEntry last = frame_;
  const bool same = read_frame(frame.offset) && frame_.sha256 == frame.sha256;
  frame_ = last;
  return same ? std::string_view(text_) : std::string_view();
}

}  // namespace snapback
