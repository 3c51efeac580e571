// What has to happen to stored files when the transaction ends: removals and pins take effect at commit, a safety backup goes when its restore is rolled back.
#pragma once

#include <string>

namespace snapback::service {

// From _PG_init.
void register_transaction_callbacks();

// Remove backup `id` (file and sidecar) at commit.
void remove_at_commit(const std::string& directory, const std::string& id);
// Pin or unpin backup `id` in its sidecar at commit.
void pin_at_commit(const std::string& directory, const std::string& id, bool pinned);
// Remove backup `id` when this (sub)transaction is rolled back.
void remove_at_abort(const std::string& directory, const std::string& id);

}  // namespace snapback::service
