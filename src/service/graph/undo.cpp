// Taking an import back.
#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "pg/bulk.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "pg/server.hpp"
#include "pg/text_forms.hpp"
#include "service/graph/batches.hpp"
#include "service/graph/import.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::Json;

namespace {

constexpr int owner_flags = SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE;

struct UndoTable {
  const BatchTable* recorded = nullptr;
  TableDescription live;
  std::vector<BatchRow> rows;
  std::vector<pg::Column> keys;  // by BatchTable::key
  std::set<std::string> known;   // the rows' keys, joined
  bool has_key = true;           // its rows have a name of their own
  std::size_t present = 0, gone = 0;

  std::string sql_name() const { return pg::qualified(live.schema, live.name); }
  std::vector<const pg::Column*> parameters() const {
    std::vector<const pg::Column*> list;
    for (auto& column : keys) list.push_back(&column);
    return list;
  }
  // t.id = r.c1::integer
  std::string join() const {
    std::string text;
    for (std::size_t i = 0; i < recorded->key.size(); ++i) {
      std::string here = "t." + pg::quote_identifier(recorded->key[i]), there = "r.c" + std::to_string(i + 1);
      text += i ? " AND " : "";
      if (has_key)
        text += here + " OPERATOR(pg_catalog.=) " + there + "::" + live.column(recorded->key[i])->type_name;
      else
        text += here + "::text IS NOT DISTINCT FROM " + there;
    }
    return text;
  }
};

std::string joined_key(const pg::Row& row, std::size_t first, std::size_t count) {
  std::string key;
  for (std::size_t i = first; i < first + count; ++i) key += row[i].value_or("\x02") + '\x1f';
  return key;
}

class Undo {
 public:
  Undo(const std::string& id, bool dry_run) : id_(id), dry_run_(dry_run) {}

  Json run() {
    if (!dry_run_) pg::refuse_read_only("course_undo", false);
    pg::CallerForms forms;
    batch_ = find_batch(id_, !dry_run_);
    if (batch_.state == "undone")
      throw snapback::error(sqlstate::object_not_in_prerequisite_state, "import \"" + id_ + "\" was undone already", "", "What is there and what was undone shows: TABLE course_batches.");
    find_tables();
    if (!dry_run_)
      for (auto& table : tables_) lock(table);
    for (auto& table : tables_) compare(table);
    for (auto& table : tables_) find_pointing(table);
    check_rights();
    if (!dry_run_) {
      if (report_.errors() > 0) refuse();
      apply();
    }
    Json counts = Json::object();
    for (auto& table : tables_) counts[table.recorded->logical] = {{"delete", table.present}, {"gone", table.gone}};
    Json result = {{"applied", !dry_run_},          {"profile", batch_.profile},        {"batch_id", batch_.batch}, {"error_count", report_.errors()}, {"warning_count", report_.warnings()},
                   {"problems", report_.to_json()}, {"row_counts", std::move(counts)}};
    forms.close();
    return result;
  }

 private:
  void find_tables() {
    std::vector<Oid> oids;
    std::map<Oid, const BatchTable*> recorded;
    for (auto& table : batch_.tables) {
      auto found = pg::query("SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')", {table.schema, table.name});
      auto rows = batch_rows(batch_.batch, table.number);
      if (rows.empty()) continue;
      if (found.empty()) {
        report_.warning("table_gone", table.logical, "", "table \"" + table.name + "\" does not exist any more; its rows went with it");
        continue;
      }
      Oid oid = static_cast<Oid>(std::stoul(*found[0][0]));
      oids.push_back(oid);
      recorded.emplace(oid, &table);
    }
    for (auto& live : describe_tables(oids, false)) {
      UndoTable table;
      table.recorded = recorded.at(live.oid);
      table.live = std::move(live);
      bool whole = true;
      for (auto& name : table.recorded->key) whole = whole && table.live.column(name) != nullptr;
      for (auto& name : table.recorded->columns) whole = whole && table.live.column(name) != nullptr;
      if (!whole) {
        report_.error("table_changed", table.recorded->logical, "", "columns of table \"" + table.live.name + "\" that the import wrote to do not exist any more, so its rows cannot be recognised", "Delete the rows by hand: TABLE course_batch_rows lists them.");
        continue;
      }
      read_rows(table);
      tables_.push_back(std::move(table));
    }
  }

