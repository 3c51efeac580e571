// Reads a large JSON object from a file that nobody vouches for: its lists one element at a time, so that memory is that of one element and not of a tree of the whole text.
#pragma once

#include <string>
#include <string_view>

#include "core/format/manifest.hpp"

namespace snapback {

class ObjectVisitor {
 public:
  virtual ~ObjectVisitor() = default;

  // How a member of the object is taken: as a whole, element by element, or not at all, and then nothing of it is built.
  enum class Taken { whole, by_element, skipped };
  virtual Taken member(const std::string& name) = 0;
  // The value of a member taken as a whole, or the next element of a list.
  virtual void value(const std::string& name, Json& value) = 0;
};

// Raises XX001 naming the text `name` when it is no JSON object, a list is none, or a value is nested too deeply or has more than `max_members` members; and what the visitor raises.
void read_object(const char* name, std::string_view text, std::size_t max_members, ObjectVisitor& visitor);

}  // namespace snapback
