// What BackupReader holds; shared by backup_reader.cpp and backup_check.cpp only.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/background_work.hpp"
#include "core/error.hpp"
#include "core/format/backup_reader.hpp"

namespace snapback {

// A frame that is not what the manifest says. `code` as in Problem::code.
class FrameError final : public error {
 public:
  FrameError(const char* problem_code, const std::string& text) : error(sqlstate::data_corrupted, text), code(problem_code) {}
  const char* code;
};

inline bool is_damage(const error& e) { return std::strcmp(e.sqlstate(), sqlstate::data_corrupted) == 0; }

struct BackupReader::State {
  explicit State(std::unique_ptr<ReadableFile> given);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::unique_ptr<ReadableFile> file;
  std::uint64_t file_size = 0;
  std::uint64_t tiled = 0;  // where the frames end and the manifest begins
  Manifest manifest;

  std::vector<bool> lost;  // of a file that was salvaged, for every frame: it is not there. Otherwise empty
  std::string salvaged;    // why it was

  void load();
  // Takes what salvage() finds; raises `failure`, that of load(), where that is too little.
  void load_salvaged(const error& failure, Interrupts& interrupts);
  void schema(const SchemaVisitor& visitor);
  // Raises FrameError when a frame's bytes or its text are not what the manifest says; the message names the frame and its place in the file.
  std::string_view frame_text(std::size_t index);
  // Begins to read the frame `index`, of those before `end`, on a thread, so that it is there when the text of the one before has been worked on; what frame_text()
  // returned last stays valid. Where that frame is only the separator of rows, it is read at once and the next one begun. Pieces of very large rows are not worth
  // the memory. Damage is met when frame_text() is asked for the frame.
  void read_ahead(std::size_t index, std::size_t end);
  std::string frame_message(std::size_t index, const char* what) const;

 private:
  // What one frame is read into.
  struct Buffer {
    std::unique_ptr<char[]> bytes, text;
    std::size_t bytes_capacity = 0, text_capacity = 0;
  };
  static constexpr std::size_t nothing = static_cast<std::size_t>(-1);

  void read_frame(std::size_t index, Buffer& buffer);
  void add_lost_tables();
  void drop_ahead() noexcept;

  void* decompressor_ = nullptr;  // ZSTD_DCtx, owned
  Sha256 sha256_;
  Buffer current_, small_, next_;
  std::size_t small_ahead_ = nothing;  // the frame whose text is in small_
  std::size_t ahead_ = nothing;        // the frame that is read into next_; file, decompressor and digest belong to the thread meanwhile
  BackgroundWork background_;    // last: its destructor waits for the thread that uses the others
};

// The frames [next, end) as pieces of text.
class FrameSource : public TextSource {
 public:
  FrameSource(BackupReader::State& state, std::size_t first, std::size_t end, Interrupts& interrupts);
  std::string_view next() override;
  // Frame that the last call of next() asked for, even when it raised.
  std::size_t current() const { return next_ - 1; }

 private:
  BackupReader::State& state_;
  std::size_t next_, end_;
  Interrupts& interrupts_;
};

}  // namespace snapback
