// Unique values that are taken, here or twice in the document.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/backup_id.hpp"
#include "pg/call.hpp"
#include "pg/subtransaction.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::UniquePolicy;
using Kind = PlannedValue::Kind;

namespace {

std::string random_code(std::size_t length) {
  static constexpr char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
  std::string bytes(length, '\0');
  if (!pg::call([&] { return pg_strong_random(bytes.data(), bytes.size()); })) throw snapback::error(sqlstate::internal_error, "no random numbers are to be had");  // GCOVR_EXCL_LINE the system has randomness
  for (char& c : bytes) c = letters[static_cast<unsigned char>(c) % (sizeof(letters) - 1)];
  return bytes;
}

class UniqueCheck {
 public:
  UniqueCheck(ImportPlan& plan, ImportPlanTable& table, const UniqueKey& key) : plan_(plan), table_(table), target_(plan.target_of(table)), key_(key) {}

  void run() {
    for (std::size_t column : key_.columns)
      if (target_.columns[column].generated()) return;
    collect();
    if (rows_.empty()) return;
    if (!may(target_, ACL_SELECT, key_.columns)) {
      plan_.report.note("unique_unchecked", target_.name(), "values of the unique key \"" + key_.name + "\" are not compared with those that are here: the table may not be read", "A taken value makes the import fail as a whole.");
      return;
    }
    const auto policy = find_policy();
    // a new value may be taken as well
    for (int attempt = 2; attempt < 1000; ++attempt) {
      auto taken = find_taken();
      if (taken.empty()) return;
      if (!policy) {
        for (auto& [at, here] : taken) refuse(rows_[at], here);
        return;
      }
      for (auto& [at, here] : taken)
        if (!change(rows_[at], *policy, attempt)) return;
      collect();
    }
  }

 private:
  struct Policy {
    std::size_t column;
    UniquePolicy policy;
  };

  // A column of the key with a policy of its own; ids of the import's origin get a suffix, for the same document may come twice.
  std::optional<Policy> find_policy() const {
    for (std::size_t column : key_.columns) {
      auto& described = target_.columns[column];
      for (auto& [logical, policy] : target_.profile->unique)
        if (logical == described.logical) return policy == UniquePolicy::error ? std::nullopt : std::optional(Policy{column, policy});
      if (described.logical == "external_id" && described.type_category == 'S') return Policy{column, UniquePolicy::suffix};
    }
    return std::nullopt;
  }

  // Rows whose values are known before ids are drawn: only they can meet others.
  void collect() {
    rows_.clear();
    values_.assign(key_.columns.size(), {});
    for (std::size_t r = 0; r < table_.rows.size(); ++r) {
      if (table_.rows[r].action != RowAction::create) continue;
      std::vector<std::string> texts;
      for (std::size_t column : key_.columns) {
        auto text = plan_.known_text(table_.rows[r].values[column]);
        if (!text) break;
        texts.push_back(std::move(*text));
      }
      if (texts.size() != key_.columns.size()) continue;
      rows_.push_back(r);
      for (std::size_t i = 0; i < texts.size(); ++i) values_[i].emplace_back(std::move(texts[i]));
    }
  }

