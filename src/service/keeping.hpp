// Deleting and pinning backups; both take effect when the transaction commits.
#pragma once

#include <string>

#include "service/repository.hpp"

namespace snapback::service {

// Raises 42704 for an unknown id, 55006 for a pinned backup.
BackupInfo delete_backup(const std::string& id);
BackupInfo pin_backup(const std::string& id, bool pinned);

}  // namespace snapback::service
