// Which tables a call means: names and patterns to relations, the caller's rights on them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/pg.hpp"
#include "service/repository.hpp"

namespace snapback::service {

// One way to name tables: [schema.]name, each part plain or in double quotes, with * and ? as wildcards outside quotes. A plain part matches as it is written or folded to lower case.
struct NamePattern {
  struct Part {
    std::string text;
    std::vector<bool> literal;  // per byte: a wildcard character that was quoted
    bool wild = false;
    bool quoted = false;
    bool matches(const std::string& name) const;
  };
  std::optional<Part> schema;
  Part name;
  std::string source;  // as written, for messages
  bool everything() const;  // a lone *

  // `in_path`: the schema is in the caller's search path.
  bool matches(const std::string& schema_name, const std::string& relation_name, bool in_path) const;
};

// Raises 22023 when the text is no pattern (empty, unclosed quote, too many dots).
NamePattern parse_pattern(const std::string& text);
// The list in pg_snapback.tables: comma-separated patterns.
std::vector<std::string> split_pattern_list(const std::string& text);

struct Selection {
  std::vector<Oid> tables;   // in OID order, partitions of partitioned tables included
  std::vector<Oid> checked;  // those the caller needs rights on: without the partitions that came along with their root
  bool wide = false;         // all user tables
};

// `tables` null: pg_snapback.tables or every user table. Raises 42P01 for a name, 22023 for a pattern that matches nothing or an empty list, 42809 for a relation that has no rows to read.
Selection select_tables(const std::optional<std::vector<std::string>>& tables, const std::vector<std::string>& exclude);

// For a transaction that keeps its snapshot (REPEATABLE READ, SERIALIZABLE), which has to be the active one, all tables of `selection` locked: raises 40001 when the same names meant a further
// table in that snapshot. It is gone, or has another name now, and a backup of that moment would lack it.
void refuse_missed_tables(const std::optional<std::vector<std::string>>& tables, const std::vector<std::string>& exclude, const Selection& selection);

// Raises one 42501 that names every table the current user may not read, or whose row security would hide rows from that user.
void check_readable(const std::vector<Oid>& tables);

// Picks among the tables of a backup, by the same patterns: indexes into `held`. Raises 42P01 (22023 for a pattern) when one matches nothing.
std::vector<std::size_t> pick_tables(const std::optional<std::vector<std::string>>& tables, const std::vector<std::pair<std::string, std::string>>& held,
                                     const std::string& backup_id);

// The backup that `id` names; for "latest" the newest good, committed backup of this database that is no safety backup and holds all of `tables`, or, without them, all user tables.
// Raises 22023, 42704.
BackupInfo choose_backup(Repository& repository, const std::string& id, const std::optional<std::vector<std::string>>& tables);

}  // namespace snapback::service