  // Position in rows_, and the key of the row that is here; empty: an earlier row of the document.
  std::vector<std::pair<std::size_t, std::string>> find_taken() {
    std::vector<std::pair<std::size_t, std::string>> taken;
    std::string equal = "true", key = "''", own;
    std::vector<const pg::Column*> parameters;
    for (std::size_t i = 0; i < key_.columns.size(); ++i) {
      auto& column = target_.columns[key_.columns[i]];
      std::string value = "(" + typed_parameter(column, i + 1) + ")::text";
      equal += " AND t." + pg::quote_identifier(column.live->name) + "::text OPERATOR(pg_catalog.=) " + value;
      own += (own.empty() ? "" : ", ") + value;
      parameters.push_back(&values_[i]);
    }
    if (may(target_, ACL_SELECT, target_.key))
      for (std::size_t column : target_.key) key += " OPERATOR(pg_catalog.||) t." + pg::quote_identifier(target_.columns[column].live->name) + "::text OPERATOR(pg_catalog.||) ' '";
    std::vector<pg::Row> found, within;
    auto failure = pg::in_subtransaction(
        [&] {
          found = pg::query_columns("SELECT r.n, pg_catalog.min(" + key + ") FROM " + parameter_rows(values_.size()) + " JOIN " + target_.sql_name() + " AS t ON " + equal + " GROUP BY r.n ORDER BY r.n", parameters);
          within = pg::query_columns("SELECT d.n FROM (SELECT r.n, pg_catalog.row_number() OVER (PARTITION BY " + own + " ORDER BY r.n) AS nth FROM " + parameter_rows(values_.size()) +
                                         ") AS d WHERE d.nth OPERATOR(pg_catalog.>) 1 ORDER BY d.n",
                                     parameters);
        },
        pg::is_data_error);
    if (failure) return taken;  // check_values() names the values that do not fit
    std::set<std::size_t> known;
    for (auto& row : found) {
      std::size_t at = std::stoul(*row[0]) - 1;
      std::string here = row[1].value_or("");
      if (!here.empty()) here.pop_back();
      known.insert(at);
      taken.emplace_back(at, here.empty() ? "?" : here);
    }
    for (auto& row : within)
      if (std::size_t at = std::stoul(*row[0]) - 1; known.insert(at).second) taken.emplace_back(at, "");
    return taken;
  }

  std::string place(std::size_t row) const { return table_.document->place(row, target_.columns[key_.columns.front()].logical); }

  void refuse(std::size_t row, const std::string& here) {
    if (here.empty())
      plan_.report.error("unique_in_document", target_.name(), place(row), "two rows of the document have the same value of the unique key \"" + key_.name + "\"", "Change one of them in the document.", plan_.source_key(table_, row));
    else
      plan_.report.error("unique_taken", target_.name(), place(row), "the value of the unique key \"" + key_.name + "\" is taken by a row that is here" + (here == "?" ? "" : ", " + here),
                         "Change the value in the document, or give the column a policy in the profile (\"unique\": {\"" + target_.columns[key_.columns.front()].logical + "\": \"suffix\"}).", plan_.source_key(table_, row));
  }

  // False when the value cannot be changed so.
  bool change(std::size_t row, const Policy& policy, int attempt) {
    auto& column = target_.columns[policy.column];
    auto& value = table_.rows[row].values[policy.column];
    if (value.kind != Kind::text) {
      refuse(row, "");
      return false;
    }
    auto [first, is_new] = first_.emplace(row, value.text);
    const char* what = "gets a suffix";
    if (policy.policy == UniquePolicy::null) {
      if (column.live->not_null) {
        refuse(row, "?");
        return false;
      }
      value = {};
      what = "becomes empty";
    } else if (policy.policy == UniquePolicy::regenerate) {
      value.text = random_code(std::max<std::size_t>(first->second.size(), 8));
      what = "is made anew";
    } else {
      std::string suffix = "-" + std::to_string(attempt), base = first->second;
      if (column.live->typmod > 4 && column.type_category == 'S')
        while (!base.empty() && base.size() + suffix.size() > static_cast<std::size_t>(column.live->typmod - 4)) {
          do base.pop_back();
          while (!base.empty() && (static_cast<unsigned char>(base.back()) & 0xc0) == 0x80);
        }
      value.text = base + suffix;
    }
    if (is_new)
      plan_.report.warning("unique_changed", target_.name(), table_.document->place(row, column.logical), "the value of column \"" + column.live->name + "\" is taken; it " + what, "", plan_.source_key(table_, row));
    return true;
  }

  ImportPlan& plan_;
  ImportPlanTable& table_;
  const TargetTable& target_;
  const UniqueKey& key_;
  std::vector<std::size_t> rows_;
  std::vector<pg::Column> values_;
  std::unordered_map<std::size_t, std::string> first_;
};

}  // namespace

void check_unique(ImportPlan& plan) {
  for (auto& table : plan.tables)
    for (auto& key : plan.target_of(table).unique_keys)
      if (key.columns != plan.target_of(table).key || plan.target_of(table).key.size() > 1) UniqueCheck(plan, table, key).run();
}

}  // namespace snapback::service
