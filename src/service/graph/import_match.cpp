// Shared rows (class ref): which of them are here already.
#include <algorithm>
#include <map>

#include "core/backup_id.hpp"
#include "pg/subtransaction.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::MissingPolicy;
using graph::TableClass;
using Kind = PlannedValue::Kind;

namespace {

constexpr std::size_t shown_matches = 1000, shown_candidates = 5;

class Matcher {
 public:
  Matcher(ImportPlan& plan, ImportPlanTable& table) : plan_(plan), table_(table), target_(plan.target_of(table)) {}

  void run() {
    if (table_.rows.empty()) return;
    wanted_ = referenced_columns(plan_.target, table_.target);
    apply_mapping();
    natural_key();
    if (!key_.empty() && may(target_, ACL_SELECT, readable())) look_up();
    for (std::size_t r = 0; r < table_.rows.size(); ++r)
      if (!settled_.contains(r) && target_.profile->missing != MissingPolicy::create) table_.rows[r].action = RowAction::skip;
  }

 private:
  std::vector<std::size_t> readable() const {
    std::vector<std::size_t> columns = wanted_;
    columns.insert(columns.end(), key_.begin(), key_.end());
    return columns;
  }

  std::string wanted_list() const {
    std::string list;
    for (std::size_t column : wanted_) list += ", t." + pg::quote_identifier(target_.columns[column].live->name) + "::text";
    return list;
  }

  void reuse(std::size_t row, const pg::Row& found, std::size_t offset) {
    auto& planned = table_.rows[row];
    planned.action = RowAction::reuse;
    for (std::size_t i = 0; i < wanted_.size(); ++i)
      if (found[offset + i]) planned.values[wanted_[i]] = {Kind::text, {}, *found[offset + i]};
    settled_.emplace(row, true);
    if (plan_.matches.size() < shown_matches) plan_.matches.push_back({{"table", target_.name()}, {"id", plan_.source_key(table_, row)}, {"key", key_text(found, offset)}});
  }

  std::string key_text(const pg::Row& found, std::size_t offset) const {
    std::string text;
    for (std::size_t column : target_.key) {
      auto at = static_cast<std::size_t>(std::find(wanted_.begin(), wanted_.end(), column) - wanted_.begin());
      text += (text.empty() ? "" : ",") + found[offset + at].value_or("");
    }
    return text;
  }

  // What the caller says outright.
  void apply_mapping() {
    const graph::Json& mapping = plan_.request->mapping;
    if (!mapping.is_object() || !mapping.contains(target_.name()) || !mapping[target_.name()].is_object()) return;
    const graph::Json& entries = mapping[target_.name()];
    std::map<std::string, std::size_t> rows;
    for (std::size_t r = 0; r < table_.rows.size(); ++r) rows.emplace(plan_.source_key(table_, r), r);
    for (auto& [id, value] : entries.items()) {
      auto row = rows.find(id);
      std::string wanted = value.is_string() ? value.get<std::string>() : value.dump();
      if (row == rows.end()) {
        plan_.report.error("mapping_unknown", target_.name(), "mapping." + target_.name() + "." + printable(id), "argument \"mapping\" names a row that is not in the document", "Its keys are the ids of the document.");
        continue;
      }
      settled_.emplace(row->second, false);
      std::vector<pg::Row> found;
      if (target_.key.size() == 1 && may(target_, ACL_SELECT, wanted_)) {
        pg::Column keys{wanted};
        found = pg::query_columns("SELECT r.n" + wanted_list() + " FROM " + parameter_rows(1) + " JOIN " + target_.sql_name() + " AS t ON t." +
                                      pg::quote_identifier(target_.columns[target_.key[0]].live->name) + "::text OPERATOR(pg_catalog.=) r.c1",
                                  {&keys});
      }
      if (found.empty()) {
        plan_.report.error("mapping_invalid", target_.name(), "mapping." + target_.name() + "." + printable(id), "argument \"mapping\" names a row that does not exist in table \"" + target_.name() + "\" or may not be read",
                           "Its values are keys of rows that are here.", id);
        table_.rows[row->second].action = RowAction::skip;
        continue;
      }
      reuse(row->second, found[0], 1);
    }
  }

  void natural_key() {
    for (auto& candidate : target_.profile->natural_key) {
      key_.clear();
      for (auto& name : candidate)
        if (auto column = target_.column(name); column && table_.source[*column]) key_.push_back(*column);
      if (key_.size() == candidate.size()) return;
    }
    key_.clear();
    if (target_.profile->missing != MissingPolicy::create)
      plan_.report.warning("no_natural_key", target_.name(), "", "rows of table \"" + target_.name() + "\" cannot be looked for: no natural key of the profile exists both here and in the document",
                           "Name one in the profile (\"natural_key\"), or use the argument \"mapping\".");
  }

