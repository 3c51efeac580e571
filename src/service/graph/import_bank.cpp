// Shared content under shared rows (class bank): what is here already with the same content is used again.
#include <algorithm>
#include <map>
#include <set>

#include "core/digest.hpp"
#include "pg/subtransaction.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::TableClass;
using Kind = PlannedValue::Kind;

namespace {

// One table of banks, as rows of the document and of the database in the same form.
struct BankTable {
  ImportPlanTable* planned = nullptr;
  const TargetReference* parent = nullptr;  // to a shared row or to another bank table
  std::vector<BankTable*> children;
  std::vector<std::size_t> content;         // columns of the target
  std::vector<std::size_t> wanted;          // columns to know of a row that is reused
  bool container = false;                   // has a natural key: it is itself when its name is, whatever it holds

  struct Side {
    std::vector<std::string> own;             // content of each row
    std::vector<pg::Row> wanted;              // here only
    std::map<std::string, std::vector<std::size_t>> by_parent;  // value of the parent's referenced column -> rows
    std::vector<std::string> reference;       // here only: what children point at
  };
  Side document, here;
};

class BankMatcher {
 public:
  explicit BankMatcher(ImportPlan& plan) : plan_(plan) {}

  void run() {
    describe();
    for (auto& bank : banks_)
      if (bank.parent != nullptr && is_shared(plan_.target.tables[bank.parent->table])) match_top(bank);
  }

 private:
  static bool is_shared(const TargetTable& table) { return table.profile->table_class == TableClass::ref; }

  const TargetTable& target(const BankTable& bank) const { return plan_.target_of(*bank.planned); }

  void describe() {
    for (auto& table : plan_.tables)
      if (plan_.target_of(table).profile->table_class == TableClass::bank) banks_.push_back({&table, nullptr, {}, {}, {}, false, {}, {}});
    for (auto& bank : banks_) {
      // the nearest owner: another bank table before a shared one
      for (auto& reference : target(bank).references) {
        auto& far = plan_.target.tables[reference.table];
        if (reference.columns.size() != 1 || reference.table == bank.planned->target || plan_.table_of_target(reference.table) == nullptr || !bank.planned->source[reference.columns[0]]) continue;
        if (far.profile->table_class == TableClass::bank || (is_shared(far) && bank.parent == nullptr)) bank.parent = &reference;
      }
      for (auto& natural : target(bank).profile->natural_key)
        bank.container = bank.container || std::all_of(natural.begin(), natural.end(), [&](auto& name) { return column_of(bank, name).has_value(); });
      choose_content(bank);
      bank.wanted = referenced_columns(plan_.target, bank.planned->target);
    }
    for (auto& bank : banks_)
      for (auto& other : banks_)
        if (other.parent != nullptr && other.parent->table == bank.planned->target) bank.children.push_back(&other);
  }

  std::optional<std::size_t> column_of(const BankTable& bank, const std::string& logical) const {
    auto column = target(bank).column(logical);
    return column && bank.planned->source[*column] ? column : std::nullopt;
  }

  void choose_content(BankTable& bank) {
    auto& described = target(bank);
    auto& profile = *described.profile;
    std::vector<std::string> names = profile.hash;
    if (bank.container)
      for (auto& natural : profile.natural_key)
        if (std::all_of(natural.begin(), natural.end(), [&](auto& name) { return column_of(bank, name).has_value(); })) {
          names = natural;
          break;
        }
    for (auto& name : names)
      if (auto column = column_of(bank, name)) bank.content.push_back(*column);
    if (!bank.content.empty()) return;
    std::set<std::size_t> left_out(described.key.begin(), described.key.end());
    for (auto& reference : described.references) left_out.insert(reference.columns.begin(), reference.columns.end());
    auto leave_out = [&](const std::string& logical) {
      if (auto column = described.column(logical)) left_out.insert(*column);
    };
    for (auto& name : profile.order) leave_out(name);
    for (auto& entry : profile.reset) leave_out(entry.column);
    for (auto& entry : profile.context) leave_out(entry.first);
    for (auto* name : {"external_id", "import_batch_id"}) leave_out(name);
    for (std::size_t c = 0; c < described.columns.size(); ++c)
      if (bank.planned->source[c] && !left_out.contains(c) && !described.columns[c].generated() && described.columns[c].live->type_name.rfind("timestamp", 0) != 0) bank.content.push_back(c);
  }

