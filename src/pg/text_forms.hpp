// The one set of settings under which values are turned into text and back (docs/format.md, "Values").
#pragma once

#include <string>

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

// While it is in force, values have the text forms of a backup, but the search path is the caller's own (policies and functions of the application count on it), and row security applies
// to the caller. From construction until close(); after an error the end of the (sub)transaction restores the caller's settings.
class CallerForms {
 public:
  CallerForms();
  void close() { forms_.close(); }

 private:
  std::string path_;
  TextForms forms_;
};

}  // namespace snapback::pg
