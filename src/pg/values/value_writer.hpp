// Writes Datums of one type as JSON values.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pg/pg.hpp"
#include "pg/values/memory_sink.hpp"
#include "pg/values/out.hpp"
#include "pg/values/scalars.hpp"
#include "pg/values/text.hpp"
#include "pg/values/type_shape.hpp"

namespace snapback::pg::values {

class ValueWriter {
 public:
  // The server's lookup structures go to `context`, which must live as long as the writer. Guards its calls itself.
  ValueWriter(const TypeShape& shape, MemoryContext context);
  ~ValueWriter();
  ValueWriter(const ValueWriter&) = delete;
  ValueWriter& operator=(const ValueWriter&) = delete;

  // One value that is not NULL. To be called inside pg::call; may raise PostgreSQL errors and what the sink throws. What it allocates in CurrentMemoryContext for large
  // values is freed again, the rest is the caller's to reset.
  void write(Datum value, Out& out) {
    switch (kind_) {
      case Kind::int2:
        out.take(put_integer(out.need(integer_room), static_cast<std::int32_t>(DatumGetInt16(value))));
        return;
      case Kind::int4:
        out.take(put_integer(out.need(integer_room), DatumGetInt32(value)));
        return;
      case Kind::text: {
        auto* text = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
        if (VARATT_IS_COMPRESSED(text) || VARATT_IS_EXTERNAL(text)) [[unlikely]]
          write_toasted_text(value, out);
        else
          write_text(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
        return;
      }
      default:
        write_others(value, out);
    }
  }

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
  void write_others(Datum value, Out& out);
  void write_rare(Datum value, Out& out);
  void write_toasted_text(Datum value, Out& out);
  void write_bytes(Datum value, Out& out);
  void write_float(Datum value, Out& out);
  void write_timestamp(Datum value, Out& out);
  void write_numeric(Datum value, Out& out);
  void write_character(Datum value, Out& out);
  void write_enum(Datum value, Out& out);
  void write_array(Datum value, Out& out);
  void write_composite(Datum value, Out& out);
  void write_output(Datum value, Out& out);

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

}  // namespace snapback::pg::values
