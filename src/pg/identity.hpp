// Whose rights code runs with.
#pragma once

#include "pg/pg.hpp"

namespace snapback::pg {

// While it lives, the current user is `user`, inside a security-restricted operation (no changes to session state), as VACUUM and REINDEX run a table owner's code.
// Both directions are plain stores; after an error the end of the (sub)transaction would restore them as well.
class RunAs {
 public:
  explicit RunAs(Oid user, int flags = SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE) noexcept {
    GetUserIdAndSecContext(&user_, &context_);
    SetUserIdAndSecContext(user, context_ | flags);
  }
  ~RunAs() { SetUserIdAndSecContext(user_, context_); }
  RunAs(const RunAs&) = delete;
  RunAs& operator=(const RunAs&) = delete;

 private:
  Oid user_;
  int context_;
};

}  // namespace snapback::pg
