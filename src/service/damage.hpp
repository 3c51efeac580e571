// What a damaged backup has lost, said to who wants to restore from it.
#pragma once

#include "core/error.hpp"
#include "service/repository.hpp"

namespace snapback::service {

// The error of a restore that met damage, completed: which tables lost which rows, and how to restore the others. Reads the whole file. The error as it is
// where it tells of no damage, or where the file gives no more than it said. Raises what reading the file raises.
snapback::error explain_damage(Repository& repository, const BackupInfo& backup, const snapback::error& met);

// Raises XX001 when rows of the table are known not to be in the file.
void check_not_lost(const BackupReader& reader, std::size_t table_index);

}  // namespace snapback::service
