// course_import, course_undo and their general forms.
#pragma once

#include <string>

#include "service/graph/import_plan.hpp"

namespace snapback::service {

// Plans, and unless it is a dry run applies, an import as the current user. Returns the report. Raises 22023 or 42501 when it is to be applied and the plan has errors, 55000 when the plan
// is no longer the expected one, and what the server raises while rows are inserted: then nothing is changed.
graph::Json import_document(const ImportRequest& request);

// Takes back what an import created: exactly those rows, in reverse order. A dry run lists what stands against it. Raises 55000 when it is to be applied and rows changed since, or others
// point at them now.
graph::Json undo_import(const std::string& batch, bool dry_run);

}  // namespace snapback::service