  // The content of the document's rows, written as the server writes it. False when a value does not fit its column.
  bool read_document(BankTable& bank) {
    auto& document = *bank.planned->document;
    std::vector<pg::Column> values(bank.content.size() + 1);
    for (std::size_t r = 0; r < document.rows.size(); ++r) {
      for (std::size_t i = 0; i < bank.content.size(); ++i) {
        std::size_t at = *bank.planned->source[bank.content[i]];
        values[i].push_back(at < document.rows[r].size() ? cell_text(document.rows[r][at], target(bank).columns[bank.content[i]]) : pg::Cell());
      }
      values.back().push_back("");  // a table without content columns still has rows
    }
    std::vector<const pg::Column*> parameters;
    for (auto& column : values) parameters.push_back(&column);
    std::vector<pg::Row> rows;
    auto failure = pg::in_subtransaction(
        [&] { rows = pg::query_columns("SELECT pg_catalog.array_to_string(ARRAY[''" + parts(bank) + "]::text[], E'\\x01') FROM " + parameter_rows(values.size()) + " ORDER BY r.n", parameters); }, pg::is_data_error);
    if (failure) return false;
    for (auto& row : rows) bank.document.own.push_back(row[0].value_or(""));
    const std::size_t source = *bank.planned->source[bank.parent->columns[0]];
    for (std::size_t r = 0; r < document.rows.size(); ++r)
      if (has_cell(document, r, source)) bank.document.by_parent[document.rows[r][source].text].push_back(r);
    return true;
  }

  // Each part with its length or a mark for NULL, so that different rows never look alike.
  std::string parts(const BankTable& bank) const {
    std::string list;
    for (std::size_t i = 0; i < bank.content.size(); ++i) list += part("(" + typed_parameter(target(bank).columns[bank.content[i]], i + 1) + ")::text");
    return list;
  }
  static std::string part(const std::string& expression) { return ", COALESCE(pg_catalog.length(" + expression + ")::text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) " + expression + ", '-')"; }

  // Rows here whose parent is one of `parents`.
  void read_here(BankTable& bank, const std::vector<std::string>& parents) {
    auto& described = target(bank);
    std::string list;
    for (std::size_t c : bank.content) list += part("t." + pg::quote_identifier(described.columns[c].live->name) + "::text");
    std::string parent = "t." + pg::quote_identifier(described.columns[bank.parent->columns[0]].live->name) + "::text";
    std::string query = "SELECT " + parent + ", pg_catalog.array_to_string(ARRAY[''" + list + "]::text[], E'\\x01')";
    for (std::size_t c : bank.wanted) query += ", t." + pg::quote_identifier(described.columns[c].live->name) + "::text";
    pg::Column keys(parents.begin(), parents.end());
    std::vector<pg::Row> rows = pg::query_columns(query + " FROM " + described.sql_name() + " AS t WHERE " + parent + " OPERATOR(pg_catalog.=) ANY ($1::text[]) ORDER BY 1, 2, 3", {&keys});
    std::vector<std::string> references;
    for (auto& row : rows) {
      std::size_t at = bank.here.own.size();
      bank.here.own.push_back(row[1].value_or(""));
      bank.here.by_parent[*row[0]].push_back(at);
      bank.here.wanted.emplace_back(row.begin() + 2, row.end());
    }
    for (auto* child : bank.children) {
      references.clear();
      for (std::size_t at = 0; at < bank.here.own.size(); ++at) references.push_back(reference_here(bank, *child, at));
      read_here(*child, references);
    }
  }

  std::string reference_here(const BankTable& bank, const BankTable& child, std::size_t at) const {
    auto found = std::find(bank.wanted.begin(), bank.wanted.end(), child.parent->to[0]);
    return bank.here.wanted[at][static_cast<std::size_t>(found - bank.wanted.begin())].value_or("");
  }

  std::string reference_in_document(const BankTable& bank, const BankTable& child, std::size_t row) const {
    auto source = bank.planned->source[child.parent->to[0]];
    auto& document = *bank.planned->document;
    return source && has_cell(document, row, *source) ? document.rows[row][*source].text : "";
  }

