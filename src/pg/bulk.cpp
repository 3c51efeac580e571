#include "pg/bulk.hpp"

#include "pg/call.hpp"

extern "C" {
#include "executor/spi.h"
#include "utils/array.h"
}

namespace snapback::pg {

namespace {

struct Piece {
  const char* data;
  std::size_t size;
};

// Runs inside pg::call only. Null: no value.
Datum text_array_unsafe(const Piece* pieces, int count) {
  auto* values = static_cast<Datum*>(palloc_extended(sizeof(Datum) * (count + 1), MCXT_ALLOC_HUGE));
  auto* nulls = static_cast<bool*>(palloc_extended(count + 1, MCXT_ALLOC_HUGE));
  for (int i = 0; i < count; ++i) {
    nulls[i] = pieces[i].data == nullptr;
    if (nulls[i]) continue;
    char* text = pg_any_to_server(const_cast<char*>(pieces[i].data), static_cast<int>(pieces[i].size), PG_UTF8);
    std::size_t size = text == pieces[i].data ? pieces[i].size : strlen(text);
    values[i] = PointerGetDatum(cstring_to_text_with_len(text, static_cast<int>(size)));
  }
  int dimensions[1] = {count}, lower[1] = {1};
  ArrayType* array = count == 0 ? construct_empty_array(TEXTOID) : construct_md_array(values, nulls, 1, dimensions, lower, TEXTOID, -1, false, TYPALIGN_INT);
  return PointerGetDatum(array);
}

// Opens SPI and leaves it open, with the result in SPI_tuptable and SPI_processed.
void run(const std::string& sql, const std::vector<const Column*>& columns, bool read_only) {
  std::vector<Piece> pieces;
  std::size_t total = 0;
  for (auto* column : columns) total += column->size();
  pieces.reserve(total);
  for (auto* column : columns)
    for (auto& cell : *column) pieces.push_back(cell ? Piece{cell->data(), cell->size()} : Piece{nullptr, 0});
  std::vector<Oid> types(columns.size(), TEXTARRAYOID);
  std::vector<Datum> values(columns.size());
  std::vector<int> counts;
  for (auto* column : columns) counts.push_back(static_cast<int>(column->size()));
  call([&] {
    SPI_connect();
    const Piece* next = pieces.data();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      values[i] = text_array_unsafe(next, counts[i]);
      next += counts[i];
    }
    int code = SPI_execute_with_args(sql.c_str(), static_cast<int>(types.size()), types.data(), values.data(), nullptr, read_only, 0);
    if (code < 0) elog(ERROR, "statement returned %s", SPI_result_code_string(code));
  });
}

}  // namespace

std::vector<Row> query_columns(const std::string& sql, const std::vector<const Column*>& columns) {
  call([] { PushActiveSnapshot(GetLatestSnapshot()); });
  run(sql, columns, true);
  SPITupleTable* table = SPI_tuptable;
  std::vector<Row> rows(SPI_processed);
  int width = table->tupdesc->natts;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    rows[r].resize(width);
    for (int c = 0; c < width; ++c) {
      const char* text = call([&]() -> const char* {
        char* found = SPI_getvalue(table->vals[r], table->tupdesc, c + 1);
        return found == nullptr ? nullptr : pg_server_to_any(found, static_cast<int>(strlen(found)), PG_UTF8);
      });
      if (text != nullptr) rows[r][c].emplace(text);
    }
  }
  call([] {
    SPI_finish();
    PopActiveSnapshot();
  });
  return rows;
}

std::uint64_t execute_columns(const std::string& sql, const std::vector<const Column*>& columns) {
  run(sql, columns, false);
  std::uint64_t processed = SPI_processed;
  call([] { SPI_finish(); });
  return processed;
}

}  // namespace snapback::pg
