#include "service/sequences.hpp"

#include <limits>

#include "pg/identity.hpp"
#include "pg/spi.hpp"

namespace snapback::service {

namespace {

struct Position {
  std::int64_t last_value;
  bool is_called;
};

// True when `a` has handed out less than `b`.
bool behind(const Position& a, const Position& b, std::int64_t increment) {
  if (a.last_value == b.last_value) return !a.is_called && b.is_called;
  return increment > 0 ? a.last_value < b.last_value : a.last_value > b.last_value;
}

void move_sequence(const SequenceDescription& live, const Position& wanted) {
  std::string name = pg::qualified(live.schema, live.name);
  pg::RunAs everything(BOOTSTRAP_SUPERUSERID);
  pg::execute("ALTER SEQUENCE " + name + " RESTART WITH " + std::to_string(wanted.last_value));
  // the storage is new and this transaction's own: drawing the value is undone with it
  if (wanted.is_called) pg::execute("SELECT pg_catalog.nextval(" + pg::quote_literal(name) + "::pg_catalog.regclass)");
}

const SequenceDescription* find_live(const TableDescription& table, const Json& wanted) {
  for (auto& sequence : table.sequences)
    if (sequence.owner_column == wanted.value("column", "") && sequence.owned == wanted.value("owned", false)) return &sequence;
  for (auto& sequence : table.sequences)
    if (sequence.name == wanted.value("name", "")) return &sequence;
  return nullptr;
}

}  // namespace

void advance_sequences(RestorePlan& plan) {
  for (auto& table : plan.tables) {
    if (!table.live) continue;
    std::vector<TableDescription> described;
    for (auto& wanted : plan.source->schema.sequences(*table.backup)) {
      if (described.empty()) described = describe_tables({table.live->oid}, true);
      if (described.empty()) continue;
      auto* live = find_live(described[0], wanted);
      if (live == nullptr) continue;
      Position position{wanted.at("last_value").get<std::int64_t>(), wanted.at("is_called").get<bool>()};
      if (!behind({live->last_value, live->is_called}, position, live->increment)) continue;
      if (position.last_value < live->minimum || position.last_value > live->maximum) continue;
      move_sequence(*live, position);
      table.result.notes.push_back("sequence \"" + live->name + "\" moved to " + std::to_string(position.last_value));
    }
  }
}

}  // namespace snapback::service
