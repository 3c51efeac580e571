#include "service/graph/source.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/error.hpp"
#include "core/joined.hpp"
#include "pg/call.hpp"
#include "pg/json_rows.hpp"
#include "pg/spi.hpp"
#include "service/graph/tables.hpp"

extern "C" {
#include "utils/rls.h"
}

namespace snapback::service {

namespace {

using graph::ReferenceKind;
using graph::TableClass;

constexpr char plain_equality[] = "OPERATOR(pg_catalog.=)";

// Positions of columns by logical name; nothing when one is not there.
std::optional<std::vector<std::size_t>> positions(const SourceTable& table, const std::vector<std::string>& names) {
  std::vector<std::size_t> found;
  for (const auto& name : names) {
    const auto position = table.column(name);
    if (!position) return std::nullopt;
    found.push_back(*position);
  }
  return found;
}

void add_columns(SourceTable& table) {
  const auto names = logical_names(*table.profile, table.live);
  for (std::size_t i = 0; i < names.size(); ++i) {
    SourceColumn entry;
    entry.live = &table.live.columns[i];
    entry.logical = names[i];
    for (const auto& reset : table.profile->reset)
      if (reset.column == entry.logical) entry.reset = reset.value;
    table.columns.push_back(std::move(entry));
  }
}

void add_keys(SourceTable& table) {
  const auto& profile = *table.profile;
  table.key = row_key(profile, table.live, [&](const std::string& name) { return table.column(name); });
  for (const auto& name : profile.order)
    if (const auto position = table.column(name)) table.order.push_back(*position);
  for (const auto& candidate : profile.natural_key) {
    const auto found = positions(table, candidate);
    if (!found) continue;
    table.natural_key = *found;
    break;
  }
}

bool all_not_null(const SourceTable& table, const std::vector<std::size_t>& columns) {
  return std::all_of(columns.begin(), columns.end(), [&](auto i) { return table.columns[i].live->not_null; });
}

std::string describe(const ForeignKeyDescription& key) {
  return key.schema + "." + key.table_name + " (" + joined(key.columns) + ") -> " + key.referenced_schema + "." + key.referenced_table;
}

void add_foreign_keys(Source& source) {
  std::vector<Oid> oids;
  std::map<Oid, std::size_t> by_oid;
  for (std::size_t i = 0; i < source.tables.size(); ++i) {
    oids.push_back(source.tables[i].live.oid);
    by_oid[source.tables[i].live.oid] = i;
  }
  for (const auto& key : foreign_keys_of(oids)) {
    const auto from = by_oid.find(key.table), to = by_oid.find(key.referenced);
    if (from == by_oid.end()) {
      if (source.tables[to->second].is_content()) source.unknown.push_back({pg::utf8_text(key.schema + "." + key.table_name), pg::utf8_text(describe(key)), false});
      continue;
    }
    SourceTable& table = source.tables[from->second];
    if (to == by_oid.end()) {
      if (table.is_content() || (table.in_document() && table.profile->whole))
        source.unknown.push_back({pg::utf8_text(key.referenced_schema + "." + key.referenced_table), pg::utf8_text(describe(key)), true});
      continue;
    }
    SourceReference reference;
    reference.columns = physical_positions(table.live, key.columns);
    reference.table = to->second;
    reference.to = physical_positions(source.tables[to->second].live, key.referenced_columns);
    reference.equality = key.equality;
    reference.not_null = all_not_null(table, reference.columns);
    table.references.push_back(std::move(reference));
  }
}

// Values of two types are compared as they are when the types are the same or both integers; otherwise as text, which an empty operator stands for.
std::string equality_of(const SourceColumn& left, const SourceColumn& right) {
  const auto integer = [](Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; };
  if (left.live->type == right.live->type || (integer(left.live->type) && integer(right.live->type))) return left.live->type >= FirstNormalObjectId ? "" : plain_equality;
  return "";
}

void add_declared(Source& source, SourceTable& table, const graph::Reference& declared) {
  const auto columns = positions(table, declared.columns);
  if (!columns) return;
  SourceReference reference;
  reference.kind = declared.kind;
  reference.declared = &declared;
  reference.columns = *columns;
  if (declared.kind == ReferenceKind::polymorphic) {
    reference.type_column = table.column(declared.type_column);
    for (const auto& [type, name] : declared.types)
      if (const auto target = source.table(name)) reference.types.emplace_back(type, *target);
    if (!reference.type_column || reference.types.empty()) return;
  } else {
    const auto target = source.table(declared.table);
    if (!target) return;
    reference.table = *target;
    const auto to = declared.to.empty() ? source.tables[*target].key : positions(source.tables[*target], declared.to).value_or(std::vector<std::size_t>{});
    if (to.size() != columns->size()) return;
    reference.to = to;
  }
  if (declared.kind == ReferenceKind::foreign_key) {
    for (const auto& known : table.references)
      if (!known.declared && known.columns == reference.columns) return;
    for (std::size_t i = 0; i < reference.to.size(); ++i)
      reference.equality.push_back(equality_of(table.columns[reference.columns[i]], source.tables[reference.table].columns[reference.to[i]]));
    reference.not_null = all_not_null(table, reference.columns);
  }
  table.references.push_back(std::move(reference));
}

// Whether a reference may be one along which rows are collected: docs/course.md, "Which reference owns".
bool may_own(const Source& source, const SourceTable& table, const SourceReference& reference) {
  const auto allowed = [&](std::size_t target) {
    const TableClass parent = source.tables[target].table_class();
    switch (table.table_class()) {
      case TableClass::own: return parent == TableClass::root || parent == TableClass::own || parent == TableClass::bank;
      case TableClass::link: return parent == TableClass::root || parent == TableClass::own;
      case TableClass::bank: return parent == TableClass::ref || parent == TableClass::bank;
      default: return false;
    }
  };
  if (reference.kind == ReferenceKind::foreign_key) return allowed(reference.table);
  if (reference.kind != ReferenceKind::polymorphic) return false;
  return std::any_of(reference.types.begin(), reference.types.end(), [&](const auto& type) { return allowed(type.second); });
}

bool points_at(const SourceReference& reference, const SourceTable& table, const Source& source) {
  return reference.kind == ReferenceKind::foreign_key && &source.tables[reference.table] == &table;
}

void choose_named_owners(Source& source, SourceTable& table) {
  for (const auto& names : table.profile->owned_by) {
    const auto dot = names.front().find('.');
    if (dot == std::string::npos) {
      const auto columns = positions(table, names);
      for (auto& reference : table.references)
        if (columns && reference.columns == *columns) reference.owns = true;
      continue;
    }
    const auto other = source.table(names.front().substr(0, dot));
    if (!other) continue;
    const auto column = source.tables[*other].column(names.front().substr(dot + 1));
    auto& references = source.tables[*other].references;
    for (std::size_t i = 0; i < references.size(); ++i)
      if (column && references[i].columns == std::vector<std::size_t>{*column} && points_at(references[i], table, source)) table.through.push_back({*other, i});
  }
}

void choose_owners(Source& source, SourceTable& table) {
  if (!table.is_content() || table.table_class() == TableClass::root) return;
  if (!table.profile->owned_by.empty()) return choose_named_owners(source, table);
  std::vector<SourceReference*> candidates;
  bool required = false;
  for (auto& reference : table.references) {
    if (!may_own(source, table, reference)) continue;
    candidates.push_back(&reference);
    required = required || (reference.not_null && !points_at(reference, table, source));
  }
  const bool link = table.table_class() == TableClass::link;
  for (auto* reference : candidates)
    reference->owns = link ? !points_at(*reference, table, source) : !required || (reference->not_null && !points_at(*reference, table, source));
  const bool only_itself = std::all_of(candidates.begin(), candidates.end(), [&](auto* reference) { return points_at(*reference, table, source); });
  if (link || !only_itself) return;
  for (std::size_t other = 0; other < source.tables.size(); ++other) {
    if (source.tables[other].table_class() != TableClass::link) continue;
    auto& references = source.tables[other].references;
    for (std::size_t i = 0; i < references.size(); ++i)
      if (points_at(references[i], table, source)) table.through.push_back({other, i});
  }
}

void choose_columns(const Source& source, SourceTable& table) {
  const auto& profile = *table.profile;
  std::set<std::size_t> inside(table.key.begin(), table.key.end()), outside;
  for (const auto& reference : table.references) {
    const bool copied = reference.kind != ReferenceKind::foreign_key || source.tables[reference.table].in_document();
    for (const auto column : reference.columns) (copied ? inside : outside).insert(column);
  }
  for (const auto& [column, member] : profile.context)
    if (const auto position = table.column(column)) outside.insert(*position);
  // keys to tables that no class is known for cannot be filled again either
  for (const auto& key : table.live.foreign_keys) {
    const bool known = std::any_of(source.tables.begin(), source.tables.end(), [&](const auto& other) { return other.live.oid == key.referenced; });
    if (!known)
      for (const auto column : physical_positions(table.live, key.columns)) outside.insert(column);
  }
  const bool narrow = table.table_class() == TableClass::ref && !profile.whole;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    auto& column = table.columns[i];
    const auto named = [&](const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), column.logical) != list.end(); };
    column.exported = !column.live->generated && !named(profile.omit) && (inside.contains(i) || !outside.contains(i));
    if (narrow && std::find(table.key.begin(), table.key.end(), i) == table.key.end() &&
        std::find(table.natural_key.begin(), table.natural_key.end(), i) == table.natural_key.end() && !named(profile.display))
      column.exported = false;
  }
}

