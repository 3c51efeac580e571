// Values that the profile, the import itself and the caller set: forced and reset columns, tracking, context.
#include <algorithm>

#include "core/backup_id.hpp"
#include "service/graph/import_values.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::TableClass;
using Kind = PlannedValue::Kind;

void ValueFiller::fill_forced(std::size_t t, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  bool forced = false;
  auto apply = [&](const graph::ColumnValue& entry, bool force) {
    auto column = target.column(entry.column);
    if (!column || settled[*column]) return;
    auto& described = target.columns[*column];
    auto value = scalar(entry.value);
    bool fits = entry.value.is_null() || (entry.value.is_boolean() && described.type_category == 'B') || (entry.value.is_number() && described.type_category == 'N') ||
                (entry.value.is_string() && described.type_category != 'B' && described.type_category != 'N');
    if (!value || !fits) {
      plan_.report.warning(force ? "force_unfit" : "reset_unfit", target.name(), "", "the value that the profile sets for column \"" + described.live->name + "\" does not fit its type; it is copied",
                           "Correct the profile.");
      return;
    }
    if (entry.value.is_null() && described.live->not_null) {
      if (!described.has_default()) return;
      settled[*column] = 1;  // unset in every row: it gets its default
      return;
    }
    if (value->kind == Kind::text && !described.labels.empty()) {
      auto label = std::find_if(described.labels.begin(), described.labels.end(), [&](auto& l) { return same_but_case(l, value->text); });
      if (label == described.labels.end()) {
        plan_.report.error("label_missing", target.name(), "", "column \"" + described.live->name + "\" knows no label \"" + value->text + "\", which the profile sets",
                           "Its labels are: " + joined(described.labels) + ". Set one of them in the profile (\"force\").");
        return;
      }
      value->text = *label;
    }
    set_all(table, *column, *value);
    settled[*column] = 1;
    forced = forced || force;
  };
  for (auto& entry : target.profile->force) apply(entry, true);
  for (auto& entry : target.profile->reset) apply(entry, false);
  if (target.profile->table_class == TableClass::root && !target.profile->force.empty() && !forced)
    plan_.report.warning("no_status", target.name(), "", "table \"" + target.name() + "\" has no column that marks the copy as a draft", "The copy is as visible as the original was. Tell the profile which column it is (\"force\").");
}

void ValueFiller::fill_tracking(std::size_t t, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  if (auto column = target.column("external_id"); column && !settled[*column]) {
    settled[*column] = 1;
    if (target.columns[*column].type_category == 'S') {
      std::string system = source_system(plan_.document);
      for (std::size_t r = 0; r < table.rows.size(); ++r) {
        auto& value = table.rows[r].values[*column];
        value.kind = Kind::text;
        value.text = system + "/" + target.name() + "/" + plan_.source_key(table, r);
      }
    } else {
      plan_.report.warning("external_id_type", target.name(), "", "column \"" + target.columns[*column].live->name + "\" is no text and stays empty", "The import's own tables know where each row came from.");
    }
  }
  if (auto column = target.column("import_batch_id"); column && !settled[*column]) {
    settled[*column] = 1;
    PlannedValue value;
    if (target.columns[*column].bare_type == "uuid" || target.columns[*column].type_category == 'S')
      value.kind = Kind::batch;
    else
      plan_.report.warning("batch_id_type", target.name(), "", "column \"" + target.columns[*column].live->name + "\" is neither uuid nor text and stays empty", "The import's own tables know which rows it made.");
    set_all(table, *column, value);
  }
}

void ValueFiller::fill_context(std::size_t t, std::size_t column, const std::string& member, std::vector<char>& settled) {
  auto& table = plan_.tables[t];
  auto& target = plan_.target_of(table);
  auto& described = target.columns[column];
  settled[column] = 1;
  const graph::Json& context = plan_.request->context;
  auto found = context.is_object() ? context.find(member) : context.end();
  if (context.is_object() && found != context.end()) {
    context_used_.insert(member);
    if (auto value = scalar(*found)) {
      if (value->kind == Kind::text || !described.live->not_null) {
        set_all(table, column, *value);
        return;
      }
    } else {
      plan_.report.error("context_invalid", target.name(), "", "member \"" + printable(member) + "\" of argument \"context\" is neither text nor number", "Pass one value: context => '{\"" + printable(member) + "\": \"...\"}'.");
      return;
    }
  }
  if (described.required())
    plan_.report.error("context_missing", target.name(), "", "column \"" + described.live->name + "\" takes its value from \"" + member + "\" of argument \"context\", which is not there",
                       "Pass it: context => '{\"" + member + "\": \"...\"}'.");
  else if (!described.has_default())
    plan_.report.note("context_empty", target.name(), "column \"" + described.live->name + "\" stays empty: \"" + member + "\" of argument \"context\" is not there");
}

void ValueFiller::note_unused_context() {
  if (!plan_.request->context.is_object()) return;
  for (auto& [member, value] : plan_.request->context.items())
    if (!context_used_.contains(member))
      plan_.report.warning("context_unused", "", "", "member \"" + printable(member) + "\" of argument \"context\" is used by no column", "The profile names the members that columns take their values from (\"context\").");
}

}  // namespace snapback::service
