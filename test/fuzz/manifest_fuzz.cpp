// Any text as a manifest and as a sidecar: refused with XX001 or 0A000, or read; and what is read is written and read again alike.
#include <cstdlib>

#include "core/error.hpp"
#include "core/format/manifest.hpp"

namespace {

template <typename Parse, typename Dump>
void round_trip(std::string_view text, Parse&& parse, Dump&& dump) {
  using namespace snapback;
  std::string first;
  try {
    first = dump(parse(text));
  } catch (const error& e) {
    const std::string_view state = e.sqlstate();
    if (state != sqlstate::data_corrupted && state != sqlstate::feature_not_supported) std::abort();
    return;
  }
  if (dump(parse(first)) != first) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text, snapback::parse_manifest, snapback::dump_manifest);
  round_trip(text, snapback::parse_sidecar, snapback::dump_sidecar);
  return 0;
}