  void look_up() {
    std::vector<pg::Column> values(key_.size());
    std::vector<std::size_t> rows;
    for (std::size_t r = 0; r < table_.rows.size(); ++r) {
      if (settled_.contains(r)) continue;
      std::vector<pg::Cell> cells;
      for (std::size_t column : key_) {
        auto& document_row = table_.document->rows[r];
        std::size_t at = *table_.source[column];
        cells.push_back(at < document_row.size() ? cell_text(document_row[at], target_.columns[column]) : pg::Cell());
      }
      if (std::any_of(cells.begin(), cells.end(), [](auto& cell) { return !cell; })) continue;
      rows.push_back(r);
      for (std::size_t i = 0; i < cells.size(); ++i) values[i].push_back(std::move(cells[i]));
    }
    if (rows.empty()) return;
    std::string near = "true", exact = "true";
    std::vector<const pg::Column*> parameters;
    for (std::size_t i = 0; i < key_.size(); ++i) {
      auto& column = target_.columns[key_[i]];
      std::string here = "t." + pg::quote_identifier(column.live->name) + "::text", there = "r.c" + std::to_string(i + 1);
      if (column.type_category != 'S' && column.type_category != 'E') there = "(" + there + "::" + column.live->type_name + ")::text";
      exact += " AND " + here + " OPERATOR(pg_catalog.=) " + there;
      near += " AND pg_catalog.lower(pg_catalog.regexp_replace(" + here + ", '\\s', '', 'g')) OPERATOR(pg_catalog.=) pg_catalog.lower(pg_catalog.regexp_replace(" + there + ", '\\s', '', 'g'))";
      parameters.push_back(&values[i]);
    }
    std::vector<pg::Row> found;
    auto failure = pg::in_subtransaction(
        [&] {
          found = pg::query_columns("SELECT r.n, (" + exact + ")" + wanted_list() + " FROM " + parameter_rows(key_.size()) + " JOIN " + target_.sql_name() + " AS t ON " + near + " ORDER BY 1, 2 DESC, 3", parameters);
        },
        pg::is_data_error);
    if (failure) return;  // check_values() says which values do not fit
    std::map<std::size_t, std::vector<const pg::Row*>> exact_rows, near_rows;
    for (auto& row : found) (*row[1] == "t" ? exact_rows : near_rows)[rows[std::stoul(*row[0]) - 1]].push_back(&row);
    for (std::size_t r : rows) {
      auto& equal = exact_rows[r];
      auto place = [&] { return table_.document->place(r, target_.columns[key_[0]].logical); };
      if (equal.size() == 1) {
        reuse(r, *equal[0], 2);
      } else if (!equal.empty()) {
        settled_.emplace(r, false);
        plan_.report.error("match_ambiguous", target_.name(), place(), "several rows of table \"" + target_.name() + "\" have the natural key of a row of the document",
                           "Say which is meant: mapping => '{\"" + target_.name() + "\": {\"<id>\": \"<key here>\"}}'. Candidates: " + candidates(equal) + ".", plan_.source_key(table_, r));
      } else if (!near_rows[r].empty()) {
        plan_.report.warning("near_match", target_.name(), place(), "a row of table \"" + target_.name() + "\" differs from one of the document in case or spaces only; it is not taken for the same",
                             "If it is the same: mapping => '{\"" + target_.name() + "\": {\"<id>\": \"<key here>\"}}'. Candidates: " + candidates(near_rows[r]) + ".", plan_.source_key(table_, r));
      }
    }
  }

  std::string candidates(const std::vector<const pg::Row*>& rows) const {
    std::vector<std::string> keys;
    for (auto* row : rows) {
      if (keys.size() == shown_candidates) {
        keys.push_back("...");
        break;
      }
      keys.push_back(key_text(*row, 2));
    }
    return joined(keys);
  }

  ImportPlan& plan_;
  ImportPlanTable& table_;
  const TargetTable& target_;
  std::vector<std::size_t> wanted_;   // columns to know of a row that is reused
  std::vector<std::size_t> key_;      // the natural key
  std::map<std::size_t, bool> settled_;
};

}  // namespace

void match_shared(ImportPlan& plan) {
  for (auto& table : plan.tables)
    if (plan.target_of(table).profile->table_class == TableClass::ref) Matcher(plan, table).run();
  if (!plan.request->mapping.is_object()) return;
  for (auto& [name, entries] : plan.request->mapping.items()) {
    auto* target = plan.target.table(name);
    if (target == nullptr || target->profile->table_class != TableClass::ref || !entries.is_object())
      plan.report.error("mapping_unknown", printable(name), "mapping." + printable(name), "argument \"mapping\" names \"" + printable(name) + "\", which is no shared table of the profile",
                        "It has the form {\"competencies\": {\"<id in the document>\": \"<key here>\"}}.");
  }
}

}  // namespace snapback::service
