// Typed access to the members of a JSON object that came from a file: nothing is converted, and what is missing or of another kind is an error.
#pragma once

#include <string>

#include "core/error.hpp"
#include "core/format/manifest.hpp"

namespace snapback::fields {

// `document`: what the message calls the text, as in "manifest is damaged: ...".
[[noreturn]] inline void damaged(const char* document, const std::string& what) {
  throw error(sqlstate::data_corrupted, std::string(document) + " is damaged: " + what);
}

// The member, or null when it is absent.
inline const Json* find(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

inline const Json& member(const char* document, const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) damaged(document, std::string("\"") + key + "\" is missing");
  return *value;
}

inline std::uint64_t number(const char* document, const Json& object, const char* key) {
  const Json& value = member(document, object, key);
  if (!value.is_number_unsigned()) damaged(document, std::string("\"") + key + "\" is no natural number");
  return value.get<std::uint64_t>();
}

inline const std::string& text(const char* document, const Json& object, const char* key) {
  const Json& value = member(document, object, key);
  if (!value.is_string()) damaged(document, std::string("\"") + key + "\" is no string");
  return value.get_ref<const std::string&>();
}

// An optional string, empty when absent.
inline std::string text_or_empty(const char* document, const Json& object, const char* key) {
  return find(object, key) == nullptr ? std::string() : text(document, object, key);
}

// An optional boolean, false when absent.
inline bool flag(const char* document, const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) damaged(document, std::string("\"") + key + "\" is no boolean");
  return value->get<bool>();
}

inline const Json& object(const char* document, const Json& parent, const char* key) {
  const Json& value = member(document, parent, key);
  if (!value.is_object()) damaged(document, std::string("\"") + key + "\" is no object");
  return value;
}

// The member "backup", of whose members those that decide about the backup are of the kind they should be.
const Json& backup(const char* document, const Json& parent);

// Checks "format" and "version"; `format` is what "format" must say.
void check_version(const char* document, const Json& object, const char* format);

}  // namespace snapback::fields
