#include "core/format/salvage.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/format/backup_reader.hpp"
#include "core/format/bytes.hpp"
#include "core/format/container.hpp"
#include "core/format/file_search.hpp"
#include "core/format/frame_scan.hpp"
#include "core/format/manifest_check.hpp"

namespace snapback {
namespace {

constexpr std::size_t max_tries = 32;  // places at which a frame is looked for

// A manifest found in the file, and where its frame begins.
struct FoundManifest {
  Manifest manifest;
  std::uint64_t offset;
};

std::uint64_t end_of_frames(const Manifest& manifest) {
  return manifest.frames.empty() ? 0 : manifest.frames.back().offset + manifest.frames.back().size;
}

std::optional<FoundManifest> manifest_at(ReadableFile& file, std::uint64_t offset) {
  const std::string header = read_up_to(file, offset, manifest_header_size);
  if (header.size() < manifest_header_size) return std::nullopt;
  const std::uint64_t size = std::uint64_t{bytes::get_u32(header.data() + 4)} + skippable_header_size;
  if (size > max_manifest_size + manifest_header_size) return std::nullopt;
  try {
    FoundManifest found{parse_manifest(open_manifest_frame(read_up_to(file, offset, size))), offset};
    check_manifest(found.manifest, end_of_frames(found.manifest));
    return found;
  } catch (const error&) {
    return std::nullopt;
  }
}

// The last one that is whole: a range that stands in the file twice may hold it.
std::optional<FoundManifest> find_manifest(ReadableFile& file, Interrupts& interrupts) {
  auto marks = find_all_bytes(file, manifest_mark, interrupts);
  for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
    if (*mark < skippable_header_size) continue;
    interrupts.check();
    if (auto found = manifest_at(file, *mark - skippable_header_size)) return found;
  }
  return std::nullopt;
}

// Finds the frames of a manifest where bytes were lost or inserted: those behind such a place are all moved by as many.
class FrameFinder {
 public:
  FrameFinder(ReadableFile& file, const FoundManifest& found, Interrupts& interrupts)
      : file_(file), interrupts_(interrupts), last_shift_(static_cast<std::int64_t>(found.offset - end_of_frames(found.manifest))) {}

  // Corrects the frame's offset; false when it is nowhere.
  bool find(FrameEntry& frame) {
    interrupts_.check();
    if (is_at(frame, shift_)) return true;
    if (is_at(frame, last_shift_)) return true;
    for (const std::int64_t shift : other_shifts(frame))
      if (is_at(frame, shift)) return true;
    return false;
  }

 private:
  bool is_at(FrameEntry& frame, std::int64_t shift) {
    const std::uint64_t offset = frame.offset + static_cast<std::uint64_t>(shift);
    if (offset > file_.size() || frame.size > file_.size() - offset) return false;
    if (sha256_of(read_up_to(file_, offset, frame.size)) != frame.sha256) return false;
    frame.offset = offset;
    shift_ = shift;
    return true;
  }

  // By the frames that the file has, the nearest first.
  std::vector<std::int64_t> other_shifts(const FrameEntry& frame) {
    if (!std::exchange(searched_, true)) magics_ = find_all_bytes(file_, zstd_frame_magic, interrupts_);
    const auto nearest = std::lower_bound(magics_.begin(), magics_.end(), frame.offset + static_cast<std::uint64_t>(shift_));
    const auto first = nearest - std::min<std::ptrdiff_t>(nearest - magics_.begin(), max_tries / 2);
    const auto last = nearest + std::min<std::ptrdiff_t>(magics_.end() - nearest, max_tries / 2);
    std::vector<std::int64_t> shifts;
    for (auto magic = first; magic != last; ++magic) shifts.push_back(static_cast<std::int64_t>(*magic - frame.offset));
    return shifts;
  }

  ReadableFile& file_;
  Interrupts& interrupts_;
  std::int64_t shift_ = 0, last_shift_;  // modulo 2^64, as offsets are added to them
  std::vector<std::uint64_t> magics_;  // where frames of the file begin, or seem to; once it was searched
  bool searched_ = false;
};

}  // namespace

std::optional<Salvage> salvage(ReadableFile& file, Interrupts& interrupts) {
  auto found = find_manifest(file, interrupts);
  if (!found) return scan_document(file, interrupts);
  FrameFinder finder(file, *found, interrupts);
  Salvage result;
  for (FrameEntry& frame : found->manifest.frames) result.lost.push_back(!finder.find(frame));
  result.manifest = std::move(found->manifest);
  return result;
}

}  // namespace snapback