  // The hash of a row with everything below it; of a container, of its own content only.
  std::string hash(const BankTable& bank, const BankTable::Side& side, std::size_t row) const {
    std::string text = side.own[row];
    if (!bank.container)
      for (auto* child : bank.children) {
        const bool here = &side == &bank.here;
        auto& below = here ? child->here : child->document;
        std::string reference = here ? reference_here(bank, *child, row) : reference_in_document(bank, *child, row);
        std::vector<std::string> hashes;
        if (auto rows = below.by_parent.find(reference); rows != below.by_parent.end())
          for (std::size_t at : rows->second) hashes.push_back(hash(*child, below, at));
        std::sort(hashes.begin(), hashes.end());
        text += '\x02';
        for (auto& one : hashes) text += one;
      }
    return to_hex(sha256_of(text));
  }

  bool read_documents(BankTable& bank) {
    if (!bank.document.own.empty() || bank.planned->document->rows.empty()) return true;
    if (!read_document(bank)) return false;
    return std::all_of(bank.children.begin(), bank.children.end(), [&](auto* child) { return read_documents(*child); });
  }

  void match_top(BankTable& bank) {
    auto* shared = plan_.table_of_target(bank.parent->table);
    auto key = shared->source[bank.parent->to[0]];
    if (!key || bank.planned->rows.empty() || !readable(bank) || !read_documents(bank)) return;
    std::vector<std::string> parents;
    for (auto& row : shared->rows)
      if (row.action == RowAction::reuse) parents.push_back(row.values[bank.parent->to[0]].text);
    read_here(bank, parents);
    for (std::size_t r = 0; r < shared->rows.size(); ++r) {
      if (!has_cell(*shared->document, r, *key)) continue;
      const std::string& old_parent = shared->document->rows[r][*key].text;
      if (shared->rows[r].action == RowAction::skip) leave_out(bank, old_parent);
      if (shared->rows[r].action == RowAction::reuse) match_below(bank, old_parent, shared->rows[r].values[bank.parent->to[0]].text);
    }
  }

  bool readable(const BankTable& bank) const {
    return may(target(bank), ACL_SELECT, {}) && std::all_of(bank.children.begin(), bank.children.end(), [&](auto* child) { return readable(*child); });
  }

  void leave_out(BankTable& bank, const std::string& parent) {
    auto rows = bank.document.by_parent.find(parent);
    if (rows == bank.document.by_parent.end()) return;
    for (std::size_t r : rows->second) bank.planned->rows[r].action = RowAction::skip;
  }

  // Each row here answers for one row of the document.
  void match_below(BankTable& bank, const std::string& old_parent, const std::string& parent) {
    auto rows = bank.document.by_parent.find(old_parent);
    auto candidates = bank.here.by_parent.find(parent);
    if (rows == bank.document.by_parent.end() || candidates == bank.here.by_parent.end()) return;
    std::map<std::string, std::vector<std::size_t>> by_hash;
    for (std::size_t at : candidates->second) by_hash[hash(bank, bank.here, at)].push_back(at);
    for (auto& [one, list] : by_hash) std::reverse(list.begin(), list.end());
    for (std::size_t r : rows->second) {
      auto found = by_hash.find(hash(bank, bank.document, r));
      if (found == by_hash.end() || found->second.empty()) continue;
      std::size_t at = found->second.back();
      // two equal rows of the document may share a row that is here
      if (found->second.size() > 1) found->second.pop_back();
      auto& planned = bank.planned->rows[r];
      planned.action = RowAction::reuse;
      for (std::size_t i = 0; i < bank.wanted.size(); ++i)
        if (bank.here.wanted[at][i]) planned.values[bank.wanted[i]] = {Kind::text, {}, *bank.here.wanted[at][i]};
      for (auto* child : bank.children) match_below(*child, reference_in_document(bank, *child, r), reference_here(bank, *child, at));
    }
  }

  ImportPlan& plan_;
  std::vector<BankTable> banks_;
};

}  // namespace

void match_banks(ImportPlan& plan) { BankMatcher(plan).run(); }

}  // namespace snapback::service
