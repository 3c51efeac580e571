// A location on a local or mounted POSIX file system.
#pragma once

#include <memory>
#include <string>

#include "core/storage/storage.hpp"

namespace snapback {

// `path` absolute; `file_mode` 0600 or 0640, given to every file made here whatever the umask; `setting` is the configuration parameter that error hints name.
// Touches nothing yet. Raises 22023 when the path is not absolute.
std::unique_ptr<Location> open_posix_location(std::string path, unsigned file_mode, std::string setting);

}  // namespace snapback
