// The call of a SQL function that a run stands for: its arguments out of a JSON object.
#pragma once

#include <string>
#include <vector>

#include "core/format/manifest.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

struct RunCall {
  std::string sql;               // SELECT, every name qualified; returns one column: the results as a jsonb array
  std::vector<pg::Cell> values;  // its parameters
};

// `kind` is create, verify, restore, prune or delete. Raises 22023 for an argument that the function does not have or whose JSON is of the wrong kind.
RunCall make_run_call(const std::string& kind, const Json& arguments);

// Converts the arguments to their types without calling anything, with the caller's rights; raises 22P02 and its like. Then whether the role may execute the function: 42501.
void check_run_call(const std::string& kind, const Json& arguments, const std::string& role);

}  // namespace snapback::service
