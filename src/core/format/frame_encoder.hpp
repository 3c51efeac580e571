// Turns the rows of one table, or of a part of one, into compressed frames. Knows nothing of files: several encoders may work side by side
// and hand their frames to one BackupWriter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/format/row_sink.hpp"
#include "core/interrupts.hpp"

namespace snapback {

// Between the rows of a table, also across frames.
inline constexpr std::string_view row_separator = ",\n";

// One finished zstd frame; the views are valid until accept() returns.
struct EncodedFrame {
  std::string_view bytes;       // the compressed frame
  std::uint64_t text_size = 0;  // decompressed
  std::uint64_t rows = 0;       // rows that begin in this frame
  bool continues = false;       // begins inside a row whose start is in an earlier frame
  std::string_view first_key, last_key;  // of the first and last row that END in this frame: JSON arrays, empty when there is none
  Sha256Value sha256{};         // of bytes
  Fingerprint fingerprint;      // of the rows that END in this frame
};

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void accept(const EncodedFrame& frame) = 0;
};

// Keys longer than this are left out of the manifest.
inline constexpr std::size_t max_key_size = 512;

// frame_text + row_cut must stay below max_frame_text (manifest.hpp), the most that a reader accepts.
struct EncoderOptions {
  int compression_level = 1;                       // zstd, 1..19
  std::size_t frame_text = std::size_t{4} << 20;   // a frame ends after the first row that reaches this much text
  std::size_t row_cut = std::size_t{16} << 20;     // a row longer than this is cut over consecutive frames of its own
  bool background = true;                          // full frames are compressed on a thread while the next is written
  std::size_t structure_text = std::size_t{16} << 20;  // text between rows is cut into frames of this size
};

// Compresses one piece of text into one independent zstd frame (content size and checksum in it). The result is appended to `out`.
class ZstdCompressor {
 public:
  explicit ZstdCompressor(int level);
  ~ZstdCompressor();
  ZstdCompressor(const ZstdCompressor&) = delete;
  ZstdCompressor& operator=(const ZstdCompressor&) = delete;
  void compress(std::string_view text, std::string& out);
  // The same into out[0..capacity), capacity at least bound(text.size()); returns the frame's size.
  std::size_t compress(std::string_view text, char* out, std::size_t capacity);
  static std::size_t bound(std::size_t text_size);

 private:
  void* context_;  // ZSTD_CCtx, owned
};

// Frames depend on the rows and options alone, not on how a row was cut over reserve() calls. Memory: at most frame_text + row_cut + 2 MiB of text and one
// compressed frame; twice the text when compressing in the background. The sink is called on the thread that writes the rows. After an exception from reserve(), end_row() or finish() only the destructor may be called.
class RowFrameEncoder final : public RowSink {
 public:
  RowFrameEncoder(FrameSink& sink, const EncoderOptions& options);
  ~RowFrameEncoder() override;

  void begin_row() override;
  void end_row(std::string_view key) override;
  // Emits what is left; the encoder is empty afterwards and can be used again.
  void finish();

 private:
  void make_room(std::size_t n) override;
  void set_cursor(std::size_t used);
  struct State;
  State* state_;  // owned
};

}  // namespace snapback
