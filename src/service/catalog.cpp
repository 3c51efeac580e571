#include "service/catalog.hpp"

#include <algorithm>
#include <map>

#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/subtransaction.hpp"

namespace snapback::service {

namespace {

using pg::Cell;
using pg::query;
using pg::Row;

bool truth(const Cell& cell) { return cell && *cell == "t"; }
std::string text(const Cell& cell) { return cell.value_or(""); }
Oid oid(const Cell& cell) { return cell ? static_cast<Oid>(std::stoul(*cell)) : InvalidOid; }
char letter(const Cell& cell) { return cell && !cell->empty() ? (*cell)[0] : '\0'; }
std::int64_t integer(const Cell& cell) { return cell ? std::stoll(*cell) : 0; }

using ByOid = std::map<Oid, TableDescription*>;

constexpr std::size_t described_together = 500;  // by one set of queries, whose results and caches are all in memory

// One element per line of a text array whose elements were joined by chr(1): identifiers cannot hold it as PostgreSQL prints it otherwise.
std::vector<std::string> split(const std::string& joined) {
  std::vector<std::string> parts;
  if (joined.empty()) return parts;
  std::size_t start = 0;
  for (;;) {
    auto end = joined.find('\x01', start);
    parts.push_back(joined.substr(start, end - start));
    if (end == std::string::npos) return parts;
    start = end + 1;
  }
}

void add_columns(ByOid& tables, const std::string& oids) {
  for (auto& row : query(R"(
      SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, a.attnotnull,
             pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
             CASE WHEN a.attcollation <> t.typcollation THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.collname) END
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
        LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace
       WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
       ORDER BY a.attrelid, a.attnum)",
                         {oids})) {
    ColumnDescription column;
    column.number = static_cast<AttrNumber>(integer(row[1]));
    column.name = text(row[2]);
    column.type_name = text(row[3]);
    column.type = oid(row[4]);
    column.typmod = static_cast<int32>(integer(row[5]));
    column.not_null = truth(row[6]);
    column.default_expression = text(row[7]);
    column.identity = letter(row[8]);
    column.generated = letter(row[9]);
    column.collation = text(row[10]);
    tables.at(oid(row[0]))->columns.push_back(std::move(column));
  }
}

void add_constraints(ByOid& tables, const std::string& oids) {
  for (auto& row : query(R"(
      SELECT k.conrelid, k.conname, k.contype, pg_catalog.pg_get_constraintdef(k.oid), k.condeferrable, k.convalidated,
             (SELECT pg_catalog.string_agg(a.attname, E'\x01' ORDER BY u.n)
                FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(attnum, n)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
             k.conparentid <> 0 OR NOT k.conislocal
        FROM pg_catalog.pg_constraint k
       WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'c', 'x')
       ORDER BY k.conrelid, k.contype <> 'p', k.conname)",
                         {oids})) {
    auto* table = tables.at(oid(row[0]));
    ConstraintDescription constraint;
    constraint.name = text(row[1]);
    constraint.kind = letter(row[2]);
    constraint.definition = text(row[3]);
    constraint.deferrable = truth(row[4]);
    constraint.validated = truth(row[5]);
    if (constraint.kind == 'p') table->primary_key = split(text(row[6]));
    constraint.inherited = truth(row[7]);
    table->constraints.push_back(std::move(constraint));
  }
}

void add_indexes(ByOid& tables, const std::string& oids) {
  for (auto& row : query(R"(
      SELECT i.indrelid, c.relname, i.indisunique, i.indexprs IS NOT NULL OR i.indpred IS NOT NULL,
             pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(i.indexrelid),
               '^CREATE (UNIQUE )?INDEX ("([^"]|"")+"|[^ ]+) ON (ONLY )?("([^"]|"")+"|[^ ."]+)[.]("([^"]|"")+"|[^ "]+) ', '')
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = ANY ($1::oid[]) AND i.indisvalid AND NOT c.relispartition
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
       ORDER BY i.indrelid, c.relname)",
                         {oids})) {
    IndexDescription index;
    index.name = text(row[1]);
    index.unique = truth(row[2]);
    index.code = truth(row[3]);
    index.definition = text(row[4]);
    tables.at(oid(row[0]))->indexes.push_back(std::move(index));
  }
}

