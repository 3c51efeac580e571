#include "service/graph/import_apply.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using Kind = PlannedValue::Kind;

namespace {

// c + eight digits of the time + four of a counter + twelve at random, as cuid does it.
std::string new_cuid() {
  static constexpr char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  static std::uint32_t counter = 0;
  std::array<unsigned char, 12> random{};
  if (!pg::call([&] { return pg_strong_random(random.data(), random.size()); })) throw snapback::error(sqlstate::internal_error, "no random numbers are to be had");  // GCOVR_EXCL_LINE the system has randomness
  auto base36 = [&](std::uint64_t value, std::size_t width) {
    std::string text(width, '0');
    for (std::size_t i = width; i-- > 0; value /= 36) text[i] = digits[value % 36];
    return text;
  };
  auto milliseconds = static_cast<std::uint64_t>(GetCurrentTimestamp() / 1000 + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * 86'400'000LL);
  std::string id = "c" + base36(milliseconds, 8) + base36(counter++, 4);
  for (unsigned char byte : random) id += digits[byte % 36];
  return id;
}

class Applier {
 public:
  explicit Applier(ImportPlan& plan) : plan_(plan) {}

  Imported run() {
    imported_.batch = *pg::query("SELECT pg_catalog.gen_random_uuid()")[0][0];
    for (auto& table : plan_.tables) draw(table);
    pg::fault_point("import.ids_drawn");
    constraints("IMMEDIATE");
    for (auto& group : plan_.order) insert(group);
    constraints("DEFERRED");
    for (auto& group : plan_.order)
      for (std::size_t t : group) read_back(plan_.tables[t]);
    pg::fault_point("import.proven");
    return std::move(imported_);
  }

 private:
  static bool is_new(const ImportPlanRow& row) { return row.action == RowAction::create; }

  std::size_t new_rows(const ImportPlanTable& table) const { return static_cast<std::size_t>(std::count_if(table.rows.begin(), table.rows.end(), is_new)); }

  void draw(ImportPlanTable& table) {
    auto& target = plan_.target_of(table);
    const std::size_t count = new_rows(table);
    for (std::size_t c = 0; count > 0 && c < target.columns.size(); ++c) {
      if (!table.drawn[c]) continue;
      auto ids = new_ids(target, c, count);
      std::size_t next = 0;
      for (auto& row : table.rows)
        if (is_new(row)) row.values[c] = {Kind::text, {}, std::move(ids[next++])};
    }
  }

  std::vector<std::string> new_ids(const TargetTable& target, std::size_t c, std::size_t count) {
    using graph::IdGenerator;
    auto& column = target.columns[c];
    const SequenceDescription* sequence = nullptr;
    for (auto& candidate : target.live.sequences)
      if (candidate.owner_column == column.live->name && (sequence == nullptr || candidate.owned || candidate.identity)) sequence = &candidate;
    IdGenerator generator = target.key.size() == 1 && target.key[0] == c ? target.profile->id : IdGenerator::automatic;
    if (generator == IdGenerator::automatic)
      generator = column.live->identity != '\0' ? IdGenerator::sequence : column.has_default() ? IdGenerator::column_default : column.bare_type == "uuid" ? IdGenerator::uuid : IdGenerator::cuid;
    std::string expression;
    switch (generator) {
      case IdGenerator::cuid: {
        std::vector<std::string> ids(count);
        for (auto& id : ids) id = new_cuid();
        return ids;
      }
      case IdGenerator::uuid: expression = "pg_catalog.gen_random_uuid()"; break;
      case IdGenerator::expression: expression = target.profile->id_expression; break;
      case IdGenerator::sequence:
        if (sequence == nullptr) no_sequence(target, column);
        expression = "pg_catalog.nextval(" + pg::quote_literal(pg::qualified(sequence->schema, sequence->name)) + "::pg_catalog.regclass)";
        break;
      default: expression = column.live->identity != '\0' && sequence != nullptr ? "pg_catalog.nextval(" + pg::quote_literal(pg::qualified(sequence->schema, sequence->name)) + "::pg_catalog.regclass)" : column.live->default_expression;
    }
    if (expression.empty()) no_sequence(target, column);
    // an identity's sequence asks nobody for a privilege; other defaults run with the rights of whoever inserts
    const Oid as = column.live->identity != '\0' ? target.live.owner : target.writer();
    pg::RunAs writer(as, as == GetUserId() ? 0 : SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
    std::vector<std::string> ids;
    ids.reserve(count);
    for (auto& row : pg::query_columns("SELECT (" + expression + ")::text FROM pg_catalog.generate_series(1, " + std::to_string(count) + ") AS series", {})) ids.push_back(row[0].value_or(""));
    return ids;
  }

  [[noreturn]] static void no_sequence(const TargetTable& target, const TargetColumn& column) {
    throw snapback::error(sqlstate::invalid_parameter_value, "nothing makes new values for column \"" + column.live->name + "\" of table \"" + target.live.name + "\"", "The profile says they come from the column's sequence or default, and it has none.",
                          "Give it one, or correct \"id\" in the profile.");
  }

  // What is checked at the end of the transaction is to be checked now, while the import can say what is wrong.
  void constraints(const char* when) {
    for (auto& table : plan_.tables) {
      auto& target = plan_.target_of(table);
      if (!target.deferrable || new_rows(table) == 0) continue;
      for (auto& row : pg::query("SELECT n.nspname, k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE k.conrelid = $1::oid AND k.condeferred",
                                 {std::to_string(target.live.oid)}))
        pg::execute("SET CONSTRAINTS " + pg::qualified(*row[0], *row[1]) + " " + when);
    }
  }

  std::optional<std::string> final_text(const PlannedValue& value) {
    const PlannedValue& end = plan_.resolve(value);
    switch (end.kind) {
      case Kind::text: return end.text;
      case Kind::batch: return imported_.batch;
      case Kind::composed: {
        std::string text;
        for (auto& piece : plan_.compositions[end.cell.row].pieces) {
          text += piece.text;
          if (piece.cell) text += final_text(plan_.tables[piece.cell->table].rows[piece.cell->row].values[piece.cell->column]).value_or("");
        }
        return text;
      }
      default: return std::nullopt;
    }
  }

  // The new rows' values, column by column.
  std::vector<pg::Column> values_of(const ImportPlanTable& table, const std::vector<std::size_t>& columns) {
    std::vector<pg::Column> values(columns.size());
    for (auto& row : table.rows)
      if (is_new(row))
        for (std::size_t i = 0; i < columns.size(); ++i) values[i].push_back(final_text(row.values[columns[i]]));
    return values;
  }

  static std::vector<std::size_t> written(const ImportPlanTable& table) {
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < table.used.size(); ++c)
      if (table.used[c]) columns.push_back(c);
    return columns;
  }

