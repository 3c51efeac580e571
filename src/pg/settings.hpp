// The configuration parameters (docs/settings.md).
#pragma once

namespace snapback::pg {

struct Settings {
  int compression_level;        // zstd, 1..19
  bool encrypt;                 // refused until encryption is there
  bool file_group_read;         // derived from pg_snapback.file_mode: 0640 instead of 0600
  char* file_mode;
  char* keep_manual;            // "forever" or a length of time
  int min_free_space;           // megabytes
  double reload_threshold;      // share of differing rows, 0 to 1
  char* storage_location;       // directory, empty: beside the data directory
  char* tables;                 // comma-separated patterns, empty: every user table
#ifdef PG_SNAPBACK_TESTING
  char* test_fault;             // "<point>=<action>", see pg/fault.hpp
  int test_largest_row;         // bytes, see pg/large_values.cpp
#endif
  bool enabled;                 // schedules are followed
  int history_days;             // how long runs, slots and calls are remembered, 0: for ever
};

extern Settings settings;

// Called once from _PG_init.
void define_settings();

}  // namespace snapback::pg
