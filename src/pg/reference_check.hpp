// Rows that point at rows which would not be there, found without writing anything: both sides as sets of hashes of their keys' text.
#pragma once

#include <string>
#include <vector>

#include "core/format/row_parser.hpp"
#include "pg/pg.hpp"
#include "pg/record_sort.hpp"

namespace snapback::pg {

enum class ReferenceSide { referenced, referencing };

// Only for columns whose equal values have equal texts. Memory: one sort of work_mem.
class ReferenceCheck {
 public:
  // `match_full`: a key that is NULL in part counts as one that points at nothing.
  explicit ReferenceCheck(bool match_full) : match_full_(match_full) {}

  // All rows of a live table, under the newest snapshot; ACCESS SHARE held.
  void add_live(Oid relation, const std::vector<AttrNumber>& columns, ReferenceSide side);
  // All rows of a table of a backup.
  void add_backup(RowParser& parser, const std::vector<std::string>& columns, ReferenceSide side);

  // Referencing rows without a counterpart. To be called once, last.
  std::uint64_t missing();
  // A key was too long to be compared: the count says nothing.
  bool unsure() const { return unsure_; }

 private:
  void add(const std::string_view& key, std::size_t nulls, std::size_t columns, ReferenceSide side);

  bool match_full_, unsure_ = false;
  RecordSort keys_{3, 3};
};

}  // namespace snapback::pg
