#include "pg/values/value_writer.hpp"

#include <cmath>

#include "pg/call.hpp"
#include "pg/values/jsonb_writer.hpp"

extern "C" {
#include "access/detoast.h"
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

// A small varlena is stored with a header of one byte, unaligned. Server code that walks over it wants it aligned; a copy here costs no palloc.
class Aligned {
 public:
  explicit Aligned(Datum value) : value_(value) {
    auto* stored = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    if (!VARATT_IS_EXTENDED(stored)) {
      varlena_ = stored;
    } else if (VARATT_IS_SHORT(stored) && !VARATT_IS_EXTERNAL(stored)) {
      const std::size_t size = VARSIZE_SHORT(stored) - VARHDRSZ_SHORT;
      varlena_ = reinterpret_cast<struct varlena*>(copy_);
      SET_VARSIZE(varlena_, size + VARHDRSZ);
      memcpy(VARDATA(varlena_), VARDATA_SHORT(stored), size);
    } else {
      varlena_ = detoast_attr(stored);
    }
  }
  struct varlena* get() const { return varlena_; }
  // To be called when nothing raised; otherwise the context's reset does it.
  void release() {
    if (varlena_ != reinterpret_cast<struct varlena*>(copy_)) values::release(varlena_, value_);
  }

 private:
  Datum value_;
  struct varlena* varlena_;
  alignas(MAXIMUM_ALIGNOF) char copy_[VARATT_SHORT_MAX + VARHDRSZ];
};

}  // namespace

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

void ValueWriter::write_others(Datum value, Out& out) {
  switch (kind_) {
    case Kind::int8: {
      const std::int64_t number = DatumGetInt64(value);
      char* at = out.need(integer_room + 2);
      if (number >= -largest_exact && number <= largest_exact) {
        at = put_integer(at, number);
      } else {
        *at++ = '"';
        at = put_integer(at, number);
        *at++ = '"';
      }
      out.take(at);
      return;
    }
    case Kind::boolean:
      out.put(DatumGetBool(value) ? std::string_view("true") : std::string_view("false"));
      return;
    case Kind::timestamp:
    case Kind::timestamptz:
      write_timestamp(value, out);
      return;
    case Kind::uuid: {
      char* at = out.need(uuid_room + 2);
      *at++ = '"';
      at = put_uuid(at, DatumGetUUIDP(value)->data);
      *at++ = '"';
      out.take(at);
      return;
    }
    case Kind::numeric:
      write_numeric(value, out);
      return;
    case Kind::float4:
    case Kind::float8:
      write_float(value, out);
      return;
    case Kind::date: {
      char* at = out.need(date_room + 2);
      *at++ = '"';
      if (!put_date(at, DatumGetDateADT(value))) {
        write_output(value, out);
        return;
      }
      *at++ = '"';
      out.take(at);
      return;
    }
    case Kind::jsonb: {
      Aligned jsonb(value);
      write_jsonb(out, jsonb.get());
      jsonb.release();
      return;
    }
    case Kind::array:
      write_array(value, out);
      return;
    default:
      write_rare(value, out);
  }
}

void ValueWriter::write_rare(Datum value, Out& out) {
  switch (kind_) {
    case Kind::name: {
      const char* text = NameStr(*DatumGetName(value));
      write_text(out, text, strnlen(text, NAMEDATALEN));
      return;
    }
    case Kind::character:
      write_character(value, out);
      return;
    case Kind::bytes:
      write_bytes(value, out);
      return;
    case Kind::time: {
      char* at = out.need(time_room + 2);
      *at++ = '"';
      at = put_time(at, DatumGetTimeADT(value));
      *at++ = '"';
      out.take(at);
      return;
    }
    case Kind::enumeration:
      write_enum(value, out);
      return;
    case Kind::composite:
      write_composite(value, out);
      return;
    default:
      write_output(value, out);
  }
}

