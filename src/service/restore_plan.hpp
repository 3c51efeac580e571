// What a restore will do to which table, worked out before anything is changed.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/format/backup_reader.hpp"
#include "pg/table_target.hpp"
#include "service/catalog.hpp"
#include "service/compare.hpp"
#include "service/restore.hpp"

namespace snapback::service {

struct PlannedTable {
  std::size_t entry = 0;  // index into the manifest's tables
  const TableEntry* backup = nullptr;
  Json definition;         // from the schema part; null when it is not there
  std::string schema, name;  // target
  bool partitioned = false;
  std::optional<TableDescription> live;  // none: to be created
  pg::ColumnMapping mapping;             // filled once the target exists
  RestoredTable result;
  Fingerprint expected;                  // what the live table must read as afterwards
  std::uint64_t expected_rows = 0;
  bool written = false;

  std::string qualified_name() const { return schema + "." + name; }
};

struct RestorePlan {
  BackupInfo backup;
  std::unique_ptr<BackupReader> reader;
  Json schema;
  std::vector<PlannedTable> tables;       // partitioned tables before their partitions
  std::set<std::string> created_schemas;                   // made by this restore
  std::set<std::pair<std::string, std::string>> guests;     // (schema, quoted role): may create in it while the restore runs
  std::vector<TableDescription> surplus;  // live partitions of restored partitioned tables that the backup does not have (mode replace: emptied)

  std::vector<Oid> live_tables() const;   // every live relation that is read or written, in OID order
};

// Picks the tables, finds the live ones and checks the user's rights on them. Takes no lock: to be called again once locks are held, and compared.
RestorePlan make_plan(Repository& repository, const RestoreRequest& request, const BackupInfo& backup);
bool same_targets(const RestorePlan& a, const RestorePlan& b);

// How the backup's columns meet the live table's. Raises 42804-class errors for columns that would be lost (unless allow_loss) and adds notes for every difference.
pg::ColumnMapping map_columns(const RestorePlan& plan, PlannedTable& table, const TableDescription& live, bool allow_loss);

}  // namespace snapback::service
