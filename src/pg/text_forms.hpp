// The one set of settings under which values are turned into text and back (docs/format.md, "Values").
#pragma once

#include "pg/pg.hpp"

namespace snapback::pg {

// In force from construction until close(); after an error the end of the (sub)transaction restores the caller's settings.
class TextForms {
 public:
  TextForms();
  ~TextForms() = default;
  TextForms(const TextForms&) = delete;
  TextForms& operator=(const TextForms&) = delete;
  void close();

 private:
  int nest_level_;
};

}  // namespace snapback::pg
