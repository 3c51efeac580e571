// The extension's own record of imports: which rows each made, under which keys, and what they looked like then.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph/plan_report.hpp"
#include "service/graph/import_apply.hpp"

namespace snapback::service {

struct EarlierBatch {
  std::string batch, imported_at;
};

// The latest import of a document with this content by this profile that was not undone.
std::optional<EarlierBatch> earlier_batch(const std::string& profile, const std::string& digest);

// One import of a document at a time, until the end of the transaction.
void lock_document(const std::string& digest);

void record_batch(const ImportPlan& plan, const Imported& imported, const std::string& hash);

struct BatchTable {
  int number = 0;
  std::string schema, name, logical;
  std::vector<std::string> key, columns;  // columns that find a row, and those of its fingerprint
  int group = 0;
};

struct Batch {
  std::string batch, profile, state, imported_by;
  std::vector<BatchTable> tables;  // in the order in which they were inserted
};

// Raises 42704 when there is no such batch or it is another's: superusers, and members of the role that imported, may have it. `lock` keeps others from undoing it meanwhile.
Batch find_batch(const std::string& batch, bool lock);

struct BatchRow {
  std::string key;          // {"id": "12"}, values as text
  std::string source_key, fingerprint;
};

// The rows that the batch created in one table.
std::vector<BatchRow> batch_rows(const std::string& batch, int table);

void mark_undone(const std::string& batch);

}  // namespace snapback::service
