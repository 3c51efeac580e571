#pragma once

// Heavy headers that most sources need. The Makefile compiles them once, ahead of everything, and includes the result in every
// source, which halves the time of a build. That is all it is for: each source still includes what it uses.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>
