// The tables of a profile as this database has them: what is exported, along which references rows are collected, what no class is known for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/profile.hpp"
#include "service/catalog.hpp"
#include "service/graph/tables.hpp"

namespace snapback::service {

inline constexpr std::size_t no_table = static_cast<std::size_t>(-1);

struct SourceColumn {
  const ColumnDescription* live = nullptr;
  std::string logical;              // UTF-8
  bool exported = false;
  std::optional<Json> reset;        // the value that stands in the document instead
};

// A reference from a table of the profile to another, along a foreign key of the catalog or an entry of the profile.
struct SourceReference {
  graph::ReferenceKind kind = graph::ReferenceKind::foreign_key;
  const graph::Reference* declared = nullptr;   // null: the catalog's
  std::vector<std::size_t> columns;             // positions in the table's columns; one for all kinds but foreign_key
  std::size_t table = no_table;                 // the target; no_table for polymorphic
  std::vector<std::size_t> to;                  // positions in its columns
  std::vector<std::string> equality;            // operator of each pair: OPERATOR(schema.=)
  std::optional<std::size_t> type_column;       // polymorphic
  std::vector<std::pair<std::string, std::size_t>> types;  // polymorphic: value -> table
  bool not_null = false;                        // a foreign key that always points somewhere
  bool owns = false;                            // rows are collected along it
};

// Rows of the table are collected when other.reference points at them: an owned table behind a join table.
struct Through {
  std::size_t table = 0;
  std::size_t reference = 0;
};

struct SourceTable {
  const graph::TableProfile* profile = nullptr;
  TableDescription live;
  std::vector<SourceColumn> columns;
  std::vector<std::size_t> key;    // empty: none
  std::vector<std::size_t> order;
  std::vector<std::size_t> natural_key;
  std::vector<SourceReference> references;  // from this table to others of the profile
  std::vector<Through> through;
  // As whom statements on this table run: the caller, whose policies apply. A superuser's rights are not lent to code of the table's owner (expressions of indexes are run by the planner),
  // so there it is the owner; the superuser itself where policies are forced on the owner and there is no such code.
  Oid reader = InvalidOid;
  bool row_security = false;  // policies apply to the reader

  const std::string& name() const { return profile->name; }
  graph::TableClass table_class() const { return profile->table_class; }
  std::optional<std::size_t> column(const std::string& logical) const;
  std::string sql_name() const;
  bool in_document() const;  // class root, own, link, ref or bank
  bool is_content() const;   // of these all but ref: rows are collected downwards
};

// A table outside the profile that has a reference from or to a table whose rows are copied. Texts in UTF-8.
struct UnknownTable {
  std::string name;       // qualified
  std::string reference;  // table(columns) -> table, for people
  bool upward = false;    // content points at it; otherwise it points at content
};

struct Source {
  graph::Profile profile;
  std::vector<SourceTable> tables;     // in the profile's order, those that exist
  std::vector<std::string> absent;     // logical names of tables for a document that do not
  std::vector<UnknownTable> unknown;

  std::optional<std::size_t> table(const std::string& logical) const;
  const SourceTable& root() const;
};

// Reads the catalog along the caller's search path. Raises 42P01 when the root's table is not there, 22023 when a profile names columns as key that are not there.
Source find_source(graph::Profile profile);

}  // namespace snapback::service
