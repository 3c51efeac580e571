// Writes Datums of one type as JSON values.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/format/row_sink.hpp"
#include "pg/pg.hpp"
#include "pg/values/memory_sink.hpp"
#include "pg/values/type_shape.hpp"

namespace snapback::pg::values {

class ValueWriter {
 public:
  // The server's lookup structures go to `context`, which must live as long as the writer. Guards its calls itself.
  ValueWriter(const TypeShape& shape, MemoryContext context);
  ~ValueWriter();
  ValueWriter(const ValueWriter&) = delete;
  ValueWriter& operator=(const ValueWriter&) = delete;

  // One value that is not NULL. To be called inside pg::call; may raise PostgreSQL errors and what the sink throws. What it allocates in CurrentMemoryContext is freed again
  // for single large values, the rest is the caller's to reset.
  void write(Datum value, RowSink& sink);

 private:
  enum class Kind : unsigned char {
    int2, int4, int8, float4, float8, boolean, text, name, character, bytes, date, time, timestamp, timestamptz, uuid, numeric, jsonb, enumeration,
    array, composite, output
  };
  struct Field {
    std::string label;  // "name":
    int position;
    std::unique_ptr<ValueWriter> writer;
  };

  static Kind kind_of(const TypeShape& shape, const FmgrInfo& output);
  void write_slowly(Datum value, RowSink& sink);
  void write_text(Datum value, RowSink& sink);
  void write_bytes(Datum value, RowSink& sink);
  void write_numeric(Datum value, RowSink& sink);
  void write_enum(Datum value, RowSink& sink);
  void write_array(Datum value, RowSink& sink);
  void write_composite(Datum value, RowSink& sink);
  void write_output(Datum value, RowSink& sink);

  Kind kind_;
  bool as_array_ = false;  // form array
  FmgrInfo output_;
  std::unique_ptr<ValueWriter> element_;
  int16 element_length_ = 0;
  bool element_by_value_ = false;
  char element_alignment_ = 0;
  std::vector<Field> fields_;
  TupleDesc description_ = nullptr;
  std::unordered_map<Oid, std::string> labels_;  // of an enum, as JSON values
  std::unique_ptr<MemorySink> label_;
};

// `"name":` with the name escaped.
std::string json_label(const std::string& utf8_name);

}  // namespace snapback::pg::values
