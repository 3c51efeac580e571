// What an import found out about a document: problems with stable codes, equal ones folded, and the hash by which a plan is recognised.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace snapback::graph {

enum class Severity : unsigned char { error, warning, note };

const char* severity_name(Severity severity);

// One problem. `code` is stable and stands in docs/course.md; `place` says where in the document (tables[2].rows[17].title), `source_id` which row it was where it came from;
// `message` and `hint` name tables and columns and hold nothing that differs from row to row.
struct Problem {
  Severity severity = Severity::error;
  std::string code, table, place, source_id, message, hint;
};

class PlanReport {
 public:
  // Problems equal in everything but place and source id are one entry with a count and the first few places.
  void add(Problem problem);
  void error(std::string code, std::string table, std::string place, std::string message, std::string hint = {}, std::string source_id = {});
  void warning(std::string code, std::string table, std::string place, std::string message, std::string hint = {}, std::string source_id = {});
  void note(std::string code, std::string table, std::string message, std::string hint = {});

  // Occurrences, folded ones counted each.
  std::size_t errors() const { return counts_[0]; }
  std::size_t warnings() const { return counts_[1]; }
  bool has(const std::string& code) const;

  // Errors first, then warnings, then notes, each in the order found:
  // [{"severity":…,"code":…,"table":…,"count":…,"place":…,"examples":[{"place":…,"id":…}],"message":…,"hint":…}]
  nlohmann::ordered_json to_json() const;

  static constexpr std::size_t shown_examples = 5;

 private:
  struct Example {
    std::string place, source_id;
  };
  struct Entry {
    Problem problem;
    std::size_t count = 0;
    std::vector<Example> examples;
  };
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
  std::size_t counts_[3] = {0, 0, 0};
};

// 64 hex digits over everything a plan rests on. Equal values give equal hashes, whatever the order of an object's members.
std::string plan_hash(const nlohmann::ordered_json& facts);

struct ReportRow {
  std::string severity, code, table, place, message, hint;
  long long count = 0;
};

// The rows of course_report(): problems of a report that came back from outside. Raises 22023 when it is no report.
std::vector<ReportRow> report_rows(const nlohmann::ordered_json& report);

}  // namespace snapback::graph
