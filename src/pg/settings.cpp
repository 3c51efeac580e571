#include "pg/settings.hpp"

#include "core/plan/length_of_time.hpp"
#include "pg/pg.hpp"

namespace snapback::pg {

Settings settings = {1, false, false, nullptr, nullptr, 1024, 0.3, nullptr, nullptr
#ifdef PG_SNAPBACK_TESTING
                     , nullptr, 1 << 29
#endif
                     , true, 90
};

namespace {

bool check_file_mode(char** value, void**, GucSource) {
  if (strcmp(*value, "0600") == 0 || strcmp(*value, "0640") == 0) return true;
  GUC_check_errdetail("Valid values are \"0600\" and \"0640\".");
  return false;
}

void assign_file_mode(const char* value, void*) { settings.file_group_read = strcmp(value, "0640") == 0; }

bool check_keep_manual(char** value, void**, GucSource) {
  if (strcmp(*value, "forever") == 0 || parse_length_of_time(*value)) return true;
  GUC_check_errdetail("Valid values are \"forever\" and a number with second, minute, hour, day, week, month or year, such as \"30 days\".");
  return false;
}

bool check_storage_location(char** value, void**, GucSource) {
  if ((*value)[0] == '\0' || (*value)[0] == '/') return true;
  GUC_check_errdetail("The location must be an absolute path.");
  return false;
}

}  // namespace

// Sorted by name.
void define_settings() {
  DefineCustomIntVariable("pg_snapback.compression_level", "Sets the zstd compression level of new backups.", nullptr, &settings.compression_level, 1, 1,
                          19, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("pg_snapback.enabled", "Follows the schedules of plans.", "What is started by hand runs all the same.", &settings.enabled, true, PGC_SIGHUP, 0,
                           nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("pg_snapback.encrypt", "Encrypts new backups.", nullptr, &settings.encrypt, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("pg_snapback.file_mode", "Sets the permissions of new backup files.", "0600, or 0640 to let the server's group read them.",
                             &settings.file_mode, "0600", PGC_SIGHUP, 0, check_file_mode, assign_file_mode, nullptr);
  DefineCustomStringVariable("pg_snapback.keep_manual", "Sets how long backups that no plan made are kept.", "A length of time such as \"30 days\", or \"forever\".",
                             &settings.keep_manual, "30 days", PGC_SUSET, 0, check_keep_manual, nullptr, nullptr);
  DefineCustomIntVariable("pg_snapback.min_free_space", "Sets the free space in the storage below which an alert opens.", nullptr, &settings.min_free_space, 1024, 0,
                          INT_MAX, PGC_SUSET, GUC_UNIT_MB, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("pg_snapback.history_days", "Sets for how many days runs, due times and calls are remembered.", "0 means for ever.", &settings.history_days, 90, 0, 36500,
                          PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomRealVariable("pg_snapback.reload_threshold", "Sets the share of differing rows above which a restore reloads a table instead of writing the rows one by one.",
                           "A reload keeps readers out of the table.", &settings.reload_threshold, 0.3, 0, 1, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("pg_snapback.storage_location", "Sets the directory in which backups are stored.",
                             "Empty means a directory beside the data directory, named after it with \"-snapback\" added.", &settings.storage_location, "",
                             PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_storage_location, nullptr, nullptr);
  DefineCustomStringVariable("pg_snapback.tables", "Sets the tables that a backup takes when it is not told which.",
                             "Comma-separated names or patterns; empty means every user table.", &settings.tables, "", PGC_USERSET, 0, nullptr, nullptr,
                             nullptr);
#ifdef PG_SNAPBACK_TESTING
  DefineCustomStringVariable("pg_snapback.test_fault", "Makes a named point in the code misbehave (test builds only).", nullptr, &settings.test_fault, "",
                             PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("pg_snapback.test_largest_row", "Sets the size of the values above which a row is written with pointers to them (test builds only).", nullptr,
                          &settings.test_largest_row, 1 << 29, 1 << 10, 1 << 29, PGC_SUSET, GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
#endif
  MarkGUCPrefixReserved("pg_snapback");
}

}  // namespace snapback::pg