void add_security(SourceTable& table) {
  const Oid oid = table.live.oid;
  table.reader = GetUserId();
  if (pg::call([] { return superuser(); })) {
    const auto row = pg::query(R"(
        WITH tree AS (SELECT $1::oid AS oid UNION SELECT t.relid FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass) t)
        SELECT c.relrowsecurity AND c.relforcerowsecurity
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid IN (SELECT oid FROM tree) AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL))
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid IN (SELECT oid FROM tree) AND s.stxexprs IS NOT NULL)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid IN (SELECT oid FROM tree) AND p.partexprs IS NOT NULL)
          FROM pg_catalog.pg_class c WHERE c.oid = $1::oid)",
                               {std::to_string(oid)});
    if (row.empty() || row[0][0] != "t") table.reader = table.live.owner;
  }
  table.row_security = pg::call([&] { return check_enable_rls(oid, table.reader, true) == RLS_ENABLED; });
}

}  // namespace

std::optional<std::size_t> SourceTable::column(const std::string& logical) const {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].logical == logical) return i;
  return std::nullopt;
}

std::string SourceTable::sql_name() const { return pg::qualified(live.schema, live.name); }

bool SourceTable::in_document() const { return table_class() != TableClass::context && table_class() != TableClass::exclude; }

bool SourceTable::is_content() const { return in_document() && table_class() != TableClass::ref; }

