// The tables that an import writes to: those of a profile, as this database has them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/plan_report.hpp"
#include "core/graph/profile.hpp"
#include "service/catalog.hpp"

namespace snapback::service {

struct TargetColumn {
  const ColumnDescription* live = nullptr;
  std::string logical;
  std::vector<std::string> labels;  // of an enum, or of a check that lists the values
  bool is_enum = false;
  char type_kind = 'b';      // typtype: b, c(omposite), d(omain), e(num), r(ange), m(ultirange)
  char type_category = 'U';  // typcategory: A(rray), B(oolean), N(umeric), S(tring), D(ate/time), ...
  bool is_json = false, is_jsonb = false;
  std::string bare_type;  // the type without its modifier, under a domain too, as SQL

  bool generated() const { return live->generated != '\0'; }
  bool has_default() const { return !live->default_expression.empty() || live->identity != '\0'; }
  // A row without a value for it is refused.
  bool required() const { return live->not_null && !has_default() && !generated(); }
};

struct TargetReference {
  std::vector<std::size_t> columns;  // positions in TargetTable::columns
  std::size_t table = 0;             // position in Target::tables
  std::vector<std::size_t> to;
  std::string constraint;            // name of the foreign key; empty: only the profile knows it
};

struct UniqueKey {
  std::string name;
  std::vector<std::size_t> columns;
  bool nulls_equal = false;
};

struct TargetTable {
  const graph::TableProfile* profile = nullptr;
  TableDescription live;
  std::vector<TargetColumn> columns;
  std::vector<std::size_t> key;  // the profile's, else the primary key, else a unique key of NOT NULL columns; empty: rows have no name of their own
  std::vector<TargetReference> references;  // to tables of the profile
  std::vector<UniqueKey> unique_keys;
  std::vector<std::string> triggers;  // names of the user's triggers that an INSERT fires
  bool deferrable = false;            // it has constraints that may wait for the end of the transaction

  std::string sql_name() const;
  std::string name() const { return profile->name; }
  std::optional<std::size_t> column(const std::string& logical) const;
  // The rows are written with the caller's rights; a superuser's would be lent to the owner's triggers and checks, so there it is the owner's.
  Oid writer() const;
};

struct Target {
  graph::Profile profile;
  std::vector<TargetTable> tables;             // those that exist, in the profile's order
  std::map<std::string, std::size_t> by_name;  // logical name -> position

  const TargetTable* table(const std::string& logical) const;
};

// Finds the profile's tables along the caller's search path and reads what an import has to know of them. Tables that are not there are left out.
Target find_target(graph::Profile profile);

// Locks the tables that the current user may insert into, so that their definitions stay; they have to be looked at again afterwards.
void lock_target(const Target& target);

}  // namespace snapback::service
