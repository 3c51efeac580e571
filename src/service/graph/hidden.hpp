// Rows that belong to a collection and that row security hides from the caller.
#pragma once

#include "service/graph/collect.hpp"
#include "service/graph/findings.hpp"

namespace snapback::service {

// Computes the closure again without row security, of the tables where policies apply to the caller and of what hangs below them, for counts only. Adds one error for each table of which the
// caller sees less: "3 of 40 lessons are hidden from you".
void find_hidden(const Source& source, const Collection& collection, Findings& findings);

}  // namespace snapback::service