  std::string insert_statement(const ImportPlanTable& table, const std::vector<std::size_t>& columns, std::size_t first) {
    auto& target = plan_.target_of(table);
    std::string names, values;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      names += (i ? ", " : "") + pg::quote_identifier(target.columns[columns[i]].live->name);
      values += (i ? ", " : "") + typed_parameter(target.columns[columns[i]], i + 1);
    }
    return "INSERT INTO " + target.sql_name() + " (" + names + ") OVERRIDING SYSTEM VALUE SELECT " + values + " FROM " + parameter_rows(columns.size(), first) + " ORDER BY r.n";
  }

  void insert(const std::vector<std::size_t>& group) {
    std::vector<std::vector<pg::Column>> values;
    std::vector<std::string> statements;
    std::size_t first = 1;
    Oid writer = InvalidOid;
    for (std::size_t t : group) {
      auto& table = plan_.tables[t];
      if (new_rows(table) == 0) continue;
      Oid one = plan_.target_of(table).writer();
      if (writer != InvalidOid && one != writer)
        throw snapback::error(sqlstate::feature_not_supported, "tables that point at each other belong to different owners, and a superuser cannot insert into both at once", "Their triggers would run with each other's rights.",
                              "Import as a role that is no superuser and may insert into them.");
      writer = one;
      auto columns = written(table);
      values.push_back(values_of(table, columns));
      statements.push_back(insert_statement(table, columns, first));
      first += columns.size();
    }
    if (statements.empty()) return;
    std::vector<const pg::Column*> parameters;
    for (auto& table : values)
      for (auto& column : table) parameters.push_back(&column);
    std::string sql = statements[0];
    if (statements.size() > 1) {
      // foreign keys are looked at when the whole statement is done
      sql = "WITH ";
      for (std::size_t i = 0; i < statements.size(); ++i) sql += (i ? ", i" : "i") + std::to_string(i) + " AS (" + statements[i] + ")";
      sql += " SELECT 1";
    }
    {
      pg::RunAs as(writer, writer == GetUserId() ? 0 : SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
      pg::execute_columns(sql, parameters);
    }
    pg::fault_point("import.group_inserted");
  }

  void read_back(ImportPlanTable& table) {
    auto& target = plan_.target_of(table);
    ImportedTable made;
    made.target = &target;
    made.key = identifying_columns(target, table.used);
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      auto& row = table.rows[r];
      if (row.action == RowAction::skip) continue;
      ImportedRow one;
      one.created = is_new(row);
      one.source_key = plan_.source_key(table, r);
      for (std::size_t c : made.key) one.key.push_back(final_text(row.values[c]));
      if (target.profile->table_class == graph::TableClass::root && one.created) imported_.root_key = one.key;
      made.rows.push_back(std::move(one));
    }
    const std::size_t count = new_rows(table);
    imported_.rows_written += count;
    if (count > 0) compare(table, made);
    imported_.tables.push_back(std::move(made));
  }

