#include "pg/values/value_writer.hpp"

#include <cmath>

#include "pg/call.hpp"
#include "pg/values/jsonb_writer.hpp"
#include "pg/values/scalars.hpp"
#include "pg/values/text.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/arrayaccess.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
}

namespace snapback::pg::values {

namespace {

constexpr std::int64_t largest_exact = (std::int64_t{1} << 53) - 1;

inline void release(const void* detoasted, Datum value) {
  if (detoasted != DatumGetPointer(value)) pfree(const_cast<void*>(detoasted));
}

}  // namespace

std::string json_label(const std::string& name) {
  std::string label(escaped_size(name.size()) + 3, '\0');
  char* out = label.data();
  *out++ = '"';
  const char* p = name.data();
  out = escape_text(out, p, p + name.size(), false);
  *out++ = '"';
  *out++ = ':';
  label.resize(static_cast<std::size_t>(out - label.data()));
  return label;
}

ValueWriter::Kind ValueWriter::kind_of(const TypeShape& shape, const FmgrInfo& output) {
  switch (shape.base) {
    case INT2OID: return Kind::int2;
    case INT4OID: return Kind::int4;
    case INT8OID: return Kind::int8;
    case FLOAT4OID: return Kind::float4;
    case FLOAT8OID: return Kind::float8;
    case BOOLOID: return Kind::boolean;
    case NAMEOID: return Kind::name;
    case CHAROID: return Kind::character;
    case BYTEAOID: return Kind::bytes;
    case DATEOID: return Kind::date;
    case TIMEOID: return Kind::time;
    case TIMESTAMPOID: return Kind::timestamp;
    case TIMESTAMPTZOID: return Kind::timestamptz;
    case UUIDOID: return Kind::uuid;
    case NUMERICOID: return Kind::numeric;
    // xml_out would drop the declaration's encoding; what is stored is text
    case XMLOID:
    case JSONOID: return Kind::text;
    case JSONBOID: return Kind::jsonb;
  }
  if (shape.is_array) return Kind::array;
  if (shape.form == Form::object) return Kind::composite;
  if (shape.kind == TYPTYPE_ENUM) return Kind::enumeration;
  // text, varchar, bpchar, citext and all that borrow their output functions
  if (shape.length == -1 && (output.fn_addr == textout || output.fn_addr == varcharout || output.fn_addr == bpcharout)) return Kind::text;
  return Kind::output;
}

ValueWriter::ValueWriter(const TypeShape& shape, MemoryContext context) {
  // a function's or operator's bare name may be ambiguous, and is then refused on input
  const Oid output = shape.base == REGPROCOID ? F_REGPROCEDUREOUT : shape.base == REGOPEROID ? F_REGOPERATOROUT : shape.output;
  call([&] { fmgr_info_cxt(output, &output_, context); });
  kind_ = kind_of(shape, output_);
  if (kind_ == Kind::array && shape.form == Form::array) {
    as_array_ = true;
    element_ = std::make_unique<ValueWriter>(*shape.element, context);
    element_length_ = shape.element->length;
    element_by_value_ = shape.element->by_value;
    element_alignment_ = shape.element->alignment;
  }
  if (kind_ == Kind::enumeration) label_ = std::make_unique<MemorySink>();
  if (kind_ == Kind::composite) {
    call([&] {
      MemoryContext old = MemoryContextSwitchTo(context);
      description_ = lookup_rowtype_tupdesc_copy(shape.base, -1);
      MemoryContextSwitchTo(old);
    });
    for (const auto& field : shape.fields)
      fields_.push_back({json_label(field.name), field.position, std::make_unique<ValueWriter>(*field.shape, context)});
  }
}

ValueWriter::~ValueWriter() = default;

void ValueWriter::write(Datum value, RowSink& sink) {
  switch (kind_) {
    case Kind::int2:
      sink.commit(put_integer(sink.reserve(integer_room), DatumGetInt16(value)));
      return;
    case Kind::int4:
      sink.commit(put_integer(sink.reserve(integer_room), DatumGetInt32(value)));
      return;
    case Kind::int8: {
      const std::int64_t number = DatumGetInt64(value);
      char* out = sink.reserve(integer_room + 2);
      if (number >= -largest_exact && number <= largest_exact) {
        out = put_integer(out, number);
      } else {
        *out++ = '"';
        out = put_integer(out, number);
        *out++ = '"';
      }
      sink.commit(out);
      return;
    }
    case Kind::boolean:
      if (DatumGetBool(value))
        sink.append("true", 4);
      else
        sink.append("false", 5);
      return;
    case Kind::text:
      write_text(value, sink);
      return;
    case Kind::timestamp:
    case Kind::timestamptz: {
      char* out = sink.reserve(timestamp_room);
      *out++ = '"';
      if (!put_timestamp(out, DatumGetTimestamp(value))) {
        write_output(value, sink);
        return;
      }
      if (kind_ == Kind::timestamptz) {
        memcpy(out, "+00", 3);
        out += 3;
      }
      *out++ = '"';
      sink.commit(out);
      return;
    }
    case Kind::uuid: {
      char* out = sink.reserve(uuid_room + 2);
      *out++ = '"';
      out = put_uuid(out, DatumGetUUIDP(value)->data);
      *out++ = '"';
      sink.commit(out);
      return;
    }
    case Kind::numeric:
      write_numeric(value, sink);
      return;
    default:
      write_slowly(value, sink);
  }
}

void ValueWriter::write_slowly(Datum value, RowSink& sink) {
  switch (kind_) {
    case Kind::float4:
    case Kind::float8: {
      const double number = kind_ == Kind::float4 ? static_cast<double>(DatumGetFloat4(value)) : DatumGetFloat8(value);
      if (!std::isfinite(number)) {
        write_plain(sink, std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity", std::isnan(number) ? 3 : number > 0 ? 8 : 9);
        return;
      }
      if (number == 0 && std::signbit(number)) {
        write_plain(sink, "-0", 2);
        return;
      }
      char* out = sink.reserve(float_room);
      sink.commit(kind_ == Kind::float4 ? put_float4(out, DatumGetFloat4(value)) : put_float8(out, number));
      return;
    }
    case Kind::name: {
      const char* text = NameStr(*DatumGetName(value));
      values::write_text(sink, text, strnlen(text, NAMEDATALEN));
      return;
    }
    case Kind::character: {
      // the text that PostgreSQL 16 and later show; earlier ones put out the bare byte, which is no text
      const auto byte = static_cast<unsigned char>(DatumGetChar(value));
      char text[4] = {static_cast<char>(byte)};
      std::size_t size = byte == 0 ? 0 : 1;
      if (byte >= 0x80) {
        text[0] = '\\';
        text[1] = static_cast<char>('0' + (byte >> 6));
        text[2] = static_cast<char>('0' + ((byte >> 3) & 7));
        text[3] = static_cast<char>('0' + (byte & 7));
        size = 4;
      }
      values::write_text(sink, text, size);
      return;
    }
    case Kind::bytes:
      write_bytes(value, sink);
      return;
    case Kind::date: {
      char* out = sink.reserve(date_room + 2);
      *out++ = '"';
      if (!put_date(out, DatumGetDateADT(value))) {
        write_output(value, sink);
        return;
      }
      *out++ = '"';
      sink.commit(out);
      return;
    }
    case Kind::time: {
      char* out = sink.reserve(time_room + 2);
      *out++ = '"';
      out = put_time(out, DatumGetTimeADT(value));
      *out++ = '"';
      sink.commit(out);
      return;
    }
    case Kind::jsonb: {
      const void* jsonb = PG_DETOAST_DATUM(value);
      write_jsonb(sink, jsonb);
      release(jsonb, value);
      return;
    }
    case Kind::enumeration:
      write_enum(value, sink);
      return;
    case Kind::array:
      write_array(value, sink);
      return;
    case Kind::composite:
      write_composite(value, sink);
      return;
    default:
      write_output(value, sink);
  }
}

void ValueWriter::write_text(Datum value, RowSink& sink) {
  const struct varlena* text = PG_DETOAST_DATUM_PACKED(value);
  values::write_text(sink, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
  release(text, value);
}

void ValueWriter::write_bytes(Datum value, RowSink& sink) {
  const struct varlena* bytes = PG_DETOAST_DATUM_PACKED(value);
  sink.append("\"\\\\x", 4);
  sink.append_hex(reinterpret_cast<const unsigned char*>(VARDATA_ANY(bytes)), VARSIZE_ANY_EXHDR(bytes));
  sink.append("\"", 1);
  release(bytes, value);
}

void ValueWriter::write_numeric(Datum value, RowSink& sink) {
  const struct varlena* numeric = PG_DETOAST_DATUM_PACKED(value);
  const char* body = VARDATA_ANY(numeric);
  char* out = sink.reserve(numeric_room(body) + 2);
  *out++ = '"';
  out = put_numeric(out, body, VARSIZE_ANY_EXHDR(numeric));
  *out++ = '"';
  sink.commit(out);
  release(numeric, value);
}

void ValueWriter::write_output(Datum value, RowSink& sink) {
  char* text = OutputFunctionCall(&output_, value);
  values::write_text(sink, text, strlen(text));
  pfree(text);
}

void ValueWriter::write_enum(Datum value, RowSink& sink) {
  const Oid oid = DatumGetObjectId(value);
  auto found = labels_.find(oid);
  if (found == labels_.end()) {
    const char* text = OutputFunctionCall(&output_, value);
    label_->begin_row();
    values::write_text(*label_, text, strlen(text));
    found = labels_.emplace(oid, label_->text()).first;
  }
  sink.append(found->second);
}

void ValueWriter::write_array(Datum value, RowSink& sink) {
  ArrayType* array = DatumGetArrayTypeP(value);
  const int dimensions = ARR_NDIM(array);
  if (!as_array_ || dimensions > 1 || (dimensions == 1 && ARR_LBOUND(array)[0] != 1)) {
    write_output(PointerGetDatum(array), sink);
  } else {
    const int count = ArrayGetNItems(dimensions, ARR_DIMS(array));
    array_iter elements;
    array_iter_setup(&elements, reinterpret_cast<AnyArrayType*>(array));
    sink.append("[", 1);
    for (int i = 0; i < count; ++i) {
      bool is_null;
      const Datum element = array_iter_next(&elements, &is_null, i, element_length_, element_by_value_, element_alignment_);
      if (i != 0) sink.append(",", 1);
      if (is_null)
        sink.append("null", 4);
      else
        element_->write(element, sink);
    }
    sink.append("]", 1);
  }
  release(array, value);
}

void ValueWriter::write_composite(Datum value, RowSink& sink) {
  check_stack_depth();
  HeapTupleHeader header = DatumGetHeapTupleHeader(value);
  HeapTupleData tuple;
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  ItemPointerSetInvalid(&tuple.t_self);
  tuple.t_tableOid = InvalidOid;
  tuple.t_data = header;
  const auto natts = static_cast<std::size_t>(description_->natts);
  auto* datums = static_cast<Datum*>(palloc(natts * sizeof(Datum) + 1));
  auto* nulls = static_cast<bool*>(palloc(natts * sizeof(bool) + 1));
  heap_deform_tuple(&tuple, description_, datums, nulls);
  char separator = '{';
  for (auto& field : fields_) {
    if (nulls[field.position]) continue;
    sink.append(&separator, 1);
    sink.append(field.label);
    field.writer->write(datums[field.position], sink);
    separator = ',';
  }
  if (separator == '{') sink.append("{", 1);
  sink.append("}", 1);
  pfree(nulls);
  pfree(datums);
  release(header, value);
}

}  // namespace snapback::pg::values
