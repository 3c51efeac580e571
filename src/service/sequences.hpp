// Sequences of restored tables.
#pragma once

#include "service/restore_plan.hpp"

namespace snapback::service {

// Moves every sequence that the written tables use to at least where it was in the backup, transactionally; one that is further on already stays. Adds a note to the table for each that moved.
void advance_sequences(RestorePlan& plan);

}  // namespace snapback::service
