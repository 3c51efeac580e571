// Checking a backup: its bytes, its contents, and whether it restores.
#pragma once

#include <string>
#include <vector>

#include "core/format/backup_reader.hpp"
#include "pg/progress.hpp"
#include "service/repository.hpp"

namespace snapback::service {

struct VerifyResult {
  std::string backup_id, level;
  bool ok = false;
  std::uint64_t tables = 0, rows = 0;
  double seconds = 0;
  std::vector<Problem> problems;
  std::vector<std::string> table_names;  // by Problem::table_index
};

// `level`: files, content, restore. Damage is a result, not an error; it is stored in the sidecar where that can be written.
VerifyResult verify_backup(const std::string& id, const std::string& level);

// True for the SQLSTATEs with which a type refuses a value: of the data itself, or of an object that it names and that is not there (regclass and its like).
bool is_refused_value(const std::string& sqlstate);

// Level content over an open backup, the values converted by the types of this server. Runs no code of a table's or domain's owner.
std::vector<Problem> check_backup_content(BackupReader& reader, pg::Progress& progress);

// Level restore: all tables into a scratch schema, constraints and proofs included, rolled back. Sets info's verified level. Raises what the restore raises.
void verify_restore(Repository& repository, BackupInfo& info, pg::Progress& progress);

}  // namespace snapback::service