  void read_rows(UndoTable& table) {
    table.rows = batch_rows(batch_.batch, table.recorded->number);
    table.keys.resize(table.recorded->key.size());
    table.has_key = std::all_of(table.recorded->key.begin(), table.recorded->key.end(), [&](auto& name) { return table.live.column(name)->not_null; });
    for (auto& row : table.rows) {
      Json key = Json::parse(row.key);
      pg::Row cells;
      for (std::size_t i = 0; i < table.recorded->key.size(); ++i) {
        auto& value = key[table.recorded->key[i]];
        cells.push_back(value.is_string() ? pg::Cell(value.get<std::string>()) : pg::Cell());
        table.keys[i].push_back(cells.back());
      }
      table.known.insert(joined_key(cells, 0, cells.size()));
    }
  }

  // From now on nobody makes a new row point at them.
  void lock(UndoTable& table) {
    pg::RunAs owner(table.live.owner, owner_flags);
    pg::execute_columns("SELECT FROM " + table.sql_name() + " AS t JOIN " + parameter_rows(table.keys.size()) + " ON " + table.join() + " FOR UPDATE OF t", table.parameters());
  }

  void compare(UndoTable& table) {
    std::vector<pg::Row> found;
    {
      pg::RunAs owner(table.live.owner, owner_flags);
      found = pg::query_columns("SELECT DISTINCT ON (r.n) r.n, t.tableoid, " + fingerprint_expression(table.recorded->columns) + " FROM " + parameter_rows(table.keys.size()) + " LEFT JOIN " + table.sql_name() + " AS t ON " +
                                    table.join() + " ORDER BY r.n",
                                table.parameters());
    }
    for (std::size_t i = 0; i < found.size() && i < table.rows.size(); ++i) {
      if (!found[i][1]) {
        ++table.gone;
        report_.warning("row_gone", table.recorded->logical, place(table, i), "a row of the import was deleted since", "Nothing is to be done for it.", table.rows[i].source_key);
        continue;
      }
      ++table.present;
      if (!table.rows[i].fingerprint.empty() && found[i][2] != table.rows[i].fingerprint)
        report_.error("row_changed", table.recorded->logical, place(table, i), "a row of the import was changed since", "Undo would lose that change. Delete the rows by hand if that is meant.", table.rows[i].source_key);
    }
  }

  static std::string place(const UndoTable& table, std::size_t row) {
    std::string text = table.live.name;
    for (auto& column : table.keys) text += " " + column[row].value_or("null");
    return text;
  }

  // Rows that came since and point at what is to go, whatever their foreign key would do about it.
  void find_pointing(const UndoTable& table) {
    for (auto& key : foreign_keys_of({table.live.oid})) {
      if (key.referenced != table.live.oid) continue;
      std::string list;
      for (auto& name : key.referenced_columns) list += ", t." + pg::quote_identifier(name) + "::text";
      std::vector<pg::Column> referenced(key.columns.size());
      {
        pg::RunAs owner(table.live.owner, owner_flags);
        for (auto& row : pg::query_columns("SELECT r.n" + list + " FROM " + parameter_rows(table.keys.size()) + " JOIN " + table.sql_name() + " AS t ON " + table.join(), table.parameters())) {
          if (std::any_of(row.begin(), row.end(), [](auto& cell) { return !cell; })) continue;
          for (std::size_t i = 0; i < referenced.size(); ++i) referenced[i].push_back(row[i + 1]);
        }
      }
      if (!referenced[0].empty()) find_pointing(key, referenced);
    }
  }

  void find_pointing(const ForeignKeyDescription& key, const std::vector<pg::Column>& referenced) {
    auto descriptions = describe_tables({key.table}, false);
    if (descriptions.empty()) return;
    auto& other = descriptions[0];
    const UndoTable* ours = nullptr;
    for (auto& table : tables_)
      if (table.live.oid == key.table) ours = &table;
    std::vector<std::string> names = ours != nullptr ? ours->recorded->key : other.primary_key;
    if (names.empty()) names = key.columns;
    std::string list, join;
    std::vector<const pg::Column*> parameters;
    for (auto& name : names) list += ", f." + pg::quote_identifier(name) + "::text";
    for (std::size_t i = 0; i < key.columns.size(); ++i) {
      join += (i ? " AND f." : "f.") + pg::quote_identifier(key.columns[i]) + " OPERATOR(pg_catalog.=) r.c" + std::to_string(i + 1) + "::" + other.column(key.columns[i])->type_name;
      parameters.push_back(&referenced[i]);
    }
    std::vector<pg::Row> found;
    {
      pg::RunAs owner(key.owner, owner_flags);
      found = pg::query_columns("SELECT r.n" + list + " FROM " + parameter_rows(key.columns.size()) + " JOIN " + pg::qualified(key.schema, key.table_name) + " AS f ON " + join, parameters);
    }
    Oid oid = key.table, user = GetUserId();
    const bool shown = pg::call([&] { return pg_class_aclcheck(oid, user, ACL_SELECT) == ACLCHECK_OK; });
    for (auto& row : found) {
      if (ours != nullptr && ours->known.contains(joined_key(row, 1, names.size()))) continue;
      std::string where;
      if (shown) {
        where = key.table_name;
        for (std::size_t i = 1; i < row.size(); ++i) where += " " + row[i].value_or("null");
      }
      report_.error("row_referenced", key.schema + "." + key.table_name, where, "rows of table \"" + key.table_name + "\" point at rows of the import (foreign key \"" + key.name + "\")", "Delete or move them first, if that is meant; or keep the import.");
    }
  }

