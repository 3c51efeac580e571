// A profile from bytes of any kind: it is read, or refused with 22023 and every problem; what was read is written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/error.hpp"
#include "core/graph/profile.hpp"

namespace {

using namespace snapback::graph;

void read_and_write(const Profile& profile) {
  if (profile.table(profile.root) == nullptr) std::abort();
  for (const auto& table : profile.tables)
    if (table.names.empty()) std::abort();
  const auto once = profile_to_json(profile);
  if (profile_to_json(parse_profile("course", once)).dump() != once.dump()) std::abort();
}

template <class Read>
void refuse_or(Read&& read) {
  try {
    read();
  } catch (const snapback::error& problem) {
    if (std::strcmp(problem.sqlstate(), "22023") != 0 || problem.detail().empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  refuse_or([&] { read_and_write(parse_profile("course", text)); });
  // the same bytes as a change of the profile that ships
  refuse_or([&] {
    snapback::Json definition;
    try {
      definition = snapback::parse_bounded("profile", text, snapback::max_json_members);
    } catch (const snapback::error&) {
      return;  // no JSON, or too much of it
    }
    if (definition.is_object()) read_and_write(parse_profile("course", extend_profile(shipped_course_profile(), definition)));
  });
  if (auto steps = parse_path(text); steps && text.empty()) std::abort();
  if (to_snake_case(text).size() > 2 * text.size()) std::abort();
  return 0;
}
