// References of collected rows that lead out of the collection.
#pragma once

#include "service/graph/collect.hpp"
#include "service/graph/findings.hpp"

namespace snapback::service {

// Every reference of a collected row must point at a collected row. One that does not: a join row is left out, a nullable value is left out of its row, both with a warning and a count;
// otherwise it is an error. A shared row that is not there although somebody points at it is one that the caller may not see: an error.
void check_references(const Source& source, Collection& collection, Findings& findings);

}  // namespace snapback::service
