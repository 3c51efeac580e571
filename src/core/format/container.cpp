#include "core/format/container.hpp"

#include <cstring>

#include "core/error.hpp"
#include "core/format/backup_reader.hpp"
#include "core/format/bytes.hpp"

namespace snapback {
namespace {

constexpr std::size_t version_at = 16, digest_at = 20;

[[noreturn]] void manifest_damaged(const char* what) { throw error(sqlstate::data_corrupted, std::string("manifest is damaged: ") + what); }

}  // namespace

std::string make_manifest_header(std::string_view text) {
  std::string header;
  bytes::put_u32(header, manifest_frame_magic);
  bytes::put_u32(header, static_cast<std::uint32_t>(manifest_header_size - skippable_header_size + text.size()));
  header += manifest_mark;
  bytes::put_u32(header, format_version);
  const Sha256Value digest = sha256_of(text);
  header.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return header;
}

std::string_view open_manifest_frame(std::string_view frame) {
  if (frame.size() < manifest_header_size) manifest_damaged("it is cut off");
  if (bytes::get_u32(frame.data()) != manifest_frame_magic) manifest_damaged("wrong magic number");
  if (bytes::get_u32(frame.data() + 4) != frame.size() - skippable_header_size) manifest_damaged("wrong size");
  if (frame.substr(skippable_header_size, manifest_mark.size()) != manifest_mark) manifest_damaged("it is no manifest of pg_snapback");
  const std::uint32_t version = bytes::get_u32(frame.data() + version_at);
  if (version > static_cast<std::uint32_t>(format_version))
    throw error(sqlstate::feature_not_supported,
                "backup has format version " + std::to_string(version) + ", this pg_snapback reads up to " + std::to_string(format_version), {},
                "Upgrade pg_snapback to read it.");
  if (version == 0) manifest_damaged("its version is 0");
  const std::string_view text = frame.substr(manifest_header_size);
  const Sha256Value digest = sha256_of(text);
  if (!digest_checks_disabled() && std::memcmp(digest.data(), frame.data() + digest_at, digest.size()) != 0) manifest_damaged("its SHA-256 does not match");
  return text;
}

}  // namespace snapback
