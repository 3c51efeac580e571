// Reads a backup file: manifest, frames, rows; and checks it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/format/manifest.hpp"
#include "core/format/row_parser.hpp"
#include "core/storage/storage.hpp"

namespace snapback {

// One thing found wrong with a backup. table_index -1 and frame_index -1 where it belongs to none; rows are counted from 0 within the table.
struct Problem {
  std::string code;     // file_digest, truncated, unreadable, manifest, seek_table, frame_lost, frame_digest, frame_content, row, row_count, fingerprint, document, value
  std::string message;  // lower-case, no row value in it
  long table_index = -1;
  long frame_index = -1;
  std::uint64_t first_row = 0, last_row = 0;  // inclusive; meaningful with table_index >= 0 and last_row >= first_row
};

class BackupReader {
 public:
  // Reads and checks seek table and manifest. Takes the file over. Raises XX001 (damaged, with what and where), 0A000 (newer format).
  explicit BackupReader(std::unique_ptr<ReadableFile> file);
  // The same, but of a damaged file everything that can still be found is read (core/format/salvage.hpp): then salvaged() tells why, the manifest has every table that the
  // backup had, and the frames that are not there raise XX001 when they are asked for. Raises XX001 where too little is left for that.
  BackupReader(std::unique_ptr<ReadableFile> file, Interrupts& interrupts);
  ~BackupReader();

  // What the file does not open for; empty when it does.
  const std::string& salvaged() const;
  // Whether frames of the table are known not to be in the file. Others may turn out to be damaged when they are read.
  bool is_lost(std::size_t table_index) const;

  const Manifest& manifest() const;
  std::uint64_t file_size() const;

  // Decompressed text of one frame, checked against its SHA-256 and size first (raises XX001). The view is valid until the next call.
  std::string_view frame_text(std::size_t frame_index);

  // The document's "schema" object, read from the frames before the first table and handed over part by part (parse_schema).
  void schema(const SchemaVisitor& visitor);

  // A chunk source over one table's rows and separators for a RowParser; every frame checked by its SHA-256 first.
  // The reader must outlive it, and only one may be in use at a time.
  std::unique_ptr<TextSource> table_text(std::size_t table_index, Interrupts& interrupts);

  // Level `files`: whole-file SHA-256 against `expected_sha256` (hex; empty: skipped) and every frame's own.
  // All problems found, at most 100. Never raises for damage.
  std::vector<Problem> check_files(const std::string& expected_sha256, Interrupts& interrupts);

  // Level `content`, without types: every frame decompressed, every row parsed, row counts, row hashes, keys and fingerprints recomputed,
  // and the document between the rows compared byte for byte with what the manifest says. `rows` (may be empty) is called for every table with a parser
  // positioned before its first row, to convert the values; it must consume all rows and report what its types refuse. When it is empty the rows are only parsed.
  using RowVisitor = std::function<void(std::size_t table_index, RowParser& parser, std::vector<Problem>& problems)>;
  std::vector<Problem> check_content(const RowVisitor& rows, Interrupts& interrupts);

  struct State;  // backup_reader.cpp and backup_check.cpp only

 private:
  std::unique_ptr<State> state_;
};

// True when the reader is compiled with digest checks off (fuzzing only).
bool digest_checks_disabled();

}  // namespace snapback
