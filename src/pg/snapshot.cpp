#include "pg/snapshot.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "pg/call.hpp"
#include "pg/spi.hpp"

namespace snapback::pg {

void lock_relations(const std::vector<Oid>& relations, LOCKMODE mode) {
  auto ordered = relations;
  std::sort(ordered.begin(), ordered.end());
  for (auto relation : ordered) call([&] { LockRelationOid(relation, mode); });
}

namespace {

std::map<Oid, std::string> file_numbers(const std::string& oids, bool active) {
  const char* sql = "SELECT c.oid, c.relfilenode, n.nspname || '.' || c.relname FROM pg_catalog.pg_class c "
                    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])";
  std::map<Oid, std::string> numbers;
  for (auto& row : active ? query_active(sql, {oids}) : query(sql, {oids})) numbers[static_cast<Oid>(std::stoul(*row[0]))] = *row[1] + " " + *row[2];
  return numbers;
}

}  // namespace

void push_read_snapshot(const std::vector<Oid>& relations) {
  if (!IsolationUsesXactSnapshot()) {
    push_latest_snapshot();
    return;
  }
  call([] {
    CommandCounterIncrement();
    PushCopiedSnapshot(GetTransactionSnapshot());
    UpdateActiveSnapshotCommandId();
  });
  std::string oids = "{";
  for (auto relation : relations) oids += (oids.size() > 1 ? "," : "") + std::to_string(relation);
  oids += "}";
  auto seen = file_numbers(oids, true), current = file_numbers(oids, false);
  for (auto& [relation, description] : current) {
    auto space = description.find(' ');
    auto it = seen.find(relation);
    if (it != seen.end() && it->second.substr(0, it->second.find(' ')) == description.substr(0, space)) continue;
    throw snapback::error(sqlstate::serialization_failure, "could not read table \"" + description.substr(space + 1) + "\" as of this transaction's snapshot",
                          it == seen.end() ? "The table was created after the snapshot was taken."
                                           : "The table's storage was replaced after the snapshot was taken (TRUNCATE, CLUSTER, VACUUM FULL or ALTER TABLE).",
                          "Start a new transaction, or use READ COMMITTED.");
  }
}

void push_latest_snapshot() {
  call([] {
    CommandCounterIncrement();
    PushActiveSnapshot(GetLatestSnapshot());
  });
}

void pop_snapshot() {
  call([] { PopActiveSnapshot(); });
}

}  // namespace snapback::pg