  void check_rights() {
    Oid user = GetUserId();
    for (auto& table : tables_) {
      Oid oid = table.live.oid;
      if (pg::call([&] { return pg_class_aclcheck(oid, user, ACL_DELETE) == ACLCHECK_OK && pg_class_aclcheck(oid, user, ACL_SELECT) == ACLCHECK_OK; })) continue;
      report_.error("permission_missing", table.recorded->logical, "", "permission denied to delete from table \"" + table.live.name + "\"",
                    "Ask its owner: GRANT SELECT, DELETE ON " + table.sql_name() + " TO " + pg::quote_identifier(pg::role_name(user)) + ".");
    }
  }

  [[noreturn]] void refuse() {
    std::string lines;
    bool rights_only = true;
    for (auto& problem : report_.to_json()) {
      if (problem["severity"] != "error") break;
      rights_only = rights_only && problem["code"] == "permission_missing";
      lines += (lines.empty() ? "" : "\n") + problem["code"].get<std::string>() + " (" + std::to_string(problem["count"].get<std::size_t>()) + "): " + problem["message"].get<std::string>();
    }
    throw snapback::error(rights_only ? sqlstate::insufficient_privilege : sqlstate::object_not_in_prerequisite_state, "import \"" + id_ + "\" cannot be undone", lines, "A dry run lists every row: SELECT * FROM course_report(course_undo('" + id_ + "')).");
  }

  void apply() {
    for (std::size_t end = tables_.size(); end > 0;) {
      std::size_t begin = end - 1;
      while (begin > 0 && tables_[begin - 1].recorded->group == tables_[end - 1].recorded->group) --begin;
      remove(begin, end);
      end = begin;
      pg::fault_point("undo.group_deleted");
    }
    for (auto& table : tables_) {
      std::vector<pg::Row> left;
      {
        pg::RunAs owner(table.live.owner, owner_flags);
        left = pg::query_columns("SELECT pg_catalog.count(*) FROM " + parameter_rows(table.keys.size()) + " JOIN " + table.sql_name() + " AS t ON " + table.join(), table.parameters());
      }
      if (*left[0][0] != "0")
        throw snapback::error(sqlstate::triggered_action_exception, *left[0][0] + " rows of table \"" + table.live.name + "\" could not be deleted", "A trigger or a row security policy kept them.", "Undo as a role that may delete them.");
    }
    mark_undone(batch_.batch);
  }

  // One statement for tables that point at each other.
  void remove(std::size_t begin, std::size_t end) {
    std::string sql;
    std::vector<const pg::Column*> parameters;
    Oid writer = GetUserId(), user = writer;
    for (std::size_t i = begin; i < end; ++i) {
      auto& table = tables_[i];
      Oid owner = table.live.owner;
      if (pg::call([&] { return superuser_arg(user) && !superuser_arg(owner); })) writer = owner;
      std::string statement = "DELETE FROM " + table.sql_name() + " AS t USING " + parameter_rows(table.keys.size(), parameters.size() + 1) + " WHERE " + table.join();
      for (auto& column : table.keys) parameters.push_back(&column);
      if (end - begin == 1)
        sql = statement;
      else
        sql += (i == begin ? "WITH d" : ", d") + std::to_string(i) + " AS (" + statement + ")";
    }
    if (end - begin > 1) sql += " SELECT 1";
    pg::RunAs as(writer, writer == user ? 0 : owner_flags);
    pg::execute_columns(sql, parameters);
  }

  std::string id_;
  bool dry_run_;
  Batch batch_;
  std::vector<UndoTable> tables_;
  graph::PlanReport report_;
};

}  // namespace

Json undo_import(const std::string& batch, bool dry_run) { return Undo(batch, dry_run).run(); }

}  // namespace snapback::service
