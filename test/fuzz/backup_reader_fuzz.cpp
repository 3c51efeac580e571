// Any bytes as a backup file, which is salvaged where it does not open. Digest checks are off in this build. Each input is read as it is, and once more with its sizes, offsets and seek table put right,
// so that changed frames and manifests come through to the row decoder.
#include <zstd.h>

#include <cstdlib>
#include <cstring>

#include "core/error.hpp"
#include "core/format/backup_reader.hpp"
#include "core/format/container.hpp"
#include "core/format/seek_table.hpp"

namespace {

using namespace snapback;

class InputFile final : public ReadableFile {
 public:
  explicit InputFile(std::string_view data) : data_(data) {}
  std::uint64_t size() const override { return data_.size(); }
  std::string name() const override { return "input"; }
  void read_at(std::uint64_t offset, char* out, std::size_t size) override {
    if (offset > data_.size() || size > data_.size() - offset) throw error(sqlstate::data_corrupted, "the file ends too early");
    std::memcpy(out, data_.data() + offset, size);
  }

 private:
  std::string_view data_;
};

void expect_damage(const error& e) {
  const std::string_view state = e.sqlstate();
  if (state != sqlstate::data_corrupted && state != sqlstate::feature_not_supported) std::abort();
}

void read_all(std::string_view file) {
  NoInterrupts interrupts;
  try {
    BackupReader reader(std::make_unique<InputFile>(file), interrupts);
    // a few frames of 64 MiB each are legal, and slow
    std::uint64_t text = 0;
    for (const FrameEntry& frame : reader.manifest().frames) text += frame.text_size;
    if (text > std::uint64_t{8} << 20) return;
    reader.check_files({}, interrupts);
    reader.check_content({}, interrupts);
    try {
      reader.schema([](const std::string&, Json&) {});
    } catch (const error& e) {
      expect_damage(e);
    }
    for (std::size_t i = 0; i < reader.manifest().tables.size(); ++i) {
      try {
        const auto source = reader.table_text(i, interrupts);
        RowParser parser(*source);
        while (parser.next_row()) parser.skip_row();
      } catch (const error& e) {
        expect_damage(e);
      }
    }
  } catch (const error& e) {
    expect_damage(e);
  }
}

// The file with a container that fits its frames; empty when it has no manifest that can be read.
std::string repaired(std::string_view file) {
  const std::size_t mark = file.find(manifest_mark);
  const std::size_t end = file.rfind("\x5e\x2a\x4d\x18");
  if (mark == file.npos || mark < 8 || end == file.npos || end < mark + manifest_header_size - 8) return {};
  const std::string_view frames = file.substr(0, mark - 8);
  Manifest manifest;
  try {
    manifest = parse_manifest(file.substr(mark + manifest_header_size - 8, end - mark - manifest_header_size + 8));
  } catch (const error&) {
    return {};
  }
  SeekEntries entries;
  std::uint64_t offset = 0;
  for (FrameEntry& frame : manifest.frames) {
    const std::string_view rest = frames.substr(std::min<std::uint64_t>(offset, frames.size()));
    const std::size_t size = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
    const unsigned long long text = ZSTD_getFrameContentSize(rest.data(), rest.size());
    if (!ZSTD_isError(size)) frame.size = size;
    if (text < max_frame_text) frame.text_size = text;
    frame.offset = offset;
    offset += frame.size;
    entries.emplace_back(static_cast<std::uint32_t>(frame.size), static_cast<std::uint32_t>(frame.text_size));
  }
  if (offset > frames.size()) return {};
  const std::string text = dump_manifest(manifest);
  entries.emplace_back(static_cast<std::uint32_t>(text.size() + manifest_header_size), 0);
  return std::string(frames.substr(0, offset)) + make_manifest_header(text) + text + make_seek_table(entries);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  read_all(file);
  const std::string again = repaired(file);
  if (!again.empty()) read_all(again);
  return 0;
}
