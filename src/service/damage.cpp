#include "service/damage.hpp"

#include <map>

#include "core/format/backup_reader.hpp"
#include "pg/call.hpp"
#include "pg/spi.hpp"
#include "service/schema_json.hpp"

namespace snapback::service {

namespace {

constexpr std::size_t shown_tables = 10;

std::string rows_of(const Problem& problem) {
  if (problem.last_row < problem.first_row) return "";
  // counted from 0, as backup_verify does
  std::string first = std::to_string(problem.first_row), last = std::to_string(problem.last_row);
  return first == last ? "row " + first : "rows " + first + " to " + last;
}

// Rows lost of each damaged table.
std::map<std::size_t, std::string> losses(const std::vector<Problem>& problems) {
  std::map<std::size_t, std::string> tables;
  for (auto& problem : problems) {
    if (problem.table_index < 0) continue;
    auto& rows = tables[static_cast<std::size_t>(problem.table_index)];
    if (auto more = rows_of(problem); !more.empty()) rows += (rows.empty() ? "" : ", ") + more;
  }
  return tables;
}

std::string restore_others(const BackupInfo& backup, const Manifest& manifest, const std::map<std::size_t, std::string>& damaged) {
  std::vector<std::string> whole;
  for (std::size_t i = 0; i < manifest.tables.size(); ++i)
    if (auto [schema, name] = name_of(manifest.tables[i]); !damaged.count(i)) whole.push_back(pg::qualified(schema, name));
  if (whole.empty()) return "No table of it is whole: use another backup, backup_list() shows them.";
  std::string names = "their names";
  if (whole.size() <= shown_tables) {
    names.clear();
    for (auto& name : whole) names += (names.empty() ? "" : ", ") + pg::quote_literal(name);
    names = "ARRAY[" + names + "]";
  }
  return "The other tables can be restored: SELECT * FROM backup_restore('" + backup.id + "', tables => " + names + "). An older backup may have the rows.";
}

}  // namespace

snapback::error explain_damage(Repository& repository, const BackupInfo& backup, const snapback::error& met) {
  if (met.sqlstate() != std::string(sqlstate::data_corrupted)) return met;
  pg::ServerInterrupts interrupts;
  BackupReader reader(repository.location().open(backup.file_name), interrupts);
  auto problems = reader.check_files("", interrupts);
  if (problems.empty()) return met;
  const Manifest& manifest = reader.manifest();
  auto damaged = losses(problems);
  if (damaged.empty()) return met;
  std::string lost;
  std::size_t shown = 0;
  for (auto& [index, rows] : damaged) {
    if (shown++ == shown_tables) break;
    auto [schema, name] = name_of(manifest.tables[index]);
    lost += (lost.empty() ? "Lost: \"" : "; \"") + schema + "." + name + "\"" + (rows.empty() ? "" : " " + rows);
  }
  if (damaged.size() > shown_tables) lost += "; and " + std::to_string(damaged.size() - shown_tables) + " more tables";
  return snapback::error(sqlstate::data_corrupted, "backup \"" + backup.id + "\" is damaged", lost + ". " + met.message() + ".", restore_others(backup, manifest, damaged));
}

void check_not_lost(const BackupReader& reader, std::size_t table_index) {
  if (!reader.is_lost(table_index)) return;
  const auto [schema, name] = name_of(reader.manifest().tables[table_index]);
  throw snapback::error(sqlstate::data_corrupted, "rows of table \"" + schema + "." + name + "\" are no longer in the backup's file", reader.salvaged() + ".");
}

}  // namespace snapback::service
