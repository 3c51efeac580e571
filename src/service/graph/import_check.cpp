// What would make an INSERT fail: missing rights, values that do not fit their column.
#include <algorithm>
#include <set>

#include "core/backup_id.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/server.hpp"
#include "pg/subtransaction.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::TableClass;
using Kind = PlannedValue::Kind;

namespace {

constexpr std::size_t shown_failures = 100;  // of one column

bool may_use_schema(const std::string& schema) { return *pg::query("SELECT pg_catalog.has_schema_privilege($1, 'USAGE')", {schema})[0][0] == "t"; }

// Characters of UTF-8, blanks at the end left out: those may be cut.
std::size_t characters(const std::string& text) {
  std::size_t end = text.find_last_not_of(' ');
  std::size_t count = 0;
  for (std::size_t i = 0; end != std::string::npos && i <= end; ++i) count += (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

class ValueCheck {
 public:
  ValueCheck(ImportPlan& plan, ImportPlanTable& table) : plan_(plan), table_(table), target_(plan.target_of(table)) {}

  void run() {
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < target_.columns.size(); ++c)
      if (table_.used[c] && collect(c)) columns.push_back(c);
    if (columns.empty()) return;
    pg::RunAs writer(target_.writer(), target_.writer() == GetUserId() ? 0 : SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
    if (converts(columns)) return;
    for (std::size_t c : columns)
      if (!converts({c})) bisect(c, 0, values_[c].size());
  }

 private:
  // The values of a column whose text is the document's. Labels and lengths are looked at here, because the server's words for them name no place.
  bool collect(std::size_t c) {
    auto& column = target_.columns[c];
    std::set<std::string> labels(column.labels.begin(), column.labels.end());
    auto& values = values_[c];
    auto& rows = rows_[c];
    const bool limited = column.type_category == 'S' && column.live->typmod > 4 && column.type_kind == 'b';
    const auto longest = static_cast<std::size_t>(limited ? column.live->typmod - 4 : 0);
    for (std::size_t r = 0; r < table_.rows.size(); ++r) {
      auto& row = table_.rows[r];
      if (row.action != RowAction::create || row.values[c].kind != Kind::text) continue;
      const std::string& text = row.values[c].text;
      if (!labels.empty() && !labels.contains(text)) {
        plan_.report.error("label_unknown", target_.name(), place(r, c), "column \"" + column.live->name + "\" knows no label \"" + printable(text) + "\"",
                           "Its labels are: " + joined(column.labels) + ". Map it in the profile (\"enum_map\").", plan_.source_key(table_, r));
        continue;
      }
      if (limited && text.size() > longest && characters(text) > longest) {
        plan_.report.error("value_too_long", target_.name(), place(r, c), "a value is longer than the " + std::to_string(longest) + " characters of column \"" + column.live->name + "\"", "Shorten it, or widen the column.",
                           plan_.source_key(table_, r));
        continue;
      }
      values.push_back(text);
      rows.push_back(r);
    }
    // every text is a text
    const bool free = column.type_category == 'S' && column.type_kind == 'b' && column.bare_type != "\"char\"" && column.bare_type != "name";
    return !values.empty() && !free && !column.is_enum;
  }

  std::string place(std::size_t row, std::size_t column) const { return table_.document->place(row, target_.columns[column].logical); }

  bool converts(const std::vector<std::size_t>& columns) {
    std::string list;
    std::vector<const pg::Column*> parameters;
    for (std::size_t c : columns) {
      parameters.push_back(&values_[c]);
      list += (list.empty() ? "" : ", ") + std::string("pg_catalog.count(") + typed_parameter(target_.columns[c], parameters.size()) + ")";
    }
    return !pg::in_subtransaction([&] { (void)pg::query_columns("SELECT " + list + " FROM " + parameter_rows(columns.size()), parameters); },
                                  [](const std::string& state) { return pg::is_data_error(state); });
  }

  // Halves the values until those that do not convert are found one by one.
  void bisect(std::size_t c, std::size_t begin, std::size_t end) {
    if (failures_[c] >= shown_failures) return;
    auto& column = target_.columns[c];
    pg::Column part(values_[c].begin() + static_cast<std::ptrdiff_t>(begin), values_[c].begin() + static_cast<std::ptrdiff_t>(end));
    auto failure = pg::in_subtransaction([&] { (void)pg::query_columns("SELECT pg_catalog.count(" + typed_parameter(column, 1) + ") FROM " + parameter_rows(1), {&part}); },
                                         [](const std::string& state) { return pg::is_data_error(state); });
    if (!failure) return;
    if (end - begin > 1) {
      const std::size_t middle = begin + (end - begin) / 2;
      bisect(c, begin, middle);
      bisect(c, middle, end);
      return;
    }
    ++failures_[c];
    const std::size_t r = rows_[c][begin];
    if (failure->sqlstate.compare(0, 2, "23") == 0)
      plan_.report.error("check_failed", target_.name(), place(r, c), "a value breaks a check of the type " + column.live->type_name + " of column \"" + column.live->name + "\"", "Correct the value in the document or in its source.",
                         plan_.source_key(table_, r));
    else
      plan_.report.error("value_invalid", target_.name(), place(r, c), "a value does not fit the type " + column.live->type_name + " of column \"" + column.live->name + "\"", "Correct the value in the document or in its source.",
                         plan_.source_key(table_, r));
  }

  ImportPlan& plan_;
  ImportPlanTable& table_;
  const TargetTable& target_;
  std::map<std::size_t, pg::Column> values_;
  std::map<std::size_t, std::vector<std::size_t>> rows_;
  std::map<std::size_t, std::size_t> failures_;
};

}  // namespace

void check_rights(ImportPlan& plan) {
  std::set<std::string> schemas;
  for (auto& table : plan.tables) {
    auto& target = plan.target_of(table);
    if (table.rows.empty()) continue;
    std::string role = pg::quote_identifier(pg::role_name(GetUserId()));
    if (!may_use_schema(target.live.schema) && schemas.insert(target.live.schema).second)
      plan.report.error("permission_missing", target.name(), "", "permission denied for schema \"" + target.live.schema + "\"",
                        "Ask its owner: GRANT USAGE ON SCHEMA " + pg::quote_identifier(target.live.schema) + " TO " + role + ".");
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < target.columns.size(); ++c)
      if (table.source[c]) columns.push_back(c);
    auto missing = [&](const char* privilege, const char* action) {
      plan.report.error("permission_missing", target.name(), "", std::string("permission denied to ") + action + " table \"" + target.live.name + "\"",
                        std::string("Ask its owner: GRANT ") + privilege + " ON " + target.sql_name() + " TO " + role + ".");
    };
    if (!may(target, ACL_INSERT, columns)) missing("INSERT", "insert into");
    auto table_class = target.profile->table_class;
    if ((table_class == TableClass::ref || table_class == TableClass::bank) && !may(target, ACL_SELECT, referenced_columns(plan.target, table.target))) missing("SELECT", "look for shared rows in");
    for (auto& sequence : target.live.sequences) {
      Oid oid = sequence.oid, user = GetUserId();
      if (sequence.identity || pg::call([&] { return pg_class_aclcheck(oid, user, ACL_USAGE) == ACLCHECK_OK || pg_class_aclcheck(oid, user, ACL_UPDATE) == ACLCHECK_OK; })) continue;
      plan.report.error("permission_missing", target.name(), "", "permission denied for sequence \"" + sequence.name + "\"",
                        "Ask its owner: GRANT USAGE ON SEQUENCE " + pg::qualified(sequence.schema, sequence.name) + " TO " + role + ".");
    }
  }
}

void check_values(ImportPlan& plan) {
  for (auto& table : plan.tables) {
    auto& target = plan.target_of(table);
    ValueCheck(plan, table).run();
    for (std::size_t c = 0; c < target.columns.size(); ++c) {
      auto& column = target.columns[c];
      auto generator = target.profile->id;
      if (!table.drawn[c] || column.has_default() || column.bare_type == "uuid" || column.type_category == 'S') continue;
      if (generator != graph::IdGenerator::automatic && generator != graph::IdGenerator::column_default && generator != graph::IdGenerator::sequence) continue;
      if (std::any_of(table.rows.begin(), table.rows.end(), [](auto& row) { return row.action == RowAction::create; }))
        plan.report.error("no_generator", target.name(), "", "nothing makes new values for the key column \"" + column.live->name + "\"", "Give it a default, or say in the profile where its values come from (\"id\").");
    }
  }
}

}  // namespace snapback::service