void ValueWriter::write_toasted_text(Datum value, Out& out) {
  const struct varlena* text = PG_DETOAST_DATUM_PACKED(value);
  write_text(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
  release(text, value);
}

void ValueWriter::write_timestamp(Datum value, Out& out) {
  char* at = out.need(timestamp_room);
  *at++ = '"';
  if (!put_timestamp(at, DatumGetTimestamp(value))) {
    write_output(value, out);
    return;
  }
  if (kind_ == Kind::timestamptz) {
    memcpy(at, "+00", 3);
    at += 3;
  }
  *at++ = '"';
  out.take(at);
}

void ValueWriter::write_float(Datum value, Out& out) {
  const double number = kind_ == Kind::float4 ? static_cast<double>(DatumGetFloat4(value)) : DatumGetFloat8(value);
  if (!std::isfinite(number)) {
    out.put(std::isnan(number) ? std::string_view("\"NaN\"") : number > 0 ? std::string_view("\"Infinity\"") : std::string_view("\"-Infinity\""));
    return;
  }
  if (number == 0 && std::signbit(number)) {
    out.put("\"-0\"");
    return;
  }
  char* at = out.need(float_room);
  out.take(kind_ == Kind::float4 ? put_float4(at, DatumGetFloat4(value)) : put_float8(at, number));
}

void ValueWriter::write_character(Datum value, Out& out) {
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
  write_text(out, text, size);
}

void ValueWriter::write_bytes(Datum value, Out& out) {
  const struct varlena* bytes = PG_DETOAST_DATUM_PACKED(value);
  out.put("\"\\\\x");
  out.flushed().append_hex(reinterpret_cast<const unsigned char*>(VARDATA_ANY(bytes)), VARSIZE_ANY_EXHDR(bytes));
  out.resume();
  out.put('"');
  release(bytes, value);
}

void ValueWriter::write_numeric(Datum value, Out& out) {
  const struct varlena* numeric = PG_DETOAST_DATUM_PACKED(value);
  const char* body = VARDATA_ANY(numeric);
  char* at = out.need(numeric_room(body) + 2);
  *at++ = '"';
  at = put_numeric(at, body, VARSIZE_ANY_EXHDR(numeric));
  *at++ = '"';
  out.take(at);
  release(numeric, value);
}

void ValueWriter::write_output(Datum value, Out& out) {
  char* text = OutputFunctionCall(&output_, value);
  write_text(out, text, strlen(text));
  pfree(text);
}

void ValueWriter::write_enum(Datum value, Out& out) {
  const Oid oid = DatumGetObjectId(value);
  auto found = labels_.find(oid);
  if (found == labels_.end()) {
    const char* text = OutputFunctionCall(&output_, value);
    label_->clear();
    Out label(*label_);
    write_text(label, text, strlen(text));
    label.flush();
    found = labels_.emplace(oid, label_->text()).first;
  }
  out.put(found->second);
}

void ValueWriter::write_array(Datum value, Out& out) {
  Aligned aligned(value);
  auto* array = reinterpret_cast<ArrayType*>(aligned.get());
  const int dimensions = ARR_NDIM(array);
  if (!as_array_ || dimensions > 1 || (dimensions == 1 && ARR_LBOUND(array)[0] != 1)) {
    write_output(PointerGetDatum(array), out);
  } else {
    const int count = ArrayGetNItems(dimensions, ARR_DIMS(array));
    array_iter elements;
    array_iter_setup(&elements, reinterpret_cast<AnyArrayType*>(array));
    out.put('[');
    for (int i = 0; i < count; ++i) {
      bool is_null;
      const Datum element = array_iter_next(&elements, &is_null, i, element_length_, element_by_value_, element_alignment_);
      if (i != 0) out.put(',');
      if (is_null)
        out.put("null");
      else
        element_->write(element, out);
    }
    out.put(']');
  }
  aligned.release();
}

void ValueWriter::write_composite(Datum value, Out& out) {
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
    out.put(separator);
    out.put(field.label);
    field.writer->write(datums[field.position], out);
    separator = ',';
  }
  if (separator == '{') out.put('{');
  out.put('}');
  pfree(nulls);
  pfree(datums);
  release(header, value);
}

}  // namespace snapback::pg::values
