// The one place below a worker's top level where a PostgreSQL error may be swallowed: after the rollback of a subtransaction.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pg/call.hpp"

namespace snapback::pg {

struct Swallowed {
  std::string sqlstate, message, detail;
};

// Runs `body` in a subtransaction. Without an error it is released, or rolled back when `keep` is false, and nothing is returned. With an error it is rolled back; the error is returned
// when `swallow` says so for its SQLSTATE and raised again otherwise. Cancels and shutdowns are always raised again.
std::optional<Swallowed> in_subtransaction(const std::function<void()>& body, const std::function<bool(const std::string& sqlstate)>& swallow, bool keep = true);

// SQLSTATE classes that mean bad data: 22 (data exception), 23 (integrity), 42804, XX001.
bool is_data_error(const std::string& sqlstate);

}  // namespace snapback::pg
