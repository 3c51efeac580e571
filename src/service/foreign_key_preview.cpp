#include "service/foreign_key_preview.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/reference_check.hpp"
#include "pg/snapshot.hpp"
#include "service/compare.hpp"

namespace snapback::service {

namespace {

// Types whose equal values have one text, so that no operator of anybody has to be asked. Integers of all widths are written alike.
const std::set<std::string> plain_types = {"smallint", "integer", "bigint", "text", "character varying", "uuid", "boolean", "date", "timestamp with time zone", "timestamp without time zone", "bytea"};
const std::set<std::string> integers = {"smallint", "integer", "bigint"};

std::string base_name(const std::string& type) { return type.substr(0, type.find('(')); }

bool comparable(const std::string& a, const std::string& b) {
  auto left = base_name(a), right = base_name(b);
  if (!plain_types.count(left) || !plain_types.count(right)) return false;
  auto text = [](const std::string& type) { return type == "text" || type == "character varying"; };
  return left == right || (integers.count(left) && integers.count(right)) || (text(left) && text(right));
}

bool will_change(const PlannedTable& table) { return table.result.action != "unchanged" && table.result.action != "skipped" && table.result.action != "refused"; }

// One end of a key: the relations that hold its rows after the restore.
struct End {
  TableDescription table;
  std::vector<std::string> columns;
  std::vector<PlannedTable*> restored;  // their rows come from the backup
  std::vector<TableDescription> live;   // these stay as they are
  bool changes = false;
  bool unknown = false;                 // which rows of the backup it will have
};

// The repartitioned table that a live leaf belongs to.
Repartitioned* repartitioned_with(RestorePlan& plan, Oid leaf) {
  for (auto& table : plan.repartitioned)
    for (auto& one : table.leaves)
      if (one.oid == leaf) return &table;
  return nullptr;
}

PlannedTable* planned(RestorePlan& plan, Oid oid) {
  for (auto& table : plan.tables)
    if (table.live && table.live->oid == oid && table.result.action != "skipped") return &table;
  return nullptr;
}

End describe_end(RestorePlan& plan, const PartitionTree& tree, Oid oid, const std::vector<std::string>& columns) {
  End end;
  auto described = describe_tables({oid}, false);
  if (described.empty()) return end;
  end.table = described[0];
  end.columns = columns;
  std::vector<Oid> leaves{oid};
  if (end.table.kind == RELKIND_PARTITIONED_TABLE) leaves = partitions_of({oid});
  std::map<Repartitioned*, std::size_t> spread;  // leaves of it that were met
  for (auto& leaf : describe_tables(leaves, false)) {
    if (!leaf.has_storage()) continue;
    if (auto* table = repartitioned_with(plan, leaf.oid)) {
      ++spread[table];
      continue;
    }
    bool surplus = std::any_of(plan.surplus.begin(), plan.surplus.end(), [&](auto& table) { return table.oid == leaf.oid; });
    if (auto* table = planned(plan, leaf.oid))
      end.restored.push_back(table);
    else if (!surplus)
      end.live.push_back(leaf);
    end.changes |= surplus;
  }
  for (auto& [table, met] : spread) {
    end.changes = true;
    end.unknown |= met != table->leaves.size();
    for (auto source : table->sources) end.restored.push_back(&plan.tables[source]);
  }
  // partitions that the restore would make anew
  if (auto* root = planned(plan, oid); root != nullptr && root->partitioned)
    for (auto entry : tree.below(root->entry))
      for (auto& table : plan.tables)
        if (table.entry == entry && !table.live && !table.partitioned && table.result.action != through_root) end.restored.push_back(&table);
  for (auto* table : end.restored) end.changes |= will_change(*table);
  return end;
}

// Every column is there, in the backup as in the live table, with types that are compared by text.
bool can_be_checked(const End& child, const End& parent) {
  if (child.columns.empty() || parent.columns.empty() || child.unknown || parent.unknown) return false;
  for (std::size_t i = 0; i < child.columns.size(); ++i) {
    auto *ours = child.table.column(child.columns[i]), *theirs = parent.table.column(parent.columns[i]);
    if (ours == nullptr || theirs == nullptr || !comparable(ours->type_name, theirs->type_name)) return false;
    for (auto* end : {&child, &parent})
      for (auto* table : end->restored) {
        bool there = false;
        const Json head = table->backup->head.json();
        for (auto& column : head.at("columns"))
          there |= name_of(column) == end->columns[i] && comparable(type_of(column), (end == &child ? ours : theirs)->type_name);
        if (!there) return false;
      }
  }
  return true;
}

void add_end(const RestorePlan& plan, const End& end, pg::ReferenceSide side, pg::ReferenceCheck& check, pg::Progress& progress) {
  pg::ServerInterrupts interrupts;
  for (auto* table : end.restored) {
    auto text = plan.source->reader->table_text(table->entry, interrupts);
    RowParser parser(*text);
    std::vector<std::string> keys;
    for (auto& column : end.columns) keys.push_back(pg::utf8_text(column));
    check.add_backup(parser, keys, side);
  }
  for (auto& table : end.live) {
    std::vector<AttrNumber> numbers;
    for (auto& name : end.columns)
      if (auto* column = table.column(name)) numbers.push_back(column->number);
    if (numbers.size() != end.columns.size()) continue;
    pg::lock_relations({table.oid}, AccessShareLock);
    progress.phase(pg::Phase::foreign_keys, table.oid);
    check.add_live(table.oid, numbers, side);
  }
}

// Where a note on the key belongs: the restored child, or the restored parent whose rows go.
PlannedTable* place_of_note(const End& child, const End& parent) {
  for (auto* end : {&child, &parent})
    for (auto* table : end->restored)
      if (will_change(*table)) return table;
  return nullptr;
}

std::string company(const RestorePlan& plan, const End& child, const End& parent) {
  auto& missing = child.restored.empty() ? child : parent;
  if (!missing.restored.empty()) return "";
  for (auto& entry : plan.source->reader->manifest().tables)
    if (name_of(entry) == TableName(missing.table.schema, missing.table.name)) return "; restore \"" + missing.table.qualified_name() + "\" along with it";
  return "";
}

}  // namespace

void preview_foreign_keys(RestorePlan& plan, const std::vector<ForeignKeyDescription>& keys, pg::Progress& progress) {
  PartitionTree tree(plan.source->schema, plan.source->reader->manifest());
  for (auto& key : keys) {
    if (!key.checked) continue;
    auto child = describe_end(plan, tree, key.table, key.columns);
    auto parent = describe_end(plan, tree, key.referenced, key.referenced_columns);
    if (!child.changes && !parent.changes) continue;
    auto* where = place_of_note(child, parent);
    if (where == nullptr) continue;
    std::string name = "foreign key \"" + key.name + "\" of table \"" + key.schema + "." + key.table_name + "\"";
    pg::ReferenceCheck check(key.match == 'f');
    bool checkable = !key.period && can_be_checked(child, parent);
    if (checkable) {
      add_end(plan, parent, pg::ReferenceSide::referenced, check, progress);
      add_end(plan, child, pg::ReferenceSide::referencing, check, progress);
    }
    std::uint64_t missing = checkable ? check.missing() : 0;
    if (!checkable || check.unsure()) {
      where->result.notes.push_back(name + " is not checked by a dry run; rehearse => true does it");
    } else if (missing > 0) {
      where->result.action = "refused";
      where->result.notes.push_back("the restore would fail with 23503: " + std::to_string(missing) + " rows would violate " + name + company(plan, child, parent));
    }
  }
}

}  // namespace snapback::service
