// Tables that are gone, made anew from a backup's schema part.
#pragma once

#include <string>
#include <vector>

#include "service/restore_plan.hpp"

namespace snapback::service {

// Before the rows: schemas, enum types, sequences and bare tables of every planned table without a live one; partitioned tables first. Fills `live` of each. A table that a role of this
// database owned when it was backed up goes to that role again where the user may do that.
void create_missing_tables(RestorePlan& plan, const std::string& into_schema);
// After the rows: primary keys, unique, check and exclusion constraints, indexes.
void create_constraints(RestorePlan& plan, const std::string& into_schema);
// After all constraints: foreign keys of the new tables, and those of restored tables that pointed at one that was gone.
void create_foreign_keys(RestorePlan& plan, const std::string& into_schema);

}  // namespace snapback::service
