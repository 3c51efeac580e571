// What the catalogs say of the tables a backup or a restore deals with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::service {

struct ColumnDescription {
  AttrNumber number = 0;
  std::string name;
  std::string type_name;  // as SQL, schema-qualified outside pg_catalog, with its modifier
  Oid type = InvalidOid;
  int32 typmod = -1;
  bool not_null = false;
  std::string default_expression;  // empty: none; for generated columns the generation expression
  char identity = '\0';            // 'a', 'd' or none
  char generated = '\0';           // 's', 'v' or none
  std::string collation;           // qualified; empty: the type's default
};

struct SequenceDescription {
  Oid oid = InvalidOid;
  std::string schema, name, type_name;
  std::int64_t start = 1, increment = 1, minimum = 1, maximum = 1, cache = 1, last_value = 1;
  bool cycle = false, is_called = false, identity = false, owned = false;
  std::string owner_schema, owner_table, owner_column;  // the column that uses or owns it
};

struct ConstraintDescription {
  std::string name;
  char kind = 0;           // p, u, c, x
  std::string definition;  // pg_get_constraintdef
  bool deferrable = false;
  bool validated = true;
  bool inherited = false;  // comes with the parent table
};

// What of an owner's code a query over both tables of a foreign key may run, already while it is planned.
struct ForeignKeyCode {
  bool casts = true;                   // columns that do not have the operators' own types: an implicit cast may be anybody's function
  bool expressions = true;             // in indexes, statistics objects or partition keys of the referencing table
  bool referenced_expressions = true;  // of the referenced one
};

struct ForeignKeyDescription : ForeignKeyCode {
  Oid oid = InvalidOid;
  std::string name;
  Oid table = InvalidOid, referenced = InvalidOid;
  std::string schema, table_name, referenced_schema, referenced_table;
  std::vector<std::string> columns, referenced_columns;
  std::vector<std::string> equality;  // OPERATOR(schema.=) of each pair, referenced first
  char match = 's';                   // f(ull) or s(imple)
  std::string suffix;                 // the definition after the referenced columns: MATCH, ON DELETE, DEFERRABLE, NOT VALID
  bool checked = true;                // validated and enforced: its existing rows are promised to be right
  bool period = false;                // temporal key (18)
  bool table_partitioned = false, referenced_partitioned = false;
  Oid owner = InvalidOid, referenced_owner = InvalidOid;  // of the two tables
};

struct IndexDescription {
  std::string name;
  bool unique = false;
  bool code = false;  // has expressions or a predicate
  std::string definition;  // from USING on
};

struct TableDescription {
  Oid oid = InvalidOid;
  std::string schema, name;
  char kind = 'r';         // relkind
  char persistence = 'p';  // relpersistence
  Oid owner = InvalidOid;
  std::string owner_name;
  snapback_relfilenumber_t file_number = 0;
  double estimated_rows = 0;
  std::int64_t bytes = 0;  // of all forks and TOAST, with `figures`
  bool is_partition = false;
  std::string access_method;    // of a table with storage
  std::string partition_key;    // PARTITION BY ..., partitioned tables
  std::string partition_bound;  // FOR VALUES ..., partitions
  std::string parent_schema, parent_name;  // of a partition
  std::vector<std::pair<std::string, std::string>> inherits;  // schema and name of each parent, in order; not for partitions
  std::vector<ColumnDescription> columns;
  std::vector<std::string> primary_key;
  std::vector<ConstraintDescription> constraints;
  std::vector<ForeignKeyDescription> foreign_keys;  // from this table; clones made for partitions left out
  std::vector<IndexDescription> indexes;            // those that no constraint owns
  std::vector<SequenceDescription> sequences;       // owned by or used in defaults of this table

  const ColumnDescription* column(const std::string& column_name) const;
  // Columns whose values stand in a backup's rows: all but the generated ones.
  std::vector<const ColumnDescription*> stored_columns() const;
  std::vector<AttrNumber> key_numbers() const;
  std::string qualified_name() const { return schema + "." + name; }  // for messages
  bool has_storage() const { return kind == RELKIND_RELATION || kind == RELKIND_MATVIEW; }
};

// With fresh snapshots, in the order given; relations that are gone are left out. `figures` false leaves bytes and last_value alone, for which files and sequences are looked at.
std::vector<TableDescription> describe_tables(const std::vector<Oid>& relations, bool figures);
// The same, one after the other, so that there are never more than a few hundred at a time: a description takes 2 kB and more. `visit` may move it away.
void describe_each(const std::vector<Oid>& relations, bool figures, const std::function<void(TableDescription&)>& visit);

// All foreign keys with one end in `relations`, both directions, clones made for partitions left out.
std::vector<ForeignKeyDescription> foreign_keys_of(const std::vector<Oid>& relations);

// The same of a key that is not there yet. The operators are not known before it is: columns of one type, or of types of the server, need no cast that a user wrote.
ForeignKeyCode code_of_new_key(Oid table, const std::vector<std::string>& columns, Oid referenced, const std::vector<std::string>& referenced_columns);

// Which state of the catalogs is meant: the newest, or that of the snapshot that is active.
enum class CatalogMoment { now, of_snapshot };

// Leaves (storage) and inner nodes below partitioned tables, the roots themselves left out.
std::vector<Oid> partitions_of(const std::vector<Oid>& roots, CatalogMoment moment = CatalogMoment::now);

std::string oid_array(const std::vector<Oid>& oids);  // {1,2,3}

}  // namespace snapback::service