void read_sequence_value(SequenceDescription& sequence) {
  // the sequence belongs with its table: the right to read the table was asked for, the sequence's own is not
  pg::RunAs owner(BOOTSTRAP_SUPERUSERID);
  auto read = [&] {
    auto rows = query("SELECT last_value, is_called FROM " + pg::qualified(sequence.schema, sequence.name));
    sequence.last_value = integer(rows.at(0)[0]);
    sequence.is_called = truth(rows.at(0)[1]);
  };
  // the rollback gives back the lock, which nobody counted on: a database may have more sequences than there are lock slots left
  pg::in_subtransaction(read, [](const std::string&) { return false; }, false);
}

void add_parents(ByOid& tables, const std::string& oids) {
  for (auto& row : query(R"(
      SELECT i.inhrelid, n.nspname, p.relname
        FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition
        JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
        JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
       WHERE i.inhrelid = ANY ($1::oid[])
       ORDER BY i.inhrelid, i.inhseqno)",
                         {oids}))
    tables.at(oid(row[0]))->inherits.emplace_back(text(row[1]), text(row[2]));
}

void add_sequences(ByOid& tables, const std::string& oids, bool values) {
  for (auto& row : query(R"(
      WITH used AS (
        SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum, true AS owned, d.deptype = 'i' AS identity
          FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.deptype IN ('a', 'i') AND d.refobjid = ANY ($1::oid[]) AND d.refobjsubid > 0
        UNION ALL
        SELECT d.refobjid, ad.adrelid, ad.adnum, false, false
          FROM pg_catalog.pg_attrdef ad
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = ad.oid
                                     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
         WHERE ad.adrelid = ANY ($1::oid[]))
      SELECT DISTINCT ON (u.relation, s.seqrelid) u.relation, s.seqrelid, n.nspname, c.relname, pg_catalog.format_type(s.seqtypid, NULL), s.seqstart,
             s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle, u.identity, u.owned, a.attname
        FROM used u
        JOIN pg_catalog.pg_sequence s ON s.seqrelid = u.sequence
        JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.attnum
       ORDER BY u.relation, s.seqrelid, u.owned DESC, u.attnum)",
                         {oids})) {
    auto* table = tables.at(oid(row[0]));
    SequenceDescription sequence;
    sequence.oid = oid(row[1]);
    sequence.schema = text(row[2]);
    sequence.name = text(row[3]);
    sequence.type_name = text(row[4]);
    sequence.start = integer(row[5]);
    sequence.increment = integer(row[6]);
    sequence.minimum = integer(row[7]);
    sequence.maximum = integer(row[8]);
    sequence.cache = integer(row[9]);
    sequence.cycle = truth(row[10]);
    sequence.identity = truth(row[11]);
    sequence.owned = truth(row[12]);
    sequence.owner_schema = table->schema;
    sequence.owner_table = table->name;
    sequence.owner_column = text(row[13]);
    if (values) read_sequence_value(sequence);
    table->sequences.push_back(std::move(sequence));
  }
}

// SQL: whether planning a query of this table, or of partitions below it, may evaluate an expression that its owner wrote.
std::string has_expressions(const std::string& table) {
  return "EXISTS (WITH RECURSIVE tree (oid) AS (SELECT " + table + R"( UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
                SELECT FROM tree t
                 WHERE EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
                    OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = t.oid AND s.stxexprs IS NOT NULL)
                    OR EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = t.oid AND p.partexprs IS NOT NULL)))";
}

