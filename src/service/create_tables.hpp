// Tables that are gone, made anew from a backup's schema part.
#pragma once

#include <string>
#include <vector>

#include "service/restore_plan.hpp"

namespace snapback::service {

// Before the rows: schemas, enum types, sequences and bare tables of every planned table without a live one; partitioned tables first. Fills `live` of each. A table that a role of this
// database owned when it was backed up goes to that role again where the user may do that.
void create_missing_tables(RestorePlan& plan, const std::string& into_schema);
// After the rows: primary keys, unique and check constraints, indexes without expressions.
void create_constraints(RestorePlan& plan);
// After those of all tables: foreign keys of the new tables, and those of restored tables that pointed at one that was gone; then exclusion constraints and indexes with expressions. What could
// run an owner's code with the rights of somebody else is left out, with a note.
void create_foreign_keys(RestorePlan& plan, const std::string& into_schema);

// Whether the schema has a relation of that name, of whatever kind.
bool relation_exists(const std::string& schema, const std::string& name);

}  // namespace snapback::service
