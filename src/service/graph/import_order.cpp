// Which tables go first. Tables that point at each other in a circle go in together.
#include <algorithm>
#include <functional>
#include <set>

#include "service/graph/import_plan.hpp"

namespace snapback::service {

void find_order(ImportPlan& plan) {
  const std::size_t count = plan.tables.size();
  // edges from a table to those its new rows point at
  std::vector<std::set<std::size_t>> needs(count);
  for (std::size_t t = 0; t < count; ++t) {
    auto& table = plan.tables[t];
    auto& target = plan.target_of(table);
    std::vector<char> constrained(target.columns.size(), 0);
    for (auto& reference : target.references)
      for (std::size_t column : reference.columns) constrained[column] = 1;
    for (auto& row : table.rows) {
      if (row.action != RowAction::create) continue;
      for (std::size_t c = 0; c < row.values.size(); ++c) {
        auto& value = row.values[c];
        if (value.kind != PlannedValue::Kind::reference || !constrained[c] || value.cell.table == t) continue;
        if (plan.tables[value.cell.table].rows[value.cell.row].action == RowAction::create) needs[t].insert(value.cell.table);
      }
    }
  }
  // Tarjan's strongly connected components come out in the order in which they can be inserted
  std::vector<int> index(count, -1), low(count, 0);
  std::vector<char> waiting(count, 0);
  std::vector<std::size_t> stack;
  int next = 0;
  std::function<void(std::size_t)> visit = [&](std::size_t t) {
    index[t] = low[t] = next++;
    stack.push_back(t);
    waiting[t] = 1;
    for (std::size_t other : needs[t]) {
      if (index[other] < 0) {
        visit(other);
        low[t] = std::min(low[t], low[other]);
      } else if (waiting[other]) {
        low[t] = std::min(low[t], index[other]);
      }
    }
    if (low[t] != index[t]) return;
    std::vector<std::size_t> group;
    for (std::size_t member = count; member != t;) {
      member = stack.back();
      stack.pop_back();
      waiting[member] = 0;
      group.push_back(member);
    }
    std::sort(group.begin(), group.end());
    plan.order.push_back(std::move(group));
  };
  for (std::size_t t = 0; t < count; ++t)
    if (index[t] < 0) visit(t);
}

}  // namespace snapback::service