std::vector<ForeignKeyDescription> read_foreign_keys(const std::string& condition, const std::string& oids) {
  std::vector<ForeignKeyDescription> keys;
  for (auto& row : query(R"(
      SELECT k.oid, k.conname, k.conrelid, k.confrelid, n.nspname, c.relname, rn.nspname, rc.relname,
             (SELECT pg_catalog.string_agg(a.attname, E'\x01' ORDER BY u.n) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(attnum, n)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
             (SELECT pg_catalog.string_agg(a.attname, E'\x01' ORDER BY u.n) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(attnum, n)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum),
             (SELECT pg_catalog.string_agg('OPERATOR(' || pg_catalog.quote_ident(onsp.nspname) || '.' || o.oprname || ')', E'\x01' ORDER BY u.n)
                FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY u(operator, n)
                JOIN pg_catalog.pg_operator o ON o.oid = u.operator JOIN pg_catalog.pg_namespace onsp ON onsp.oid = o.oprnamespace),
             k.confmatchtype, k.convalidated AND coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', 'true') = 'true',
             pg_catalog.pg_get_constraintdef(k.oid), coalesce(pg_catalog.to_jsonb(k) ->> 'conperiod', 'false') = 'true', c.relkind = 'p', rc.relkind = 'p', c.relowner,
             EXISTS (
               SELECT FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop)) u (ours, theirs, operator)
                 JOIN pg_catalog.pg_operator o ON o.oid = u.operator
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.ours
                 JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.theirs
                WHERE NOT (a.atttypid = o.oprright AND b.atttypid = o.oprleft)
                  AND NOT (a.atttypid = b.atttypid AND o.oprleft = o.oprright
                           AND o.oprleft IN ('pg_catalog.anyenum'::pg_catalog.regtype, 'pg_catalog.anyarray'::pg_catalog.regtype, 'pg_catalog.anyrange'::pg_catalog.regtype,
                                             'pg_catalog.anymultirange'::pg_catalog.regtype, 'pg_catalog.record'::pg_catalog.regtype))
                  AND NOT (a.atttypid IN ('pg_catalog.varchar'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype)
                           AND b.atttypid IN ('pg_catalog.varchar'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype))),
             )" + has_expressions("k.conrelid") + ", " + has_expressions("k.confrelid") + R"(,
             rc.relowner
        FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid
        JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
       WHERE k.contype = 'f' AND k.conparentid = 0 AND )" + condition + " ORDER BY k.conrelid, k.conname",
                         {oids})) {
    ForeignKeyDescription key;
    key.oid = oid(row[0]);
    key.name = text(row[1]);
    key.table = oid(row[2]);
    key.referenced = oid(row[3]);
    key.schema = text(row[4]);
    key.table_name = text(row[5]);
    key.referenced_schema = text(row[6]);
    key.referenced_table = text(row[7]);
    key.columns = split(text(row[8]));
    key.referenced_columns = split(text(row[9]));
    key.equality = split(text(row[10]));
    key.match = letter(row[11]);
    key.checked = truth(row[12]);
    key.period = truth(row[14]);
    key.table_partitioned = truth(row[15]);
    key.referenced_partitioned = truth(row[16]);
    key.owner = oid(row[17]);
    key.casts = truth(row[18]);
    key.expressions = truth(row[19]);
    key.referenced_expressions = truth(row[20]);
    key.referenced_owner = oid(row[21]);
    // "... REFERENCES s.t(a, b)<suffix>": built anew so that the target can be renamed, hence only what follows is kept
    std::string definition = text(row[13]);
    std::string target = " REFERENCES " + pg::qualified(key.referenced_schema, key.referenced_table) + "(";
    std::string list;
    for (auto& column : key.referenced_columns) list += (list.empty() ? "" : ", ") + pg::quote_identifier(column);
    auto at = definition.find(target + list + ")");
    if (at != std::string::npos) key.suffix = definition.substr(at + target.size() + list.size() + 1);
    keys.push_back(std::move(key));
  }
  return keys;
}

void add_foreign_keys(ByOid& tables, const std::string& oids) {
  for (auto& key : read_foreign_keys("k.conrelid = ANY ($1::oid[])", oids)) tables.at(key.table)->foreign_keys.push_back(key);
}

std::vector<TableDescription> describe_batch(const std::vector<Oid>& relations, bool figures) {
  std::vector<TableDescription> tables;
  std::string oids = oid_array(relations);
  for (auto& row : query(R"(
      SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relowner, pg_catalog.pg_get_userbyid(c.relowner), c.relfilenode,
             c.reltuples, CASE WHEN $2::bool AND c.relkind IN ('r', 'm') THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END, c.relispartition,
             CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
             CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END, pn.nspname, p.relname, am.amname
        FROM pg_catalog.unnest($1::oid[]) WITH ORDINALITY u(oid, n)
        JOIN pg_catalog.pg_class c ON c.oid = u.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_inherits i ON c.relispartition AND i.inhrelid = c.oid
        LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
        LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
       ORDER BY u.n)",
                         {oids, figures ? "t" : "f"})) {
    TableDescription table;
    table.oid = oid(row[0]);
    table.schema = text(row[1]);
    table.name = text(row[2]);
    table.kind = letter(row[3]);
    table.persistence = letter(row[4]);
    table.owner = oid(row[5]);
    table.owner_name = text(row[6]);
    table.file_number = static_cast<snapback_relfilenumber_t>(oid(row[7]));
    table.estimated_rows = std::max(0.0, std::stod(text(row[8])));
    table.bytes = integer(row[9]);
    table.is_partition = truth(row[10]);
    table.partition_key = text(row[11]);
    table.partition_bound = text(row[12]);
    table.parent_schema = text(row[13]);
    table.parent_name = text(row[14]);
    table.access_method = text(row[15]);
    tables.push_back(std::move(table));
  }
  ByOid by_oid;
  std::vector<Oid> found;
  for (auto& table : tables) {
    by_oid[table.oid] = &table;
    found.push_back(table.oid);
  }
  oids = oid_array(found);
  add_columns(by_oid, oids);
  add_constraints(by_oid, oids);
  add_foreign_keys(by_oid, oids);
  add_indexes(by_oid, oids);
  add_parents(by_oid, oids);
  add_sequences(by_oid, oids, figures);
  return tables;
}

}  // namespace

