// JSON that readers with double numbers take in without loss, and values as they stand in a document.
#pragma once

#include <string>
#include <string_view>

namespace snapback::graph {

// True when a reader that holds numbers as doubles and writes them back in the shortest form (JSON.parse, JSON.stringify) changes nothing of this JSON value as jsonb prints it, and
// the value is not to be taken for {"$json": …}. It may say false of a value that would survive.
bool survives_doubles(std::string_view json);

// Appends the text, which is UTF-8, as a JSON string.
void append_json_string(std::string& out, std::string_view text);

// {"$json":"…"} around a JSON text.
void append_wrapped_json(std::string& out, std::string_view json);

// The text that a scalar JSON value stands for: the inside of a string, the digits of a number, true or false. The value must be well-formed.
std::string scalar_text(std::string_view json);

}  // namespace snapback::graph
