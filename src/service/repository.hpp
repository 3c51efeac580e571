// The backups of a location as this database sees them: listing, states, finding one by id, sidecars.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/format/backup_reader.hpp"
#include "core/format/manifest.hpp"
#include "core/storage/storage.hpp"
#include "pg/pg.hpp"

namespace snapback::service {

// This database, as backups name it.
struct DatabaseIdentity {
  std::string system_identifier;
  Oid oid = InvalidOid;
  std::string name;
};

DatabaseIdentity this_database();

struct BackupInfo {
  std::string id;
  std::string state;  // good, damaged, unreadable, foreign, writing
  Sidecar sidecar;    // in UTF-8; filled from the file's manifest when the sidecar file is missing
  std::string file_name;
  std::uint64_t stored_bytes = 0;
  std::string problem;
  bool has_sidecar = false;

  bool is_own = false;        // taken by this database
  bool uncommitted() const;
  std::optional<std::string> expiry;  // by the plan as it is now (service/retention.hpp); empty: cannot be told ahead
  std::string kind() const;   // manual, before, safety, scheduled
  std::string plan() const;   // the plan that made it; empty: by hand
  std::string expires_at() const;  // UTC; empty: it does not, or it cannot be told ahead
  std::string taken_by() const;
  std::string database() const;
  bool wide() const;          // taken with tables null
};

class Repository {
 public:
  // The location of the settings in force. `for_writing` creates the directory where that is possible.
  explicit Repository(bool for_writing);

  Location& location() { return *location_; }
  const DatabaseIdentity& database() const { return database_; }

  // Newest first.
  std::vector<BackupInfo> list();
  // One backup by id or unambiguous prefix. Raises 22023, 42704.
  BackupInfo find(const std::string& id);
  // `latest` (docs/architecture.md, "latest"): the newest good, committed backup of this database that is no safety backup and for which `holds` is true
  // (none: a backup of all tables). Raises 42704 when there is none.
  BackupInfo latest(const std::function<bool(const Manifest&)>& holds = nullptr);
  // An id, a prefix, or "latest".
  BackupInfo find_or_latest(const std::string& id);

  // Of a damaged file what can be salvaged (BackupReader). Raises XX001 where that is nothing, or the file is another backup than its name or its sidecar says.
  std::unique_ptr<BackupReader> open(const BackupInfo& backup);
  // A backup in state unreadable as its file describes it, state damaged. Raises what open() does.
  BackupInfo read_unreadable(const BackupInfo& backup);
  void write_sidecar(const Sidecar& sidecar);

 private:
  BackupInfo describe(const StoredFile& file);
  bool is_of_this_database(const Json& description) const;
  DatabaseIdentity database_;
  std::unique_ptr<Location> location_;
};

// Raises XX001 when the manifest is that of another backup, or of another database than the sidecar says.
void check_identity(const BackupInfo& backup, const Manifest& manifest);

// The sidecar of backup `id`; one made from the file's manifest where there is none. Raises XX001, 58P01.
Sidecar read_sidecar(Location& location, const std::string& id);

// File names.
std::string backup_file_name(const std::string& id);
std::string sidecar_file_name(const std::string& id);

// Directory that pg_snapback.storage_location names or stands for. `inside_data_directory` tells that backups lie inside the data directory.
std::string storage_directory(bool* inside_data_directory = nullptr);

// By the clock of this machine.
std::int64_t now_microseconds();
std::string now_utc();

}  // namespace snapback::service
