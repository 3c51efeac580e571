#include "service/partition_layout.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "pg/partition_bound.hpp"
#include "pg/spi.hpp"
#include "pg/text_forms.hpp"

namespace snapback::service {

namespace {

// A table or partition of today.
struct LiveNode {
  Oid oid = InvalidOid, parent = InvalidOid;
  char kind = 'r';
  TableName name;
  std::string bound, key;  // FOR VALUES ..., and of a partitioned one PARTITION BY ...
};

using LiveNodes = std::map<Oid, LiveNode>;

LiveNodes read_nodes(const std::vector<Oid>& oids) {
  LiveNodes nodes;
  for (auto& row : pg::query(R"(
      SELECT c.oid, coalesce(i.inhparent, 0), c.relkind, n.nspname, c.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid),
             CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
       WHERE c.oid = ANY ($1::oid[]))",
                             {oid_array(oids)})) {
    LiveNode node;
    node.oid = static_cast<Oid>(std::stoul(*row[0]));
    node.parent = static_cast<Oid>(std::stoul(*row[1]));
    node.kind = (*row[2])[0];
    node.name = {*row[3], *row[4]};
    node.bound = row[5].value_or("");
    node.key = row[6].value_or("");
    nodes.emplace(node.oid, std::move(node));
  }
  return nodes;
}

// One table of the backup among the partitions of another.
struct Node {
  std::size_t table = 0;  // place in the plan
  std::string bound, key;
  TableName parent;       // of a partition
  std::vector<TableName> children;
};

// Decides for the partitions of one partitioned table, from the outermost in.
class Layout {
 public:
  Layout(RestorePlan& plan, const std::map<TableName, Node>& nodes, std::size_t root) : plan_(plan), nodes_(nodes), root_(root) {
    Oid oid = plan.tables[root].live->oid;
    auto below = partitions_of({oid});
    below.push_back(oid);
    live_ = read_nodes(below);
    for (auto& [found, node] : live_) by_name_[node.name] = found;
  }

  void decide() {
    auto& node = nodes_.at(name_of(root_));
    auto& live = live_.at(plan_.tables[root_].live->oid);
    bool same = node.key == live.key && (node.parent.second.empty() || (node.bound == live.bound && plan_.tables[root_].live->parent_name == node.parent.second));
    if (same)
      compare_children(node, live);
    else
      move_children(node);
    if (moved_.empty()) return;
    Repartitioned found;
    found.root = root_;
    found.sources = moved_;
    std::set<TableName> names;
    for (auto& [name, ignored] : nodes_) names.insert(name);
    std::vector<Oid> leaves;
    for (auto& [oid, leaf] : live_)
      if (leaf.kind == RELKIND_RELATION && !same_.count(oid)) leaves.push_back(oid);
    found.leaves = describe_tables(leaves, false);
    for (auto& leaf : found.leaves)
      if (!names.count({leaf.schema, leaf.name})) found.surplus.insert(leaf.oid);
    plan_.repartitioned.push_back(std::move(found));
  }

 private:
  TableName name_of(std::size_t table) const { return {plan_.tables[table].schema, plan_.tables[table].name}; }

  const LiveNode* live_node(const TableName& name) const {
    auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &live_.at(found->second);
  }

  // Its rows go wherever they belong now.
  void move(const TableName& name) {
    auto& node = nodes_.at(name);
    auto& table = plan_.tables[node.table];
    auto* live = live_node(name);
    // what is partitioned in both is not written itself
    if (!table.partitioned || live == nullptr || live->kind != RELKIND_PARTITIONED_TABLE) {
      table.live.reset();
      table.result.action = through_root;
    }
    if (!table.partitioned) moved_.push_back(node.table);
    move_children(node);
  }
  void move_children(const Node& node) {
    for (auto& child : node.children) move(child);
  }

  // Both are in their place; their partitions are compared.
  void compare_children(const Node& node, const LiveNode& live) {
    std::set<Oid> kept;
    std::vector<TableName> moved;
    for (auto& name : node.children) {
      auto& child = nodes_.at(name);
      if (child.bound == "DEFAULT") continue;
      auto* there = live_node(name);
      if (there != nullptr && is_same(child, *there, live))
        kept.insert(there->oid);
      else if (there != nullptr || !pg::has_room_for(live.oid, child.bound))
        moved.push_back(name);
      // otherwise it is made anew, or a table of its name that is no partition any more is restored by itself
    }
    const std::size_t own = kept.size();
    std::size_t others = 0;
    for (auto& [oid, one] : live_) others += one.parent == live.oid && one.bound != "DEFAULT";
    for (auto& name : node.children) {
      auto& child = nodes_.at(name);
      if (child.bound != "DEFAULT") continue;
      auto* there = live_node(name);
      // what the others take is not for the default partition, so it is the same only when they are
      if (there != nullptr && is_same(child, *there, live) && moved.empty() && own == others)
        kept.insert(there->oid);
      else if (there != nullptr || !moved.empty() || own != others || !pg::has_room_for(live.oid, child.bound))
        moved.push_back(name);
    }
    for (auto oid : kept) {
      auto& child = nodes_.at(live_.at(oid).name);
      same_.insert(oid);
      if (!child.children.empty()) compare_children(child, live_.at(oid));
    }
    for (auto& name : moved) move(name);
  }

