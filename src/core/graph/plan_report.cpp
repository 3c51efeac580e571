#include "core/graph/plan_report.hpp"

#include "core/digest.hpp"
#include "core/error.hpp"

namespace snapback::graph {

using Json = nlohmann::ordered_json;

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: break;
  }
  return "note";
}

void PlanReport::add(Problem problem) {
  ++counts_[static_cast<std::size_t>(problem.severity)];
  std::string identity = severity_name(problem.severity);
  for (auto* part : {&problem.code, &problem.table, &problem.message, &problem.hint}) identity += '\0' + *part;
  auto [known, is_new] = index_.emplace(std::move(identity), entries_.size());
  if (is_new) entries_.push_back({std::move(problem), 0, {}});
  Entry& entry = entries_[known->second];
  ++entry.count;
  const Problem& latest = is_new ? entry.problem : problem;
  if (entry.examples.size() < shown_examples && !(latest.place.empty() && latest.source_id.empty())) entry.examples.push_back({latest.place, latest.source_id});
}

void PlanReport::error(std::string code, std::string table, std::string place, std::string message, std::string hint, std::string source_id) {
  add({Severity::error, std::move(code), std::move(table), std::move(place), std::move(source_id), std::move(message), std::move(hint)});
}

void PlanReport::warning(std::string code, std::string table, std::string place, std::string message, std::string hint, std::string source_id) {
  add({Severity::warning, std::move(code), std::move(table), std::move(place), std::move(source_id), std::move(message), std::move(hint)});
}

void PlanReport::note(std::string code, std::string table, std::string message, std::string hint) {
  add({Severity::note, std::move(code), std::move(table), {}, {}, std::move(message), std::move(hint)});
}

bool PlanReport::has(const std::string& code) const {
  for (auto& entry : entries_)
    if (entry.problem.code == code) return true;
  return false;
}

Json PlanReport::to_json() const {
  Json list = Json::array();
  for (Severity severity : {Severity::error, Severity::warning, Severity::note})
    for (auto& entry : entries_) {
      const Problem& problem = entry.problem;
      if (problem.severity != severity) continue;
      Json item = {{"severity", severity_name(severity)}, {"code", problem.code}, {"count", entry.count}, {"message", problem.message}};
      if (!problem.table.empty()) item["table"] = problem.table;
      if (!problem.place.empty()) item["place"] = problem.place;
      if (!problem.hint.empty()) item["hint"] = problem.hint;
      if (!entry.examples.empty()) {
        Json& examples = item["examples"] = Json::array();
        for (auto& example : entry.examples) {
          Json one = Json::object();
          if (!example.place.empty()) one["place"] = example.place;
          if (!example.source_id.empty()) one["id"] = example.source_id;
          examples.push_back(std::move(one));
        }
      }
      list.push_back(std::move(item));
    }
  return list;
}

std::string plan_hash(const Json& facts) {
  // nlohmann::json keeps members sorted
  return to_hex(sha256_of(nlohmann::json(facts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

namespace {

[[noreturn]] void no_report() {
  throw error(sqlstate::invalid_parameter_value, "argument \"report\" is not a report", "A report is an object with a list \"problems\".",
              "Pass what course_import() or course_undo() returned: SELECT * FROM course_report(course_import(...)).");
}

std::string member(const Json& item, const char* name) {
  auto it = item.find(name);
  return it != item.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

std::vector<ReportRow> report_rows(const Json& report) {
  if (!report.is_object()) no_report();
  auto problems = report.find("problems");
  if (problems == report.end() || !problems->is_array()) no_report();
  std::vector<ReportRow> rows;
  for (auto& item : *problems) {
    if (!item.is_object()) no_report();
    ReportRow row{member(item, "severity"), member(item, "code"), member(item, "table"), member(item, "place"), member(item, "message"), member(item, "hint"), 1};
    if (auto count = item.find("count"); count != item.end() && count->is_number_integer()) row.count = count->get<long long>();
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace snapback::graph
