#include "service/graph/batches.hpp"

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/bulk.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/server.hpp"
#include "service/graph/import_words.hpp"

namespace snapback::service {

using graph::Json;

namespace {

// The rights of whoever owns the extension's tables, for statements on nothing else.
class OwnTables {
 public:
  OwnTables() : as_(owner(), SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION) {}

 private:
  static Oid owner() {
    return static_cast<Oid>(std::stoul(*pg::query(R"(SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                                                     WHERE n.nspname = 'snapback' AND c.relname = 'batch')")
                                            .at(0)[0]));
  }
  pg::RunAs as_;
};

std::vector<std::string> names(const Json& list) { return list.get<std::vector<std::string>>(); }

pg::Column one(std::string text) { return {pg::Cell(std::move(text))}; }

}  // namespace

std::optional<EarlierBatch> earlier_batch(const std::string& profile, const std::string& digest) {
  OwnTables own;
  auto rows = pg::query(R"(SELECT b.batch, b.imported_at FROM snapback.batch b WHERE b.profile = $1 AND b.document_digest = $2 AND b.undone_at IS NULL
                           ORDER BY b.imported_at DESC, b.batch LIMIT 1)",
                        {profile, digest});
  if (rows.empty()) return std::nullopt;
  return EarlierBatch{*rows[0][0], *rows[0][1]};
}

void lock_document(const std::string& digest) {
  (void)pg::query("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 1734827))", {digest});
}

void record_batch(const ImportPlan& plan, const Imported& imported, const std::string& hash) {
  const std::string user = pg::role_name(GetUserId());
  Json tables = Json::array(), counts = Json::object();
  std::vector<pg::Column> rows(7);
  for (std::size_t t = 0; t < imported.tables.size(); ++t) {
    auto& table = imported.tables[t];
    auto& target = *table.target;
    Json key = Json::array(), columns = Json::array();
    for (std::size_t c : table.key) key.push_back(target.columns[c].live->name);
    for (auto& column : target.columns)
      if (!column.generated()) columns.push_back(column.live->name);
    std::size_t group = 0, created = 0, reused = 0;
    for (std::size_t g = 0; g < plan.order.size(); ++g)
      for (std::size_t member : plan.order[g])
        if (&plan.target_of(plan.tables[member]) == &target) group = g;
    for (auto& row : table.rows) {
      Json values = Json::object();
      for (std::size_t i = 0; i < table.key.size(); ++i) values[target.columns[table.key[i]].live->name] = row.key[i] ? Json(*row.key[i]) : Json();
      const std::size_t number = row.created ? ++created : ++reused;
      rows[0].push_back(imported.batch);
      rows[1].push_back(std::to_string(t));
      rows[2].push_back(std::to_string(number));
      rows[3].push_back(row.created ? "created" : "reused");
      rows[4].push_back(row.source_key);
      rows[5].push_back(values.dump());
      rows[6].push_back(row.created ? pg::Cell(row.fingerprint) : pg::Cell());
    }
    tables.push_back({{"schema", target.live.schema}, {"name", target.live.name}, {"table", target.name()}, {"key", key}, {"columns", columns}, {"group", group}});
    counts[target.name()] = {{"created", created}, {"reused", reused}};
  }
  std::string root_key;
  for (auto& part : imported.root_key) root_key += (root_key.empty() ? "" : ",") + part.value_or("");
  pg::Column batch = one(imported.batch), profile = one(plan.target.profile.name), by = one(user), digest = one(plan.document.digest), plan_hash = one(hash), source = one(plan.document.source.dump()),
             root = one(plan.document.root.dump()), made = one(tables.dump()), counted = one(counts.dump()), key = one(root_key);
  OwnTables own;
  pg::execute_columns(R"(INSERT INTO snapback.batch (batch, profile, imported_by, document_digest, plan_hash, source, source_root, tables, row_counts, root_key)
                         SELECT r.c1::uuid, r.c2, r.c3::name, r.c4, r.c5, r.c6::jsonb, r.c7::jsonb, r.c8::jsonb, r.c9::jsonb, r.c10 FROM )" +
                          parameter_rows(10),
                      {&batch, &profile, &by, &digest, &plan_hash, &source, &root, &made, &counted, &key});
  std::vector<const pg::Column*> parameters;
  for (auto& column : rows) parameters.push_back(&column);
  pg::execute_columns(R"(INSERT INTO snapback.batch_row (batch, table_number, row_number, action, source_key, key, fingerprint)
                         SELECT r.c1::uuid, r.c2::integer, r.c3::integer, r.c4, r.c5, r.c6::jsonb, r.c7 FROM )" +
                          parameter_rows(7),
                      parameters);
}

Batch find_batch(const std::string& id, bool lock) {
  const std::string user = pg::role_name(GetUserId());
  std::vector<pg::Row> rows;
  {
    OwnTables own;
    // the row stays locked, and a second undo finds the first one's mark
    pg::Column column = one(id);
    if (lock) pg::execute_columns("UPDATE snapback.batch AS b SET batch = b.batch FROM " + parameter_rows(1) + " WHERE b.batch OPERATOR(pg_catalog.=) r.c1::uuid", {&column});
    rows = pg::query(R"(SELECT b.batch, b.profile, CASE WHEN b.undone_at IS NULL THEN 'applied' ELSE 'undone' END, b.imported_by, b.tables,
                               EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $2 AND r.rolsuper)
                               OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = b.imported_by AND pg_catalog.pg_has_role($2::name, r.oid, 'MEMBER'))
                        FROM snapback.batch b WHERE b.batch = $1::uuid)",
                     {id, user});
  }
  if (rows.empty() || *rows[0][5] != "t")
    throw snapback::error(sqlstate::undefined_object, "import \"" + printable(id) + "\" does not exist, or another role made it", "", "The imports you may undo are listed by: TABLE course_batches.");
  Batch batch;
  batch.batch = *rows[0][0];
  batch.profile = *rows[0][1];
  batch.state = *rows[0][2];
  batch.imported_by = *rows[0][3];
  int number = 0;
  for (auto& item : Json::parse(*rows[0][4]))
    batch.tables.push_back({number++, item["schema"], item["name"], item["table"], names(item["key"]), names(item["columns"]), item["group"]});
  return batch;
}

std::vector<BatchRow> batch_rows(const std::string& batch, int table) {
  OwnTables own;
  std::vector<BatchRow> found;
  for (auto& row : pg::query(R"(SELECT w.key, w.source_key, w.fingerprint FROM snapback.batch_row w
                                WHERE w.batch = $1::uuid AND w.table_number = $2::integer AND w.action = 'created' ORDER BY w.row_number)",
                             {batch, std::to_string(table)}))
    found.push_back({*row[0], row[1].value_or(""), row[2].value_or("")});
  return found;
}

void mark_undone(const std::string& batch) {
  pg::Column id = one(batch), by = one(pg::role_name(GetUserId()));
  OwnTables own;
  pg::execute_columns("UPDATE snapback.batch AS b SET undone_at = pg_catalog.now(), undone_by = r.c2::name FROM " + parameter_rows(2) + " WHERE b.batch OPERATOR(pg_catalog.=) r.c1::uuid", {&id, &by});
}

}  // namespace snapback::service