  bool is_same(const Node& child, const LiveNode& there, const LiveNode& parent) const {
    bool partitioned = plan_.tables[child.table].partitioned;
    return there.parent == parent.oid && there.bound == child.bound && there.kind == (partitioned ? RELKIND_PARTITIONED_TABLE : RELKIND_RELATION) && there.key == child.key;
  }

  RestorePlan& plan_;
  const std::map<TableName, Node>& nodes_;
  std::size_t root_;
  LiveNodes live_;
  std::map<TableName, Oid> by_name_;
  std::set<Oid> same_;              // partitions that have kept their place
  std::vector<std::size_t> moved_;  // leaves of the backup whose rows may belong elsewhere
};

// A partition that is restored by itself: its rows belong into it or nowhere.
void check_alone(PlannedTable& table, const Node& node) {
  auto parent = node.parent.first + "." + node.parent.second;
  if (table.live) {
    auto live = read_nodes({table.live->oid});
    table.bound_changed = !live.empty() && !live.begin()->second.bound.empty() && live.begin()->second.bound != node.bound;
    return;
  }
  Oid partitioned = find_live_table(node.parent.first, node.parent.second);
  if (!OidIsValid(partitioned) || read_nodes({partitioned}).begin()->second.kind != RELKIND_PARTITIONED_TABLE || pg::has_room_for(partitioned, node.bound)) return;
  throw snapback::error(sqlstate::check_violation, "cannot make partition \"" + table.qualified_name() + "\" again",
                        "Its rows belong into other partitions of \"" + parent + "\" now; in the backup it is the partition " + node.bound + ".",
                        "Restore \"" + parent + "\" as a whole: every row goes where it belongs now. Or restore the partition with into_schema.");
}

}  // namespace

void plan_partitions(RestorePlan& plan, const PartitionTree& tree) {
  std::map<TableName, Node> nodes;
  std::set<std::size_t> below;
  bool any = false;
  for (auto& table : plan.tables)
    for (auto entry : tree.below(table.entry)) below.insert(entry);
  auto& partitions = plan.source->schema.partitions();
  std::set<TableName> concerned;  // as the backup has their names
  for (auto& [child, parent] : partitions) concerned.insert(child);
  std::map<TableName, TableName> targets;
  for (std::size_t i = 0; i < plan.tables.size(); ++i) {
    auto& table = plan.tables[i];
    if (!table.partitioned && !concerned.count({table.backup->schema(), table.backup->name()})) continue;
    const Json definition = plan.definition_of(table);
    if (!definition.is_object() || table.result.action == "skipped") continue;
    Node node;
    node.table = i;
    node.key = string_of(definition, "partition_by");
    if (definition.contains("partition_of")) {
      node.bound = string_of(definition.at("partition_of"), "bound");
      node.parent = {string_of(definition.at("partition_of"), "schema"), string_of(definition.at("partition_of"), "name")};
    }
    targets[{table.backup->schema(), table.backup->name()}] = {table.schema, table.name};
    nodes.emplace(TableName(table.schema, table.name), std::move(node));
    any = true;
  }
  if (!any) return;
  for (auto& [child, parent] : partitions)
    if (targets.count(child) && targets.count(parent)) nodes.at(targets[parent]).children.push_back(targets[child]);
  pg::TextForms forms;
  for (auto& [name, node] : nodes) {
    auto& table = plan.tables[node.table];
    if (below.count(table.entry)) continue;
    if (table.partitioned && table.live && table.live->kind == RELKIND_PARTITIONED_TABLE)
      Layout(plan, nodes, node.table).decide();
    else if (!node.parent.second.empty())
      check_alone(table, node);
  }
  forms.close();
}

Repartitioned* repartitioned_at(RestorePlan& plan, std::size_t table) {
  for (auto& one : plan.repartitioned)
    if (one.root == table) return &one;
  return nullptr;
}

}  // namespace snapback::service