std::string oid_array(const std::vector<Oid>& oids) {
  std::string text = "{";
  for (auto value : oids) text += (text.size() > 1 ? "," : "") + std::to_string(value);
  return text + "}";
}

const ColumnDescription* TableDescription::column(const std::string& column_name) const {
  for (auto& column : columns)
    if (column.name == column_name) return &column;
  return nullptr;
}

std::vector<const ColumnDescription*> TableDescription::stored_columns() const {
  std::vector<const ColumnDescription*> stored;
  for (auto& column : columns)
    if (!column.generated) stored.push_back(&column);
  return stored;
}

std::vector<AttrNumber> TableDescription::key_numbers() const {
  std::vector<AttrNumber> numbers;
  for (auto& key_column : primary_key) {
    auto* found = column(key_column);
    // a generated key column is not in the rows: the key cannot be read from them
    if (found == nullptr || found->generated) return {};
    numbers.push_back(found->number);
  }
  return numbers;
}

void describe_each(const std::vector<Oid>& relations, bool figures, const std::function<void(TableDescription&)>& visit) {
  for (std::size_t at = 0; at < relations.size(); at += described_together) {
    std::vector<Oid> batch(relations.begin() + at, relations.begin() + std::min(at + described_together, relations.size()));
    for (auto& table : describe_batch(batch, figures)) {
      visit(table);
      pg::relation_visited();
    }
  }
}

std::vector<TableDescription> describe_tables(const std::vector<Oid>& relations, bool figures) {
  std::vector<TableDescription> tables;
  describe_each(relations, figures, [&](TableDescription& table) { tables.push_back(std::move(table)); });
  return tables;
}

std::vector<ForeignKeyDescription> foreign_keys_of(const std::vector<Oid>& relations) {
  return read_foreign_keys("(k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))", oid_array(relations));
}

ForeignKeyCode code_of_new_key(Oid table, const std::vector<std::string>& columns, Oid referenced, const std::vector<std::string>& referenced_columns) {
  auto rows = query(R"(
      SELECT EXISTS (
               SELECT FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) u (ours, theirs)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attname = u.ours
                 JOIN pg_catalog.pg_attribute b ON b.attrelid = $2::oid AND b.attname = u.theirs
                 JOIN pg_catalog.pg_type ta ON ta.oid = a.atttypid
                 JOIN pg_catalog.pg_type tb ON tb.oid = b.atttypid
                WHERE a.atttypid <> b.atttypid AND (ta.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace OR tb.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)), )" +
                        has_expressions("$1::oid") + ", " + has_expressions("$2::oid"),
                    {std::to_string(table), std::to_string(referenced), pg::array_literal(columns), pg::array_literal(referenced_columns)});
  return {truth(rows.at(0)[0]), truth(rows.at(0)[1]), truth(rows.at(0)[2])};
}

std::vector<Oid> partitions_of(const std::vector<Oid>& roots, CatalogMoment moment) {
  std::vector<Oid> found;
  for (auto& row : (moment == CatalogMoment::now ? query : pg::query_active)(R"(
      WITH RECURSIVE tree AS (
        SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = ANY ($1::oid[]) AND c.relispartition
        UNION
        SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition)
      SELECT oid FROM tree ORDER BY oid)",
                                                                                {oid_array(roots)}, 0))
    found.push_back(oid(row[0]));
  return found;
}

}  // namespace snapback::service
