// The road by difference: which rows of a live table and of a backup differ, and only those written.
#pragma once

#include "core/format/row_parser.hpp"
#include "core/format/row_sink.hpp"
#include "pg/pg.hpp"
#include "pg/progress.hpp"
#include "pg/record_sort.hpp"
#include "pg/table_target.hpp"

namespace snapback::pg {

// What find_difference() found. Rows are recognised by the hashes of their lines, over the columns that come from the backup; a changed row is paired with its live one by the text of its
// key. A pair that is missed (1.0 and 1.00 are one key) counts as deleted and inserted, and ends the same.
struct Difference {
  std::uint64_t inserted = 0, updated = 0, deleted = 0, unchanged = 0;
  std::uint64_t backup_rows = 0;
  Fingerprint backup_fingerprint;  // of the backup's rows as converted for this table, over the kept columns
  RecordSort removals{1, 1};       // place of the live row
  RecordSort writes{3, 1};         // number of the row in the backup, place of the live row it replaces or -1, whether that one is updated in place

  std::uint64_t differing() const { return inserted + updated + deleted; }
  void close() {
    removals.close();
    writes.close();
  }
};

// Reads both sides once, under the newest snapshot. Needs a lock that keeps writers out when the difference is to be applied. `key`: attribute numbers, may be empty. Values are converted as
// the table's owner where the mapping asks for it. Memory: 14 MB of waiting rows and four sorts of work_mem each, whatever the table's size. Raises what reading and converting raise.
void find_difference(Oid relation, const std::string& name, const ColumnMapping& mapping, const std::vector<AttrNumber>& key, RowParser& parser, std::uint64_t rows, Difference& found,
                     Progress& progress);

// Makes the table the backup: first every row that goes is removed, then changed rows are updated in place and the others inserted, so that no unique value is taken by a row that goes.
// Below triggers and rules, as the table's owner. SHARE ROW EXCLUSIVE must be held since before find_difference(). A second parser over the same rows. With `write` false nothing is written,
// but every row that would be is completed and checked (ACCESS SHARE will do). Uses up `found`. Raises 23505 and 23P01 as the server does, deferrable constraints included.
void apply_difference(Oid relation, const std::string& name, const ColumnMapping& mapping, RowParser& parser, Difference& found, bool write, Progress& progress);

}  // namespace snapback::pg
