#include "pg/spi.hpp"

#include "pg/call.hpp"

extern "C" {
#include "executor/spi.h"
#include "parser/parser.h"
}

namespace snapback::pg {

namespace {

struct Result {
  SPITupleTable* table;
  uint64 rows;
};

enum class Mode { read, write, write_as_is };

std::vector<Row> run(const std::string& sql, const std::vector<Cell>& parameters, long limit, Mode mode = Mode::read) {
  std::vector<Oid> types(parameters.size(), TEXTOID);
  std::vector<Datum> values(parameters.size());
  std::vector<char> nulls(parameters.size() + 1, ' ');
  Result result = call([&]() -> Result {
    // operators and functions of ours are the server's own, whatever the caller's search_path holds
    int nest_level = NewGUCNestLevel();
    if (mode != Mode::write_as_is)
      (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    SPI_connect();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i])
        values[i] = PointerGetDatum(cstring_to_text_with_len(parameters[i]->data(), static_cast<int>(parameters[i]->size())));
      else
        nulls[i] = 'n';
    }
    int code = SPI_execute_with_args(sql.c_str(), static_cast<int>(types.size()), types.data(), values.data(), nulls.data(), mode == Mode::read, limit);
    if (code < 0 || (mode == Mode::read && code != SPI_OK_SELECT)) elog(ERROR, "query returned %d", code);
    AtEOXact_GUC(true, nest_level);
    return {SPI_tuptable, SPI_processed};
  });
  // without RETURNING there is a count of rows and no table
  std::vector<Row> rows(result.table != nullptr ? result.rows : 0);
  int columns = result.table != nullptr ? result.table->tupdesc->natts : 0;
  for (uint64 r = 0; r < rows.size(); ++r) {
    rows[r].resize(columns);
    for (int c = 0; c < columns; ++c) {
      const char* text = call([&] { return SPI_getvalue(result.table->vals[r], result.table->tupdesc, c + 1); });
      if (text) rows[r][c].emplace(text);
    }
  }
  call([] { SPI_finish(); });
  return rows;
}

}  // namespace

std::vector<Row> query_active(const std::string& sql, const std::vector<Cell>& parameters, long limit) {
  return run(sql, parameters, limit);
}

std::vector<Row> query(const std::string& sql, const std::vector<Cell>& parameters, long limit) {
  call([] { PushActiveSnapshot(GetLatestSnapshot()); });
  auto rows = run(sql, parameters, limit);
  call([] { PopActiveSnapshot(); });
  return rows;
}

std::vector<Row> modify(const std::string& sql, const std::vector<Cell>& parameters) { return run(sql, parameters, 0, Mode::write); }

std::vector<Row> modify_as_is(const std::string& sql, const std::vector<Cell>& parameters) { return run(sql, parameters, 0, Mode::write_as_is); }

void execute(const std::string& sql) {
  call([&] {
    // notices of definitions (merged columns, skipped existing things) are not the caller's
    int nest_level = NewGUCNestLevel();
    (void)set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    SPI_connect();
    if (list_length(raw_parser(sql.c_str(), RAW_PARSE_DEFAULT)) != 1) elog(ERROR, "this is not one statement");
    int code = SPI_execute(sql.c_str(), false, 0);
    if (code < 0) elog(ERROR, "statement returned %s", SPI_result_code_string(code));
    SPI_finish();
    AtEOXact_GUC(true, nest_level);
  });
}

std::vector<std::string> search_path() {
  struct Names {
    char** values;
    int count;
  };
  Names names = call([]() -> Names {
    List* schemas = fetch_search_path(true);
    Names found{static_cast<char**>(palloc(sizeof(char*) * (list_length(schemas) + 1))), 0};
    ListCell* cell;
    foreach (cell, schemas) {
      char* name = get_namespace_name(lfirst_oid(cell));
      if (name != nullptr) found.values[found.count++] = name;
    }
    return found;
  });
  return {names.values, names.values + names.count};
}

std::string array_literal(const std::vector<std::string>& items) {
  std::string literal = "{";
  for (auto& item : items) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (char c : item) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  return literal + "}";
}

std::string quote_identifier(const std::string& name) {
  return call([&] { return ::quote_identifier(name.c_str()); });
}

std::string quote_literal(const std::string& text) {
  return call([&] { return quote_literal_cstr(text.c_str()); });
}

std::string qualified(const std::string& schema, const std::string& name) {
  return quote_identifier(schema) + "." + quote_identifier(name);
}

}  // namespace snapback::pg
