#include "core/format/file_search.hpp"

#include <algorithm>

namespace snapback {
namespace {

constexpr std::uint64_t window = std::uint64_t{1} << 20;

}  // namespace

std::string read_up_to(ReadableFile& file, std::uint64_t offset, std::uint64_t size) {
  std::string part(std::min(size, file.size() - std::min(offset, file.size())), '\0');
  if (!part.empty()) file.read_at(offset, part.data(), part.size());
  return part;
}

std::uint64_t find_bytes(ReadableFile& file, std::string_view pattern, std::uint64_t from, Interrupts& interrupts) {
  // windows overlap by what a pattern may have on both sides of their border
  for (; from + pattern.size() <= file.size(); from += window) {
    interrupts.check();
    const std::string part = read_up_to(file, from, window + pattern.size() - 1);
    if (const std::size_t at = part.find(pattern); at != std::string::npos) return from + at;
  }
  return file.size();
}

std::vector<std::uint64_t> find_all_bytes(ReadableFile& file, std::string_view pattern, Interrupts& interrupts) {
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t from = 0; from + pattern.size() <= file.size(); from += window) {
    interrupts.check();
    const std::string part = read_up_to(file, from, window + pattern.size() - 1);
    for (std::size_t at = 0; (at = part.find(pattern, at)) != std::string::npos; ++at) offsets.push_back(from + at);
  }
  return offsets;
}

}  // namespace snapback
