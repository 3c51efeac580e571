// A backup against the live tables.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/format/row_sink.hpp"
#include "pg/progress.hpp"
#include "service/catalog.hpp"
#include "service/repository.hpp"

namespace snapback::service {

struct Comparison {
  std::string schema, name;
  std::uint64_t backup_rows = 0;
  std::optional<std::uint64_t> live_rows;  // none: there is no such table
  bool equal = false;
};

std::vector<Comparison> compare_backup(const std::string& id, const std::optional<std::vector<std::string>>& tables);

// Count and fingerprint of a live table over a backup's columns in the backup's order, under the active snapshot; none when a column is missing or generated now.
struct LiveState {
  std::uint64_t rows = 0;
  Fingerprint fingerprint;
};
std::optional<LiveState> read_live_state(const TableDescription& live, const Json& head, pg::Progress& progress, pg::Phase phase = pg::Phase::reading);

// OID of a live table by name, InvalidOid when there is none. Ordinary and partitioned tables, views and the like; no indexes or sequences.
Oid find_live_table(const std::string& schema, const std::string& name);

class BackupSchema;

// Indexes of a backup's tables that lie below partitioned table `root`, from the schema part.
class PartitionTree {
 public:
  PartitionTree(const BackupSchema& schema, const Manifest& manifest);
  // All entries below it, inner nodes included; empty for a table without partitions.
  std::vector<std::size_t> below(std::size_t table) const;
  bool is_root(std::size_t table) const { return !children_[table].empty() || partitioned_[table]; }

 private:
  std::vector<std::vector<std::size_t>> children_;
  std::vector<bool> partitioned_;
};

}  // namespace snapback::service
