// What BackupReader holds; shared by backup_reader.cpp and backup_check.cpp only.
#pragma once

#include <cstring>
#include <memory>
#include <string>

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
  void* decompressor = nullptr;  // ZSTD_DCtx, owned
  std::unique_ptr<char[]> compressed, text;
  std::size_t compressed_capacity = 0, text_capacity = 0;

  void load();
  // Raises FrameError when a frame's bytes or its text are not what the manifest says; the message names the frame and its place in the file.
  std::string_view frame_text(std::size_t index);
  std::string frame_message(std::size_t index, const char* what) const;
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
