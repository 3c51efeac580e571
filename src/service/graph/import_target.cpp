#include "service/graph/import_target.hpp"

#include <regex>

#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/snapshot.hpp"
#include "pg/spi.hpp"
#include "service/graph/tables.hpp"

namespace snapback::service {

namespace {

Oid to_oid(const pg::Cell& cell) { return static_cast<Oid>(std::stoul(*cell)); }

// The values that a check of one column lists: CHECK ((status = ANY (ARRAY['draft'::text, 'published'::text])))
std::vector<std::string> listed_values(const std::string& definition) {
  static const std::regex list(R"(^CHECK \(\(+("?[^" ()]+"?)\)?(::[a-z ]+)? = ANY \(+ARRAY\[(.*)\].*$)");
  static const std::regex item(R"('((?:[^']|'')*)'::)");
  std::smatch match;
  std::vector<std::string> values;
  if (!std::regex_match(definition, match, list)) return values;
  std::string inside = match[3];
  for (std::sregex_iterator it(inside.begin(), inside.end(), item), end; it != end; ++it) {
    std::string value = (*it)[1];
    for (std::size_t at = 0; (at = value.find("''", at)) != std::string::npos; ++at) value.erase(at, 1);
    values.push_back(value);
  }
  return values;
}

void add_types(TargetTable& table) {
  std::vector<Oid> types;
  for (auto& column : table.columns) types.push_back(column.live->type);
  auto rows = pg::query(R"(
      SELECT u.n, t.typtype, b.typcategory, b.oid, pg_catalog.format_type(b.oid, -1),
             (SELECT pg_catalog.string_agg(e.enumlabel, E'\x01' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid)
        FROM pg_catalog.unnest($1::oid[]) WITH ORDINALITY u(oid, n)
        JOIN pg_catalog.pg_type t ON t.oid = u.oid
        JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END)",
                        {oid_array(types)});
  for (auto& row : rows) {
    auto& column = table.columns[std::stoul(*row[0]) - 1];
    column.type_kind = (*row[1])[0];
    column.type_category = (*row[2])[0];
    column.is_json = to_oid(row[3]) == JSONOID;
    column.is_jsonb = to_oid(row[3]) == JSONBOID;
    column.bare_type = *row[4];
    if (!row[5]) continue;
    column.is_enum = true;
    std::size_t start = 0;
    for (;;) {
      auto end = row[5]->find('\x01', start);
      column.labels.push_back(row[5]->substr(start, end - start));
      if (end == std::string::npos) break;
      start = end + 1;
    }
  }
  for (auto& row : pg::query(R"(
      SELECT k.conkey[1], pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
       WHERE k.conrelid = $1::oid AND k.contype = 'c' AND pg_catalog.cardinality(k.conkey) = 1)",
                             {std::to_string(table.live.oid)}))
    for (auto& column : table.columns)
      if (std::to_string(column.live->number) == *row[0] && column.labels.empty()) column.labels = listed_values(*row[1]);
}

void add_unique_keys(TargetTable& table) {
  // whole keys only: what an expression or a predicate lets pass is seen when the rows are inserted
  for (auto& row : pg::query(R"(
      SELECT c.relname, pg_catalog.array_to_string((x.indkey::pg_catalog.int2[])[0:x.indnkeyatts - 1], ' '), COALESCE((pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false)
        FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
       WHERE x.indrelid = $1::oid AND x.indisunique AND x.indislive AND x.indexprs IS NULL AND x.indpred IS NULL
       ORDER BY x.indisprimary DESC, c.relname)",
                             {std::to_string(table.live.oid)})) {
    UniqueKey key;
    key.name = *row[0];
    key.nulls_equal = *row[2] == "t";
    std::size_t start = 0;
    for (bool more = true; more;) {
      auto end = row[1]->find(' ', start);
      std::string number = row[1]->substr(start, end - start);
      more = end != std::string::npos;
      start = end + 1;
      for (std::size_t i = 0; i < table.columns.size(); ++i)
        if (std::to_string(table.columns[i].live->number) == number) key.columns.push_back(i);
    }
    table.unique_keys.push_back(std::move(key));
  }
}

void add_triggers(TargetTable& table) {
  for (auto& row : pg::query(R"(
      SELECT t.tgname FROM pg_catalog.pg_trigger t
       WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 4 = 4 ORDER BY t.tgname)",
                             {std::to_string(table.live.oid)}))
    table.triggers.push_back(*row[0]);
  table.deferrable = !pg::query("SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1::oid AND k.condeferrable LIMIT 1", {std::to_string(table.live.oid)}).empty();
}

