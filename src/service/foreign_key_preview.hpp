// Foreign keys as they would stand after a restore.
#pragma once

#include <vector>

#include "pg/progress.hpp"
#include "service/restore_plan.hpp"

namespace snapback::service {

// For a dry run of mode replace, after the tables were previewed: what would be refused is said on the table that is restored (action `refused`), with the tables that would have to come
// along. Keys whose columns cannot be compared by their text are named as not checked. Reads the keys of both sides; needs ACCESS SHARE on the tables of the keys.
void preview_foreign_keys(RestorePlan& plan, const std::vector<ForeignKeyDescription>& keys, pg::Progress& progress);

}  // namespace snapback::service
