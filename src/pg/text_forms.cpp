#include "pg/text_forms.hpp"

#include "pg/call.hpp"

namespace snapback::pg {

namespace {

struct Setting {
  const char* name;
  const char* value;
};

constexpr Setting forced[] = {
    {"array_nulls", "on"},        {"bytea_output", "hex"},  {"constraint_exclusion", "off"}, {"DateStyle", "ISO, MDY"}, {"extra_float_digits", "1"},
    {"IntervalStyle", "postgres"}, {"lc_monetary", "C"},     {"quote_all_identifiers", "off"}, {"row_security", "off"},
    {"search_path", "pg_catalog, pg_temp"}, {"standard_conforming_strings", "on"}, {"synchronize_seqscans", "off"}, {"TimeZone", "UTC"}, {"xmlbinary", "base64"}, {"xmloption", "content"},
};

}  // namespace

TextForms::TextForms() {
  nest_level_ = call([] {
    int level = NewGUCNestLevel();
    for (const auto& setting : forced)
      (void)set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    return level;
  });
}

void TextForms::close() {
  call([&] { AtEOXact_GUC(true, nest_level_); });
}

CallerForms::CallerForms() : path_(namespace_search_path) {
  call([&] {
    (void)set_config_option("search_path", path_.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    (void)set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  });
}

}  // namespace snapback::pg