std::optional<std::size_t> Source::table(const std::string& logical) const {
  for (std::size_t i = 0; i < tables.size(); ++i)
    if (tables[i].name() == logical) return i;
  return std::nullopt;
}

const SourceTable& Source::root() const { return tables[*table(profile.root)]; }

Source find_source(graph::Profile profile) {
  Source source;
  source.profile = std::move(profile);
  std::vector<Oid> oids;
  std::vector<const graph::TableProfile*> found;
  for (const auto& table : source.profile.tables) {
    const Oid oid = find_graph_table(table.names);
    if (OidIsValid(oid) && std::find(oids.begin(), oids.end(), oid) == oids.end()) {
      oids.push_back(oid);
      found.push_back(&table);
    } else if (table.table_class != TableClass::context && table.table_class != TableClass::exclude) {
      source.absent.push_back(table.name);
    }
  }
  if (std::none_of(found.begin(), found.end(), [&](auto* table) { return table->name == source.profile.root; }))
    throw error(sqlstate::undefined_table, "no table of this database is the root \"" + source.profile.root + "\" of profile \"" + source.profile.name + "\"",
                pg::server_text("Looked for in the search path: " + joined(source.profile.table(source.profile.root)->names) + ". Missing, too: " + joined(source.absent) + "."),
                "Name the tables in the profile, or draft one from the catalog: SELECT jsonb_pretty(course_profile_suggest('your_table')).");
  auto tables = describe_tables(oids, false);
  source.tables.resize(tables.size());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    // one that was dropped meanwhile is not among them
    const auto oid = std::find(oids.begin(), oids.end(), tables[i].oid);
    source.tables[i].profile = found[static_cast<std::size_t>(oid - oids.begin())];
    source.tables[i].live = std::move(tables[i]);
  }
  for (auto& table : source.tables) {
    add_columns(table);
    add_keys(table);
    add_security(table);
  }
  add_foreign_keys(source);
  for (auto& table : source.tables)
    for (const auto& declared : table.profile->references) add_declared(source, table, declared);
  for (auto& table : source.tables) choose_owners(source, table);
  std::sort(source.unknown.begin(), source.unknown.end(), [](const auto& a, const auto& b) { return std::tie(a.upward, a.name, a.reference) < std::tie(b.upward, b.name, b.reference); });
  // a join table that leads to an owned table does not hang on it
  for (auto& table : source.tables)
    for (const auto& through : table.through) source.tables[through.table].references[through.reference].owns = false;
  for (auto& table : source.tables) choose_columns(source, table);
  return source;
}

}  // namespace snapback::service
