#include "core/format/frame_encoder.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/background_work.hpp"
#include "core/error.hpp"
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

// Where the whole rows of a frame's text end; after each but the last comes a separator.
using RowEnds = std::vector<std::uint32_t>;

Fingerprint fingerprint_of(const char* text, const RowEnds& ends) {
  Fingerprint fingerprint;
  std::size_t start = 0;
  for (const std::uint32_t end : ends) {
    fingerprint.add(row_hash({text + start, end - start}));
    start = end + row_separator.size();
  }
  return fingerprint;
}

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
  RowEnds row_ends;  // of the whole rows in the buffer
  bool in_row = false, cut = false;
  std::string first_key, last_key;

  // The frame that is being finished in the background.
  struct Pending {
    Buffer text;
    RowEnds row_ends;
    EncodedFrame frame;
    std::string first_key, last_key;
    bool active = false;
  } pending;
  BackgroundWork background;  // last: its destructor waits for the thread that uses the others

  State(FrameSink& to, const EncoderOptions& given) : sink(to), options(given), compressor(given.compression_level) {}

  void compress(std::string_view piece, EncodedFrame& frame) {
    frame.text_size = piece.size();
    frame.bytes = {compressed.data.get(), compressor.compress(piece, compressed.data.get(), compressed.capacity)};
    sha256.update(frame.bytes.data(), frame.bytes.size());
    frame.sha256 = sha256.finish();
  }

  // Frames leave in the order of their rows: this one before any other.
  void drain() {
    if (!pending.active) return;
    pending.active = false;
    background.wait();
    sink.accept(pending.frame);
  }

  // Nothing may be pending.
  void emit(std::string_view piece, EncodedFrame& frame) {
    compressed.need(ZstdCompressor::bound(piece.size()));
    compress(piece, frame);
    sink.accept(frame);
  }

  // The whole rows in the buffer, without the separator that may follow them.
  void emit_whole_rows() {
    drain();
    EncodedFrame frame;
    frame.rows = row_ends.size();
    frame.first_key = first_key;
    frame.last_key = last_key;
    frame.fingerprint = fingerprint_of(text.data.get(), row_ends);
    emit({text.data.get(), row_ends.back()}, frame);
    row_ends.clear();
  }

  // The same, handing the buffer over; `text` is another one afterwards.
  void emit_in_background() {
    // the rows are hashed by whichever thread would have to wait for the other
    const bool hashed_here = pending.active && !background.done();
    Fingerprint fingerprint;
    if (hashed_here) fingerprint = fingerprint_of(text.data.get(), row_ends);
    drain();
    pending.row_ends.swap(row_ends);
    row_ends.clear();
    pending.first_key.swap(first_key);
    pending.last_key.swap(last_key);
    pending.frame = {};
    pending.frame.rows = pending.row_ends.size();
    pending.frame.first_key = pending.first_key;
    pending.frame.last_key = pending.last_key;
    pending.frame.fingerprint = fingerprint;
    pending.text.need(text.capacity);
    std::swap(text, pending.text);
    compressed.need(ZstdCompressor::bound(pending.row_ends.back()));
    pending.active = true;
    background.start([this, hashed_here] {
      if (!hashed_here) pending.frame.fingerprint = fingerprint_of(pending.text.data.get(), pending.row_ends);
      compress({pending.text.data.get(), pending.row_ends.back()}, pending.frame);
    });
  }

  // Emits pieces of exactly row_cut of the row that ends at `end`, keeping its last 1..row_cut bytes; returns the new end.
  std::size_t emit_pieces(std::size_t end) {
    if (!row_ends.empty()) emit_whole_rows();
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
  if (!state_->row_ends.empty()) append(row_separator);
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
  if (s.row_ends.empty()) s.first_key = key;
  s.last_key = key;
  s.row_ends.push_back(static_cast<std::uint32_t>(end));
  if (end < s.options.frame_text) return;
  if (s.options.background)
    s.emit_in_background();
  else
    s.emit_whole_rows();
  set_cursor(0);
}

void RowFrameEncoder::finish() {
  State& s = *state_;
  if (s.in_row) throw error(sqlstate::internal_error, "a row is not complete");
  s.drain();
  if (!s.row_ends.empty()) s.emit_whole_rows();
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
