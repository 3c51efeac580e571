// Reads JSON from files nobody vouches for: bounded in depth (nlohmann dumps recursively) and in members per object (ordered_json finds one by walking over them all).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/format/json_fields.hpp"

namespace snapback {

inline constexpr std::size_t max_json_depth = 64;
inline constexpr std::size_t max_json_members = 1'000;
inline constexpr std::size_t max_schema_members = 100'000;

// Builds one value from a parser's events.
class JsonBuilder {
 public:
  // `document` is what messages call the text; it must outlive the builder.
  JsonBuilder(const char* document, std::size_t max_members) : document_(document), max_members_(max_members) {}

  void key(std::string&& name) {
    if (open_.back()->size() >= max_members_) fields::damaged(document_, "an object has too many members");
    key_ = std::move(name);
  }
  // A scalar, or an empty object or array that open() fills.
  Json& put(Json&& value) {
    if (open_.empty()) return value_ = std::move(value);
    Json& parent = *open_.back();
    if (!parent.is_array()) return parent[key_] = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }
  void open(Json&& empty) {
    if (open_.size() >= max_json_depth) fields::damaged(document_, "it is nested too deeply");
    open_.push_back(&put(std::move(empty)));
  }
  void close() { open_.pop_back(); }
  // True between two values.
  bool complete() const { return open_.empty(); }
  Json& value() { return value_; }

 private:
  const char* document_;
  std::size_t max_members_;
  Json value_;
  std::string key_;
  std::vector<Json*> open_;
};

// A whole text; raises XX001 naming `document` when it is no JSON or beyond the bounds.
Json parse_bounded(const char* document, std::string_view text, std::size_t max_members);

}  // namespace snapback
