// Writes a backup file: the document's skeleton, the frames of rows it is handed, manifest and seek table (docs/format.md).
#pragma once

#include "core/format/frame_encoder.hpp"
#include "core/format/manifest.hpp"
#include "core/storage/storage.hpp"

namespace snapback {

// Call order: begin, then for every table begin_table, accept..., end_table; then finish. Raises what the file raises.
class BackupWriter final : public FrameSink {
 public:
  BackupWriter(PartialFile& file, const EncoderOptions& options, Interrupts& interrupts);
  ~BackupWriter() override;

  // `backup`: the document's "backup" object; `schema`: the text of its "schema" object, JSON in one line of UTF-8.
  void begin(const Json& backup, std::string_view schema);
  void begin_table(TableHead head);
  // A frame of rows of the current table, in order; writes the separator frame between two of them where a new row begins.
  void accept(const EncodedFrame& frame) override;
  // Ends the current table and returns its entry (valid until the next call).
  const TableEntry& end_table();
  void finish();

  const Manifest& manifest() const;
  // After finish(): size and SHA-256 of the whole file.
  std::uint64_t file_size() const;
  Sha256Value file_sha256() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace snapback
