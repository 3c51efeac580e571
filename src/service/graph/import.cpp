#include "service/graph/import.hpp"

#include <algorithm>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/bulk.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/server.hpp"
#include "pg/subtransaction.hpp"
#include "pg/text_forms.hpp"
#include "service/graph/batches.hpp"
#include "service/graph/import_apply.hpp"
#include "service/graph/profiles.hpp"

namespace snapback::service {

using graph::Json;

namespace {

// Everything that the outcome of the import rests on.
std::string hash_of(const ImportPlan& plan) {
  const ImportRequest& request = *plan.request;
  Json tables = Json::array();
  for (auto& table : plan.tables) {
    auto& target = plan.target_of(table);
    Json columns = Json::array();
    for (auto& column : target.columns)
      columns.push_back({column.live->name, column.live->type_name, column.live->not_null, column.live->default_expression, std::string(1, column.live->identity), column.labels});
    Json constraints = Json::array();
    for (auto& constraint : target.live.constraints) constraints.push_back(constraint.definition);
    tables.push_back({target.live.schema, target.live.name, columns, constraints, target.triggers, table.created, table.reused, table.skipped});
  }
  return graph::plan_hash({{"document", plan.document.digest}, {"profile", graph::profile_to_json(plan.target.profile)}, {"tables", tables}, {"matches", plan.matches}, {"problems", plan.report.to_json()},
                           {"mapping", request.mapping}, {"context", request.context}});
}

Json describe(const ImportPlan& plan) {
  Json counts = Json::object(), triggers = Json::object();
  for (auto& table : plan.tables) {
    auto& target = plan.target_of(table);
    counts[target.name()] = {{"create", table.created}, {"reuse", table.reused}, {"skip", table.skipped}};
    if (table.created > 0 && !target.triggers.empty()) triggers[target.name()] = target.triggers;
  }
  Json excluded = Json::object(), filtered = Json::object();
  if (plan.document.report.is_object()) {
    if (plan.document.report.contains("excluded")) excluded = plan.document.report["excluded"];
    if (plan.document.report.contains("filtered")) filtered = plan.document.report["filtered"];
  }
  return {{"row_counts", counts},
          {"excluded", excluded},
          {"filtered", filtered},
          {"triggers", triggers},
          {"matches", plan.matches},
          {"ids_left", {{"searched", plan.old_ids}, {"found", plan.ids_left}, {"summary", std::to_string(plan.ids_left) + " of " + std::to_string(plan.old_ids)}, {"places", plan.places_left}}}};
}

// For the DETAIL of an error: one line a problem.
std::string problem_lines(const Json& problems) {
  std::string lines;
  for (auto& problem : problems) {
    if (problem["severity"] != "error") break;
    lines += (lines.empty() ? "" : "\n") + problem["code"].get<std::string>();
    if (problem["count"].get<std::size_t>() > 1) lines += " (" + std::to_string(problem["count"].get<std::size_t>()) + " times)";
    if (problem.contains("place")) lines += " at " + problem["place"].get<std::string>();
    lines += ": " + problem["message"].get<std::string>();
  }
  return lines;
}

std::string codes(const Json& problems) {
  std::string list;
  for (auto& problem : problems)
    if (problem["severity"] == "error") list += (list.empty() ? "" : ", ") + problem["code"].get<std::string>();
  return list;
}

[[noreturn]] void refuse(const ImportPlan& plan) {
  Json problems = plan.report.to_json();
  bool rights_only = true;
  for (auto& problem : problems) rights_only = rights_only && (problem["severity"] != "error" || problem["code"] == "permission_missing");
  std::size_t count = plan.report.errors();
  throw snapback::error(rights_only ? sqlstate::insufficient_privilege : sqlstate::invalid_parameter_value, "the import is refused: its plan has " + std::to_string(count) + (count == 1 ? " error" : " errors"), problem_lines(problems),
                        "A dry run returns the whole report: SELECT * FROM course_report(course_import(...)).")
      .log_detail("Codes: " + codes(problems) + ".");
}

void check_request(const ImportRequest& request) {
  if (request.on_repeat != "copy" && request.on_repeat != "skip" && request.on_repeat != "error")
    throw snapback::error(sqlstate::invalid_parameter_value, "argument \"on_repeat\" must be copy, skip or error, not \"" + printable(request.on_repeat) + "\"");
  auto check_object = [](const Json& value, const char* name, const char* example) {
    if (!value.is_null() && !value.is_object())
      throw snapback::error(sqlstate::invalid_parameter_value, std::string("argument \"") + name + "\" must be a JSON object", "", std::string("For example: ") + name + " => '" + example + "'.");
  };
  check_object(request.mapping, "mapping", R"({"competencies": {"12": "340"}})");
  check_object(request.context, "context", R"({"tenant_id": "7"})");
  if (request.rehearse && !request.dry_run)
    throw snapback::error(sqlstate::invalid_parameter_value, "argument \"rehearse\" is for a dry run", "", "Leave dry_run out to rehearse, or leave rehearse out to apply.");
}

class Import {
 public:
  explicit Import(const ImportRequest& request) : request_(request) {}

