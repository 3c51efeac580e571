// Lists in sentences and statements.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace snapback {

// The items with `between` between them; empty for none.
inline std::string joined(const std::vector<std::string>& items, std::string_view between = ", ") {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += between;
    text += item;
  }
  return text;
}

}  // namespace snapback
