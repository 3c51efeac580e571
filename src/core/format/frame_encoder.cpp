#include "core/format/frame_encoder.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <new>

#include "core/error.hpp"
#include "core/format/manifest.hpp"

namespace snapback {
namespace {

constexpr std::string_view separator = ",\n";

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

// The buffer holds the text of the frame to come: whole rows [0, row_start), then the row being written.
struct RowFrameEncoder::State {
  FrameSink& sink;
  EncoderOptions options;
  ZstdCompressor compressor;
  Sha256 sha256;
  RowHasher hasher;  // of a row that was cut
  std::unique_ptr<char[]> text, compressed;
  std::size_t text_capacity = 0, compressed_capacity = 0;
  std::size_t row_start = 0;
  std::uint64_t rows = 0;  // whole rows in the buffer
  bool in_row = false, cut = false;
  Fingerprint fingerprint;
  std::string first_key, last_key;

  State(FrameSink& to, const EncoderOptions& given) : sink(to), options(given), compressor(given.compression_level) {}

  // `text_view` lies in the buffer.
  void emit(std::string_view text_view, EncodedFrame& frame) {
    const std::size_t needed = ZstdCompressor::bound(text_view.size());
    if (compressed_capacity < needed) {
      compressed = std::make_unique_for_overwrite<char[]>(needed);
      compressed_capacity = needed;
    }
    frame.bytes = {compressed.get(), compressor.compress(text_view, compressed.get(), compressed_capacity)};
    frame.text_size = text_view.size();
    sha256.update(frame.bytes.data(), frame.bytes.size());
    frame.sha256 = sha256.finish();
    sink.accept(frame);
  }

  // The whole rows before the current one, without the separator that follows them.
  void emit_whole_rows(std::size_t size) {
    EncodedFrame frame;
    frame.rows = rows;
    frame.first_key = first_key;
    frame.last_key = last_key;
    frame.fingerprint = fingerprint;
    emit({text.get(), size}, frame);
    rows = 0;
    fingerprint = {};
  }

  // Emits pieces of exactly row_cut of the row that ends at `end`, keeping its last 1..row_cut bytes; returns the new end.
  std::size_t emit_pieces(std::size_t end) {
    if (rows != 0) emit_whole_rows(row_start - separator.size());
    if (!cut) hasher.reset();
    std::size_t start = row_start;
    for (; end - start > options.row_cut; start += options.row_cut) {
      const std::string_view piece(text.get() + start, options.row_cut);
      hasher.update(piece);
      EncodedFrame frame;
      frame.rows = cut ? 0 : 1;
      frame.continues = cut;
      emit(piece, frame);
      cut = true;
    }
    std::memmove(text.get(), text.get() + start, end - start);
    row_start = 0;
    return end - start;
  }
};

RowFrameEncoder::RowFrameEncoder(FrameSink& sink, const EncoderOptions& options) : state_(nullptr) {
  if (options.row_cut == 0 || options.frame_text + options.row_cut >= max_frame_text)
    throw error(sqlstate::internal_error, "frame sizes are out of range");
  auto state = std::make_unique<State>(sink, options);
  state->text_capacity = std::min(options.frame_text, options.row_cut) + max_reserve;
  state->text = std::make_unique_for_overwrite<char[]>(state->text_capacity);
  cursor_ = state->text.get();
  limit_ = cursor_ + state->text_capacity;
  state_ = state.release();
}

RowFrameEncoder::~RowFrameEncoder() { delete state_; }

void RowFrameEncoder::begin_row() {
  if (state_->rows != 0) append(separator);
  state_->row_start = static_cast<std::size_t>(cursor_ - state_->text.get());
  state_->in_row = true;
}

void RowFrameEncoder::end_row(std::string_view key) {
  State& s = *state_;
  std::size_t end = static_cast<std::size_t>(cursor_ - s.text.get());
  if (key.size() > max_key_size) key = {};
  s.in_row = false;
  if (s.cut || end - s.row_start > s.options.row_cut) {
    end = s.emit_pieces(end);
    s.hasher.update({s.text.get(), end});
    EncodedFrame frame;
    frame.continues = true;
    frame.first_key = frame.last_key = key;
    frame.fingerprint = s.hasher.finish();
    s.emit({s.text.get(), end}, frame);
    s.cut = false;
    cursor_ = s.text.get();
    return;
  }
  s.fingerprint.add(row_hash({s.text.get() + s.row_start, end - s.row_start}));
  if (s.rows++ == 0) s.first_key = key;
  s.last_key = key;
  if (end >= s.options.frame_text) {
    s.emit_whole_rows(end);
    cursor_ = s.text.get();
  }
}

void RowFrameEncoder::finish() {
  State& s = *state_;
  if (s.in_row) throw error(sqlstate::internal_error, "a row is not complete");
  if (s.rows != 0) s.emit_whole_rows(static_cast<std::size_t>(cursor_ - s.text.get()));
  cursor_ = s.text.get();
}

void RowFrameEncoder::make_room(std::size_t n) {
  State& s = *state_;
  std::size_t used = static_cast<std::size_t>(cursor_ - s.text.get());
  if (s.in_row && used - s.row_start > s.options.row_cut) used = s.emit_pieces(used);
  if (s.text_capacity - used < n) {
    // at most frame_text + row_cut is in use here
    const std::size_t most = s.options.frame_text + s.options.row_cut + 2 * max_reserve;
    const std::size_t capacity = std::max(used + n, std::min(s.text_capacity * 2, most));
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(larger.get(), s.text.get(), used);
    s.text = std::move(larger);
    s.text_capacity = capacity;
  }
  cursor_ = s.text.get() + used;
  limit_ = s.text.get() + s.text_capacity;
}

}  // namespace snapback