  void compare(ImportPlanTable& table, ImportedTable& made) {
    auto& target = plan_.target_of(table);
    auto columns = written(table);
    auto values = values_of(table, columns);
    std::vector<const pg::Column*> parameters;
    std::string differing, join;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      auto& column = target.columns[columns[i]];
      std::string here = "t." + pg::quote_identifier(column.live->name), meant = typed_parameter(column, i + 1);
      parameters.push_back(&values[i]);
      differing += (differing.empty() ? "" : ", ") + ("CASE WHEN " + here + "::text IS DISTINCT FROM (" + meant + ")::text THEN '" + std::to_string(i) + "' END");
      if (std::find(made.key.begin(), made.key.end(), columns[i]) == made.key.end()) continue;
      std::string equal = column.type_kind == 'b' || column.type_kind == 'e' ? here + " OPERATOR(pg_catalog.=) " + meant : here + "::text OPERATOR(pg_catalog.=) (" + meant + ")::text";
      // rows without a key may have gaps
      if (target.key.empty()) equal = here + "::text IS NOT DISTINCT FROM (" + meant + ")::text";
      join += (join.empty() ? "" : " AND ") + equal;
    }
    std::vector<std::string> all;
    for (auto& column : target.columns)
      if (!column.generated()) all.push_back(column.live->name);
    std::vector<pg::Row> found;
    {
      const Oid as = reader_of(target.live);
      pg::RunAs reader(as, SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
      found = pg::query_columns("SELECT DISTINCT ON (r.n) r.n, t.tableoid, " + fingerprint_expression(all) + ", pg_catalog.array_to_string(ARRAY[" + differing + "]::text[], ',') FROM " + parameter_rows(columns.size()) + " LEFT JOIN " + target.sql_name() +
                                    " AS t ON " + join + " ORDER BY r.n",
                                parameters);
    }
    std::vector<std::size_t> created;
    for (std::size_t r = 0; r < made.rows.size(); ++r)
      if (made.rows[r].created) created.push_back(r);
    std::map<std::size_t, std::size_t> changed;
    std::size_t missing = 0;
    for (std::size_t i = 0; i < found.size() && i < created.size(); ++i) {
      if (!found[i][1]) {
        ++missing;
        continue;
      }
      ++imported_.rows_found;
      made.rows[created[i]].fingerprint = found[i][2].value_or("");
      const std::string& list = *found[i][3];
      for (std::size_t at = 0; at < list.size();) {
        auto end = std::min(list.find(',', at), list.size());
        ++changed[std::stoul(list.substr(at, end - at))];
        at = end + 1;
      }
    }
    if (missing > 0) lost(target, missing, created.size());
    for (auto& [i, count] : changed) {
      imported_.values_changed += count;
      plan_.report.warning("value_changed", target.name(), "", std::to_string(count) + " values of column \"" + target.columns[columns[i]].live->name + "\" were changed by a trigger or default of the table", "Look at the triggers listed in the report.");
    }
  }

  void lost(const TargetTable& target, std::size_t missing, std::size_t written_rows) {
    bool forced = *pg::query("SELECT c.relforcerowsecurity FROM pg_catalog.pg_class c WHERE c.oid = $1::oid", {std::to_string(target.live.oid)})[0][0] == "t";
    if (forced) {
      // its owner may not see them either
      imported_.hidden = true;
      plan_.report.warning("proof_hidden", target.name(), "", "the new rows of table \"" + target.name() + "\" could not be read back: its row security hides them from its owner too", "Look at the new course with a role that may read it.");
      return;
    }
    throw snapback::error(sqlstate::triggered_action_exception, std::to_string(missing) + " of " + std::to_string(written_rows) + " rows of table \"" + target.live.name + "\" were not stored as they were inserted",
                          target.triggers.empty() ? "A rule or a partition's trigger suppressed them or changed their key." : "A trigger suppressed them or changed their key. Its triggers are: " + joined(target.triggers) + ".",
                          "Change or disable the trigger for the time of the import.");
  }

  ImportPlan& plan_;
  Imported imported_;
};

}  // namespace

std::string fingerprint_expression(const std::vector<std::string>& columns) {
  std::string list;
  for (auto& column : columns) list += (list.empty() ? "t." : ", t.") + pg::quote_identifier(column);
  return "pg_catalog.md5(ROW(" + list + ")::text)";
}

Imported apply_plan(ImportPlan& plan) { return Applier(plan).run(); }

}  // namespace snapback::service
