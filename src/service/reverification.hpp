// Reading kept backups again: what is due, and when next. A worker does it with verify_backup(), which stores the result in the backup's sidecar.
#pragma once

#include <string>
#include <vector>

#include "core/plan/reverify.hpp"
#include "service/plans.hpp"

namespace snapback::service {

// What is due of the plan's good backups, with the level at which each is to be verified. Raises 22023 for a broken row.
std::vector<DueVerification> verifications_due(const Plan& plan);

// Moves the plan's next_reverify to the next time after now. To be called when a run of re-verifications ends, well or not.
void reverification_done(const Plan& plan);

}  // namespace snapback::service
