#include "service/graph/bank_hash.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/digest.hpp"

namespace snapback::service {

namespace {

bool contains(const std::vector<std::size_t>& list, std::size_t item) { return std::find(list.begin(), list.end(), item) != list.end(); }

// name=value lines in the order of the names.
std::string content_of(const SourceTable& table, const CollectedTable& collected, std::size_t row) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (!is_hashed(table, i)) continue;
    const auto value = collected.rows.value(row, collected.kept_column[i]);
    if (!value.empty()) lines.push_back(table.columns[i].logical + "=" + std::string(value) + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const auto& line : lines) text += line;
  return text;
}

}  // namespace

bool is_hashed(const SourceTable& table, std::size_t column) {
  constexpr std::array bookkeeping{"created_at", "updated_at", "deleted_at", "external_id", "import_batch_id"};
  const SourceColumn& candidate = table.columns[column];
  if (table.table_class() != graph::TableClass::bank || !candidate.exported) return false;
  const auto& named = table.profile->hash;
  if (!named.empty()) return std::find(named.begin(), named.end(), candidate.logical) != named.end();
  if (candidate.reset || contains(table.key, column) || contains(table.order, column)) return false;
  if (std::find(bookkeeping.begin(), bookkeeping.end(), candidate.logical) != bookkeeping.end()) return false;
  return std::none_of(table.references.begin(), table.references.end(), [&](const auto& reference) { return contains(reference.columns, column); });
}

std::vector<std::vector<std::string>> bank_hashes(const Source& source, const Collection& collection) {
  std::vector<std::vector<std::string>> hashes(source.tables.size());
  // by table: tuple of the columns that children point at -> their hashes
  std::vector<std::unordered_map<std::string, std::vector<std::string>>> children(source.tables.size());
  for (auto position = collection.order.rbegin(); position != collection.order.rend(); ++position) {
    const SourceTable& table = source.tables[*position];
    if (table.table_class() != graph::TableClass::bank) continue;
    const auto& collected = collection.tables[*position];
    for (std::size_t row = 0; row < collected.rows.size(); ++row) {
      std::string content = content_of(table, collected, row);
      auto& below = children[*position][collected.tuple(row, table.key)];
      std::sort(below.begin(), below.end());
      for (const auto& hash : below) content += hash + "\n";
      hashes[*position].push_back(to_hex(sha256_of(content)));
      for (const auto& reference : table.references)
        if (reference.owns && reference.kind == graph::ReferenceKind::foreign_key && reference.to == source.tables[reference.table].key)
          children[reference.table][collected.tuple(row, reference.columns)].push_back(hashes[*position].back());
    }
  }
  return hashes;
}

}  // namespace snapback::service
