#include "core/format/frame_encoder.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "core/error.hpp"
#include "core/format/background_compressor.hpp"
#include "core/format/manifest.hpp"

namespace snapback {
namespace {

ZSTD_CCtx* cctx(void* context) { return static_cast<ZSTD_CCtx*>(context); }

std::size_t require(std::size_t result) {
  if (ZSTD_isError(result))
    throw error(sqlstate::internal_error, std::string("could not compress: ") + ZSTD_getErrorName(result));
  return result;
}

}  // namespace

ZstdCompressor::ZstdCompressor(int level) : context_(ZSTD_createCCtx()) {
  if (context_ == nullptr) throw std::bad_alloc();  // GCOVR_EXCL_LINE: out of memory
  // all three are ZSTD_CCtx parameters that exist in every zstd since 1.4
  ZSTD_CCtx_setParameter(cctx(context_), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(cctx(context_), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(cctx(context_), ZSTD_c_contentSizeFlag, 1);
}

ZstdCompressor::~ZstdCompressor() { ZSTD_freeCCtx(cctx(context_)); }

std::size_t ZstdCompressor::bound(std::size_t text_size) { return ZSTD_compressBound(text_size); }

std::size_t ZstdCompressor::compress(std::string_view text, char* out, std::size_t capacity) {
  return require(ZSTD_compress2(cctx(context_), out, capacity, text.data(), text.size()));
}

void ZstdCompressor::compress(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + bound(text.size()));
  out.resize(before + compress(text, out.data() + before, out.size() - before));
}

namespace {

struct Buffer {
  std::unique_ptr<char[]> data;
  std::size_t capacity = 0;

  // Contents are lost when it grows.
  void need(std::size_t size) {
    if (capacity >= size) return;
    data.reset();
    capacity = 0;
    data = std::make_unique_for_overwrite<char[]>(size);
    capacity = size;
  }
};

}  // namespace

// `text` holds the frame to come: whole rows [0, row_start), then the row being written.
struct RowFrameEncoder::State {
  FrameSink& sink;
  EncoderOptions options;
  ZstdCompressor compressor;
  Sha256 sha256;
  RowHasher hasher;  // of a row that was cut
  Buffer text, compressed;
  std::size_t row_start = 0;
  std::uint64_t rows = 0;  // whole rows in the buffer
  bool in_row = false, cut = false;
  Fingerprint fingerprint;
  std::string first_key, last_key;

  // The frame that is being compressed in the background.
  struct Pending {
    Buffer text;
    EncodedFrame frame;
    std::string first_key, last_key;
    bool active = false;
  } pending;
  BackgroundCompressor background{compressor};  // last: its destructor waits for the thread that uses the others

  State(FrameSink& to, const EncoderOptions& given) : sink(to), options(given), compressor(given.compression_level) {}

  void pass_on(EncodedFrame& frame, std::size_t size) {
    frame.bytes = {compressed.data.get(), size};
    sha256.update(frame.bytes.data(), frame.bytes.size());
    frame.sha256 = sha256.finish();
    sink.accept(frame);
  }

  // Frames leave in the order of their rows: this one before any other.
  void drain() {
    if (!pending.active) return;
    pending.active = false;
    pass_on(pending.frame, background.wait());
  }

  // Nothing may be pending.
  void emit(std::string_view piece, EncodedFrame& frame) {
    compressed.need(ZstdCompressor::bound(piece.size()));
    frame.text_size = piece.size();
    pass_on(frame, compressor.compress(piece, compressed.data.get(), compressed.capacity));
  }

  // The whole rows in the buffer, without the separator that may follow them.
  EncodedFrame take_whole_rows() {
    EncodedFrame frame;
    frame.rows = std::exchange(rows, 0);
    frame.first_key = first_key;
    frame.last_key = last_key;
    frame.fingerprint = std::exchange(fingerprint, {});
    return frame;
  }

  void emit_whole_rows(std::size_t size) {
    drain();
    EncodedFrame frame = take_whole_rows();
    emit({text.data.get(), size}, frame);
  }

  // The same, handing the buffer over; `text` is another one afterwards.
  void emit_in_background(std::size_t size) {
    drain();
    pending.frame = take_whole_rows();
    pending.frame.text_size = size;
    pending.first_key.swap(first_key);
    pending.last_key.swap(last_key);
    pending.frame.first_key = pending.first_key;
    pending.frame.last_key = pending.last_key;
    pending.text.need(text.capacity);
    std::swap(text, pending.text);
    compressed.need(ZstdCompressor::bound(size));
    const std::string_view whole(pending.text.data.get(), size);
    pending.active = background.start(whole, compressed.data.get(), compressed.capacity);
    if (!pending.active) emit(whole, pending.frame);  // GCOVR_EXCL_LINE: no thread to be had from the system
  }

  // Emits pieces of exactly row_cut of the row that ends at `end`, keeping its last 1..row_cut bytes; returns the new end.
  std::size_t emit_pieces(std::size_t end) {
    if (rows != 0) emit_whole_rows(row_start - row_separator.size());
    drain();
    if (!cut) hasher.reset();
    std::size_t start = row_start;
    for (; end - start > options.row_cut; start += options.row_cut) {
      const std::string_view piece(text.data.get() + start, options.row_cut);
      hasher.update(piece);
      EncodedFrame frame;
      frame.rows = cut ? 0 : 1;
      frame.continues = cut;
      emit(piece, frame);
      cut = true;
    }
    std::memmove(text.data.get(), text.data.get() + start, end - start);
    row_start = 0;
    return end - start;
  }
};

RowFrameEncoder::RowFrameEncoder(FrameSink& sink, const EncoderOptions& options) : state_(nullptr) {
  if (options.row_cut == 0 || options.frame_text + options.row_cut >= max_frame_text)
    throw error(sqlstate::internal_error, "frame sizes are out of range");
  auto state = std::make_unique<State>(sink, options);
  state->text.need(std::min(options.frame_text, options.row_cut) + max_reserve);
  state_ = state.release();
  set_cursor(0);
}

RowFrameEncoder::~RowFrameEncoder() { delete state_; }

inline void RowFrameEncoder::set_cursor(std::size_t used) {
  cursor_ = state_->text.data.get() + used;
  limit_ = state_->text.data.get() + state_->text.capacity;
}

void RowFrameEncoder::begin_row() {
  if (state_->rows != 0) append(row_separator);
  state_->row_start = static_cast<std::size_t>(cursor_ - state_->text.data.get());
  state_->in_row = true;
}

void RowFrameEncoder::end_row(std::string_view key) {
  State& s = *state_;
  const char* const text = s.text.data.get();
  std::size_t end = static_cast<std::size_t>(cursor_ - text);
  if (key.size() > max_key_size) key = {};
  s.in_row = false;
  if (s.cut || end - s.row_start > s.options.row_cut) {
    end = s.emit_pieces(end);
    s.hasher.update({text, end});
    EncodedFrame frame;
    frame.continues = true;
    frame.first_key = frame.last_key = key;
    frame.fingerprint = s.hasher.finish();
    s.emit({text, end}, frame);
    s.cut = false;
    set_cursor(0);
    return;
  }
  s.fingerprint.add(row_hash({text + s.row_start, end - s.row_start}));
  if (s.rows++ == 0) s.first_key = key;
  s.last_key = key;
  if (end < s.options.frame_text) return;
  if (s.options.background)
    s.emit_in_background(end);
  else
    s.emit_whole_rows(end);
  set_cursor(0);
}

void RowFrameEncoder::finish() {
  State& s = *state_;
  if (s.in_row) throw error(sqlstate::internal_error, "a row is not complete");
  s.drain();
  if (s.rows != 0) s.emit_whole_rows(static_cast<std::size_t>(cursor_ - s.text.data.get()));
  set_cursor(0);
}

void RowFrameEncoder::make_room(std::size_t n) {
  State& s = *state_;
  std::size_t used = static_cast<std::size_t>(cursor_ - s.text.data.get());
  if (s.in_row && used - s.row_start > s.options.row_cut) used = s.emit_pieces(used);
  if (s.text.capacity - used < n) {
    // at most frame_text + row_cut is in use here
    const std::size_t most = s.options.frame_text + s.options.row_cut + 2 * max_reserve;
    Buffer larger;
    larger.need(std::max(used + n, std::min(s.text.capacity * 2, most)));
    std::memcpy(larger.data.get(), s.text.data.get(), used);
    s.text = std::move(larger);
  }
  set_cursor(used);
}

}  // namespace snapback