void add_references(Target& target) {
  std::map<Oid, std::size_t> by_oid;
  for (std::size_t i = 0; i < target.tables.size(); ++i) by_oid.emplace(target.tables[i].live.oid, i);
  for (auto& table : target.tables) {
    for (auto& key : table.live.foreign_keys) {
      auto found = by_oid.find(key.referenced);
      if (found == by_oid.end()) continue;
      TargetReference reference;
      reference.table = found->second;
      reference.constraint = key.name;
      reference.columns = physical_positions(table.live, key.columns);
      reference.to = physical_positions(target.tables[found->second].live, key.referenced_columns);
      table.references.push_back(std::move(reference));
    }
    for (auto& extra : table.profile->references) {
      if (extra.kind != graph::ReferenceKind::foreign_key) continue;
      auto found = target.by_name.find(extra.table);
      if (found == target.by_name.end()) continue;
      auto& other = target.tables[found->second];
      TargetReference reference;
      reference.table = found->second;
      for (auto& name : extra.columns)
        if (auto at = table.column(name)) reference.columns.push_back(*at);
      for (auto& name : extra.to)
        if (auto at = other.column(name)) reference.to.push_back(*at);
      if (extra.to.empty()) reference.to = other.key;
      bool known = reference.columns.size() != extra.columns.size() || reference.columns.size() != reference.to.size();
      for (auto& before : table.references) known = known || before.columns == reference.columns;
      if (!known) table.references.push_back(std::move(reference));
    }
  }
}

}  // namespace

std::string TargetTable::sql_name() const { return pg::qualified(live.schema, live.name); }

std::optional<std::size_t> TargetTable::column(const std::string& logical) const {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].logical == logical) return i;
  return std::nullopt;
}

Oid TargetTable::writer() const {
  Oid user = GetUserId();
  Oid owner = live.owner;
  return pg::call([&] { return superuser_arg(user) && !superuser_arg(owner); }) ? owner : user;
}

const TargetTable* Target::table(const std::string& logical) const {
  auto found = by_name.find(logical);
  return found == by_name.end() ? nullptr : &tables[found->second];
}

Target find_target(graph::Profile profile) {
  Target target;
  target.profile = std::move(profile);
  std::map<Oid, const graph::TableProfile*> found;
  std::vector<Oid> oids;
  for (auto& table : target.profile.tables) {
    Oid oid = find_graph_table(table.names);
    if (oid != InvalidOid && found.emplace(oid, &table).second) oids.push_back(oid);
  }
  for (auto& live : describe_tables(oids, false)) {
    target.tables.emplace_back();
    target.tables.back().live = std::move(live);
  }
  for (std::size_t i = 0; i < target.tables.size(); ++i) {
    auto& table = target.tables[i];
    table.profile = found.at(table.live.oid);
    target.by_name.emplace(table.profile->name, i);
    const auto names = logical_names(*table.profile, table.live);
    for (std::size_t c = 0; c < names.size(); ++c) {
      TargetColumn described;
      described.live = &table.live.columns[c];
      described.logical = names[c];
      table.columns.push_back(std::move(described));
    }
    add_types(table);
    add_unique_keys(table);
    add_triggers(table);
    table.key = row_key(*table.profile, table.live, [&](const std::string& name) { return table.column(name); });
  }
  add_references(target);
  return target;
}

void lock_target(const Target& target) {
  std::vector<Oid> relations;
  for (auto& table : target.tables) {
    Oid oid = table.live.oid, user = GetUserId();
    bool may = pg::call([&] { return pg_class_aclcheck(oid, user, ACL_INSERT) == ACLCHECK_OK || pg_attribute_aclcheck_all(oid, user, ACL_INSERT, ACLMASK_ANY) == ACLCHECK_OK; });
    if (may && table.profile->table_class != graph::TableClass::exclude) relations.push_back(oid);
  }
  pg::lock_relations(relations, RowExclusiveLock);
}

}  // namespace snapback::service
