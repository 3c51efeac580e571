// Texts between the database's encoding and UTF-8, which documents and core are in.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace snapback::pg {

// Raise 22021 or 22P05 when the text is not valid in the one encoding, or has no equal in the other.
std::string server_text(const std::string& utf8);
std::string utf8_text(const std::string& server_text);

// The text in the other encoding; none when it has no equal there that converts back to the same bytes.
std::optional<std::string> exact_server_text(const std::string& utf8);
std::optional<std::string> exact_utf8_text(const std::string& server_text);

// For people to read, never raising for the text: a character of UTF-8 that the database's encoding lacks becomes \uXXXX (\UXXXXXXXX above 0xffff), and bytes that are no
// character of UTF-8 become \xXX.
std::string shown_text(const std::string& utf8);
std::string shown_utf8(const std::string& server_text);

// Every text in it by shown_text; keys are left alone.
void show_texts(nlohmann::ordered_json& json);

}  // namespace snapback::pg