  Json run() {
    check_request(request_);
    if (!request_.dry_run || request_.rehearse) pg::refuse_read_only(request_.profile == "course" ? "course_import" : "graph_import", false);
    pg::CallerForms forms;
    Json result = steps();
    forms.close();
    return result;
  }

 private:
  Json steps() {
    graph::Profile profile = load_profile(request_.profile);
    pg::ServerInterrupts interrupts;
    graph::PlanReport report;
    graph::Document document = graph::read_document(request_.document, graph::DocumentLimits(), report, interrupts);
    // the second of two at once sees what the first made, and takes other unique values
    if (!request_.dry_run) lock_document(document.digest);
    auto earlier = earlier_batch(profile.name, document.digest);
    if (earlier) note_repeat(report, *earlier);
    Target target = find_target(profile);
    if (!request_.dry_run || request_.rehearse) {
      lock_target(target);
      target = find_target(std::move(profile));
    }
    ImportPlan plan = make_plan(request_, std::move(target), std::move(document), std::move(report));
    const std::string hash = hash_of(plan);
    if (request_.expect_plan && *request_.expect_plan != hash)
      throw snapback::error(sqlstate::object_not_in_prerequisite_state, "the plan is not the expected one any more", "Since the preview the document, the profile, the tables or the rows they share have changed.",
                            "Preview again, and pass the new plan_hash.");
    bool skipped = earlier && request_.on_repeat == "skip";
    Json evidence;
    std::string batch;
    bool applied = false, rehearsed = false;
    if (!request_.dry_run && !skipped) {
      if (plan.report.errors() > 0) refuse(plan);
      Imported imported = apply_plan(plan);
      record_batch(plan, imported, hash);
      pg::fault_point("import.recorded");
      batch = imported.batch;
      evidence = evidence_of(imported, plan);
      applied = true;
    } else if (request_.rehearse && !skipped && plan.report.errors() == 0) {
      evidence = rehearse(plan);
      rehearsed = true;
    }
    Json result = {{"applied", applied}, {"profile", request_.profile}};
    if (applied) {
      result["batch_id"] = batch;
      result["root_key"] = evidence["root_key"];
      evidence.erase("root_key");
    }
    if (skipped) result["skipped_for"] = earlier->batch;
    result["rehearsed"] = rehearsed;
    result["error_count"] = plan.report.errors();
    result["warning_count"] = plan.report.warnings();
    result["problems"] = plan.report.to_json();
    result.update(describe(plan));
    if (!evidence.is_null()) result["evidence"] = evidence;
    result["plan_hash"] = hash;
    return result;
  }

  void note_repeat(graph::PlanReport& report, const EarlierBatch& earlier) {
    std::string message = "this document was imported before, as batch " + earlier.batch;
    if (request_.on_repeat == "error")
      report.error("repeated", "", "", message, "Undo that import, or import once more with on_repeat => 'copy'.");
    else
      report.warning("repeated", "", "", message, request_.on_repeat == "skip" ? "Nothing is imported." : "This makes another copy. With on_repeat => 'skip' or 'error' it does not.");
  }

  static Json evidence_of(const Imported& imported, const ImportPlan& plan) {
    std::string root_key;
    for (auto& part : imported.root_key) root_key += (root_key.empty() ? "" : ",") + part.value_or("");
    return {{"root_key", root_key},
            {"rows_written", imported.rows_written},
            {"rows_read_back", imported.rows_found},
            {"values_changed", imported.values_changed},
            {"old_ids_left", std::to_string(plan.ids_left) + " of " + std::to_string(plan.old_ids)}};
  }

  // The real thing, rolled back.
  static Json rehearse(ImportPlan& plan) {
    Json evidence;
    auto failure = pg::in_subtransaction(
        [&] {
          Imported imported = apply_plan(plan);
          evidence = evidence_of(imported, plan);
          evidence.erase("root_key");
        },
        [](const std::string&) { return true; }, false);
    if (failure) {
      evidence = nullptr;
      plan.report.error("rehearsal_failed", "", "", "the import would fail: " + failure->message + " (SQLSTATE " + failure->sqlstate + ")", "Correct what stands against it, and rehearse again.");
    }
    return evidence;
  }

  const ImportRequest& request_;
};

}  // namespace

Json import_document(const ImportRequest& request) { return Import(request).run(); }

}  // namespace snapback::service
