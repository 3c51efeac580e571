// What a restore will do to which table, worked out before anything is changed.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/format/backup_reader.hpp"
#include "pg/spi.hpp"
#include "pg/table_target.hpp"
#include "service/catalog.hpp"
#include "service/compare.hpp"
#include "service/restore.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

struct PlannedTable {
  std::size_t entry = 0;  // index into the manifest's tables
  const TableEntry* backup = nullptr;
  std::string schema, name;  // target
  bool partitioned = false;
  std::optional<TableDescription> live;  // none: to be created
  pg::ColumnMapping mapping;             // filled once the target exists
  RestoredTable result;
  Fingerprint expected;                  // what the live table must read as afterwards
  std::uint64_t expected_rows = 0;
  bool written = false;
  bool bound_changed = false;            // a partition without its partitioned table, whose bound is another than in the backup

  std::string qualified_name() const { return schema + "." + name; }         // for messages
  std::string target() const { return pg::qualified(schema, name); }         // for statements
};

// What the result says of a leaf of the backup whose rows go through its partitioned table.
inline constexpr char through_root[] = "through root";

// A partitioned table whose partitions are no longer those of the backup: rows of some of the backup's leaves go to whichever partition takes them now. Leaves that have kept their place and
// bound are none of these.
struct Repartitioned {
  std::size_t root = 0;                  // place in RestorePlan::tables
  std::vector<std::size_t> sources;      // likewise; their action is through_root
  std::vector<TableDescription> leaves;  // live leaves that may take the rows
  std::set<Oid> surplus;                 // those among them whose names the backup does not have
  std::vector<std::string> columns;      // that come from the backup, as it names them; filled when rows are written, like all below
  Fingerprint expected;                  // what all leaves together must read as afterwards
  std::uint64_t expected_rows = 0;
  bool written = false, proven = false;
};

// A backup to restore from, read once for all the plans that are made of it.
struct RestoreSource {
  RestoreSource(Repository& repository, const BackupInfo& info) : backup(info), reader(repository.open(info)), schema(*reader) {}

  BackupInfo backup;
  std::unique_ptr<BackupReader> reader;
  BackupSchema schema;
};

struct RestorePlan {
  std::shared_ptr<RestoreSource> source;
  std::vector<PlannedTable> tables;       // partitioned tables before their partitions
  std::set<std::string> created_schemas;                   // made by this restore
  std::set<std::pair<std::string, std::string>> guests;     // (schema, quoted role): may create in it while the restore runs
  std::vector<Repartitioned> repartitioned;
  std::vector<TableDescription> surplus;  // live partitions of restored partitioned tables that the backup does not have (mode replace: emptied)

  std::vector<Oid> live_tables() const;   // every live relation that is read or written, in OID order
  // From the schema part; null when it is not there.
  Json definition_of(const PlannedTable& table) const { return source->schema.table(*table.backup); }
};

// The partitioned table of that place in RestorePlan::tables, null where its partitions are those of the backup.
Repartitioned* repartitioned_at(RestorePlan& plan, std::size_t table);

// Picks the tables, finds the live ones and checks the user's rights on them. Takes no lock: to be called again once locks are held, and compared.
RestorePlan make_plan(const std::shared_ptr<RestoreSource>& source, const RestoreRequest& request);

// What a plan would write to: OID, kind, owner and name of every live table, in the plan's order.
using RestoreTargets = std::vector<std::tuple<Oid, char, Oid, std::string>>;
RestoreTargets targets_of(const RestorePlan& plan);

// How the backup's columns meet the live table's. Raises 42804-class errors for columns that would be lost (unless allow_loss) and adds notes for every difference.
pg::ColumnMapping map_columns(const RestorePlan& plan, PlannedTable& table, const TableDescription& live, bool allow_loss);

}  // namespace snapback::service
