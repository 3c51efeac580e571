// Texts between the database's encoding and UTF-8, which documents and core are in.
#pragma once

#include <string>

namespace snapback::pg {

// Raise 22021 or 22P05 when the text is not valid in the one encoding, or has no equal in the other.
std::string server_text(const std::string& utf8);
std::string utf8_text(const std::string& server_text);

}  // namespace snapback::pg
