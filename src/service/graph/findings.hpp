// What an export has to say besides the rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace snapback::service {

// One line of a report: docs/course.md, "Codes".
struct Finding {
  const char* code = "";
  std::string table;                    // logical name
  std::string column;                   // logical name; empty: none
  std::optional<std::uint64_t> count;   // rows
  std::string message, hint;
};

struct Findings {
  std::vector<Finding> errors, warnings;
};

}  // namespace snapback::service
