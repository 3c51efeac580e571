// How the value of each column of a new row comes about. Used by the planner only.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "service/graph/import_plan.hpp"

namespace snapback::service {

class ValueFiller {
 public:
  explicit ValueFiller(ImportPlan& plan) : plan_(plan) {}
  void run();

 private:
  using Where = std::pair<std::size_t, std::vector<std::size_t>>;  // ImportPlan::tables, columns of its document

  const RowIndex& index(const Where& where);
  // Columns of the document's table that hold the target's columns; none when one is not there.
  static std::optional<std::vector<std::size_t>> sources(const ImportPlanTable& table, const std::vector<std::size_t>& columns);
  std::optional<CellAddress> find_row(const std::string& table, const std::vector<std::string>& to, const std::string& id);

  void leave_out_rows();
  bool leave_out_row(std::size_t t, std::size_t row);
  void decide_drawn(ImportPlanTable& table);
  void fill_table(std::size_t t);
  void fill_references(std::size_t t, const TargetReference& reference, std::vector<char>& settled);
  void fill_embedded(std::size_t t, const graph::Reference& reference, std::vector<char>& settled);
  void fill_forced(std::size_t t, std::vector<char>& settled);
  void fill_tracking(std::size_t t, std::vector<char>& settled);
  void fill_context(std::size_t t, std::size_t column, const std::string& member, std::vector<char>& settled);
  void fill_from_document(std::size_t t, std::size_t column);
  void settle_missing(std::size_t t, std::size_t column);
  void set_all(ImportPlanTable& table, std::size_t column, const PlannedValue& value);
  std::optional<PlannedValue> scalar(const graph::Json& value);
  void note_unused_context();

  ImportPlan& plan_;
  std::map<Where, std::unique_ptr<RowIndex>> indexes_;
  std::set<std::string> context_used_;
};

}  // namespace snapback::service
