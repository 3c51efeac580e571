// A PostgreSQL error travelling through C++ code.
#pragma once

#include <string>

#include "pg/pg.hpp"

namespace snapback::pg {

// Move-only and deliberately no std::exception, so that no `catch (const std::exception&)` swallows a cancel. Owns a copy of the server's ErrorData in a memory
// context of its own. May be swallowed in two places only: pg::Subtransaction (after its rollback) and a worker's top level (after the abort).
class error {
 public:
  error(MemoryContext context, ErrorData* data) noexcept : context_(context), data_(data) {}
  error(error&& other) noexcept : context_(other.context_), data_(other.data_) {
    other.context_ = nullptr;
    other.data_ = nullptr;
  }
  error& operator=(error&&) = delete;
  error(const error&) = delete;
  ~error();

  // SQLSTATE as five characters. 53200 when the server had no memory left to describe the error.
  std::string sqlstate() const;
  std::string message() const;
  std::string detail() const;
  bool is_lock_shortage() const noexcept;  // raised by the lock table for want of shared memory
  int code() const noexcept;  // as in elog.h, ERRCODE_...

  // Hands the data over to `owner` (freed with it); null when there is none.
  ErrorData* release(MemoryContext owner) noexcept;

 private:
  MemoryContext context_;
  ErrorData* data_;
};

// Number of captured errors alive in this process (tests).
int live_errors() noexcept;

}  // namespace snapback::pg
