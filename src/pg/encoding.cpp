#include "pg/encoding.hpp"

#include "pg/call.hpp"

namespace snapback::pg {

std::string server_text(const std::string& utf8) {
  const char* converted = call([&] { return pg_any_to_server(utf8.c_str(), static_cast<int>(utf8.size()), PG_UTF8); });
  return converted;
}

std::string utf8_text(const std::string& server_text) {
  const char* converted = call([&] { return pg_server_to_any(server_text.c_str(), static_cast<int>(server_text.size()), PG_UTF8); });
  return converted;
}

}  // namespace snapback::pg
