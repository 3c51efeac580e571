#include "pg/values/value_reader.hpp"

#include "pg/call.hpp"
#include "pg/values/scalar_readers.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
}

namespace snapback::pg::values {

namespace {

constexpr char hex_key[] = "$hex";

// A buffer above this is given back after the value that needed it.
constexpr std::size_t large_scratch = std::size_t{1} << 20;

[[noreturn]] void bad_header() {
  throw snapback::error(sqlstate::data_corrupted, "the description of a column in the backup is malformed");
}

const Json& member(const Json& object, const char* name) {
  if (!object.is_object()) bad_header();
  const auto found = object.find(name);
  if (found == object.end()) bad_header();
  return *found;
}

std::string text_member(const Json& object, const char* name) {
  const Json& value = member(object, name);
  if (!value.is_string()) bad_header();
  return value.get<std::string>();
}

Form form_from(const Json& form) {
  const std::string name = text_member(form, "form");
  for (const Form known : {Form::number, Form::boolean, Form::string, Form::json, Form::json_text, Form::array, Form::object})
    if (name == form_name(known)) return known;
  throw snapback::error(sqlstate::feature_not_supported, "the backup writes values in a form that this version does not know");
}

// Whether reading a text of this type by its input function checks a domain other than the type itself.
bool text_runs_domains(const TypeShape& shape) {
  if (shape.is_array) return text_runs_domains(*shape.element);
  for (const auto& field : shape.fields)
    if (field.shape->contains_domain) return true;
  return (shape.kind == TYPTYPE_RANGE || shape.kind == TYPTYPE_MULTIRANGE) && shape.contains_domain &&
         shape.declared == shape.base;
}

// A varlena of these bytes.
Datum make_varlena(const char* bytes, std::size_t size) {
  auto* text = static_cast<struct varlena*>(palloc(size + VARHDRSZ));
  SET_VARSIZE(text, size + VARHDRSZ);
  memcpy(VARDATA(text), bytes, size);
  return PointerGetDatum(text);
}

int numeric_scale(int32 typmod) { return static_cast<int>(((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024; }

bool rounds(Oid type) {
  return type == NUMERICOID || type == TIMEOID || type == TIMETZOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID || type == INTERVALOID;
}

}  // namespace

ValueReader::Kind ValueReader::kind_of(const TypeShape& target) {
  switch (target.base) {
    case INT2OID: return Kind::int2;
    case INT4OID: return Kind::int4;
    case INT8OID: return Kind::int8;
    case FLOAT4OID: return Kind::float4;
    case FLOAT8OID: return Kind::float8;
    case BOOLOID: return Kind::boolean;
    case TEXTOID: return Kind::text;
    case VARCHAROID: return Kind::varchar;
    case BPCHAROID: return Kind::bpchar;
    case CHAROID: return Kind::character;
    case BYTEAOID: return Kind::bytes;
    case UUIDOID: return Kind::uuid;
    case DATEOID: return Kind::date;
    case TIMESTAMPOID: return Kind::timestamp;
    case TIMESTAMPTZOID: return Kind::timestamptz;
    case NUMERICOID: return Kind::numeric;
    case REGPROCOID: return Kind::procedure;
    case REGOPEROID: return Kind::operation;
  }
  if (target.is_array) return Kind::array;
  if (target.kind == TYPTYPE_COMPOSITE) return Kind::composite;
  if (target.kind == TYPTYPE_ENUM) return Kind::enumeration;
  return Kind::input;
}

ValueReader::ValueReader(const TypeShape& target, const Json& form, bool check_domains, MemoryContext context)
    : kind_(kind_of(target)),
      form_(form_from(form)),
      json_target_(target.base == JSONOID || target.base == JSONBOID),
      own_domain_(check_domains && target.declared != target.base),
      forbidden_text_(!check_domains && text_runs_domains(target)),
      declared_(target.declared),
      base_(target.base),
      io_parameter_(target.io_parameter),
      typmod_(target.typmod),
      context_(context) {
  call([&] {
    fmgr_info_cxt(target.input, &input_, context);
    if (!own_domain_ || OidIsValid(target.receive)) return;
    // domain_check() wants a receive function, though it never calls it
    domain_by_text_ = true;
    fmgr_info_cxt(target.output, &output_, context);
    fmgr_info_cxt(F_DOMAIN_IN, &domain_input_, context);
  });
  if (kind_ == Kind::array) {
    const auto& element = *target.element;
    element_declared_ = element.declared;
    element_base_ = check_domains ? element.declared : element.base;
    element_typmod_ = check_domains || element.declared == element.base ? typmod_ : element.typmod;
    element_length_ = element.length;
    element_by_value_ = element.by_value;
    element_alignment_ = element.alignment;
    if (form_ == Form::array) element_ = std::make_unique<ValueReader>(element, member(form, "element"), check_domains, context);
  }
  if (kind_ == Kind::composite && form_ == Form::object) {
    call([&] {
      MemoryContext old = MemoryContextSwitchTo(context);
      description_ = lookup_rowtype_tupdesc_copy(base_, -1);
      MemoryContextSwitchTo(old);
    });
    datums_.resize(static_cast<std::size_t>(description_->natts) + 1);
    nulls_.resize(datums_.size());
    const auto& written = member(form, "fields");
    for (const auto& field : target.fields) {
      Json field_form{{"form", "string"}};
      for (const auto& entry : written)
        if (text_member(entry, "name") == field.name) field_form = entry;
      fields_.push_back({field.name, field.position, std::make_unique<ValueReader>(*field.shape, field_form, check_domains, context)});
    }
    for (const auto& entry : written) {
      const auto name = text_member(entry, "name");
      bool known = false;
      for (const auto& field : target.fields) known |= field.name == name;
      if (!known) fields_.push_back({name, -1, nullptr});
    }
  }
}

ValueReader::~ValueReader() = default;

void ValueReader::mismatch(const char* what) const {
  throw KindMismatch{std::string("The backup holds ") + what + ", which has no way to type " + type_name(declared_) + "."};
}

void ValueReader::read_absent() {
  if (own_domain_) call([&] { check_domain(Datum{0}, true); });
}

// Inside pg::call.
void ValueReader::check_domain(Datum value, bool is_null) {
  if (domain_by_text_)
    InputFunctionCall(&domain_input_, is_null ? nullptr : OutputFunctionCall(&output_, value), declared_, -1);
  else
    domain_check(value, is_null, declared_, &domain_extra_, context_);
}

Datum ValueReader::read(RowParser& parser, std::string& scratch) {
  const Datum value = read_base(parser, scratch);
  if (own_domain_) call([&] { check_domain(value, false); });
  return value;
}

// {"$hex":"…"}: bytes of the server's encoding.
void ValueReader::read_hex(RowParser& parser, std::string& scratch) {
  std::string digits;
  std::string_view key;
  parser.enter_object();
  if (!parser.next_key(key) || key != hex_key || parser.peek() != JsonToken::string) parser.fail("an object stands where a string should");
  parser.read_string(digits);
  if (parser.next_key(key)) parser.fail("an object stands where a string should");
  scratch.resize(digits.size() / 2);
  if (!parse_hex(digits, reinterpret_cast<unsigned char*>(scratch.data()))) parser.fail("\"$hex\" holds something else than pairs of hexadecimal digits");
}

// The same within the raw text of a jsonb; true when it was one.
bool ValueReader::read_wrapped(std::string& raw) {
  constexpr std::string_view opening = "{\"$hex\":";
  if (raw.compare(0, opening.size(), opening) != 0) return false;
  std::size_t start = opening.size();
  while (start < raw.size() && raw[start] == ' ') ++start;
  if (raw.size() < start + 3 || raw[start] != '"' || raw[raw.size() - 2] != '"') return false;
  const std::string_view digits(raw.data() + start + 1, raw.size() - start - 3);
  std::string bytes(digits.size() / 2, '\0');
  if (!parse_hex(digits, reinterpret_cast<unsigned char*>(bytes.data()))) return false;
  raw = std::move(bytes);
  return true;
}

Datum ValueReader::read_base(RowParser& parser, std::string& scratch) {
  scratch.clear();
  const JsonToken token = parser.peek();
  bool bytes = false;
  switch (form_) {
    case Form::number:
      if (token == JsonToken::number)
        parser.read_scalar(scratch);
      else if (token == JsonToken::string)
        parser.read_string(scratch);
      else
        parser.fail("a value that should be a number is none");
      break;
    case Form::boolean:
      if (token != JsonToken::true_value && token != JsonToken::false_value) parser.fail("a value that should be true or false is neither");
      parser.read_scalar(scratch);
      break;
    case Form::json:
      parser.read_raw(scratch);
      bytes = token == JsonToken::object && read_wrapped(scratch);
      break;
    case Form::array:
      if (token == JsonToken::array) {
        if (kind_ == Kind::array) return read_elements(parser, scratch);
        if (!json_target_) mismatch("an array");
        parser.read_raw(scratch);
        break;
      }
      [[fallthrough]];
    case Form::string:
    case Form::json_text:
      if (token == JsonToken::string) {
        parser.read_string(scratch);
      } else if (token == JsonToken::object) {
        read_hex(parser, scratch);
        bytes = true;
      } else {
        parser.fail("a value that should be a string is none");
      }
      break;
    case Form::object:
      if (token != JsonToken::object) parser.fail("a value that should be an object is none");
      if (kind_ == Kind::composite) return read_fields(parser, scratch);
      if (!json_target_) mismatch("an object");
      parser.read_raw(scratch);
      break;
  }
  return convert(scratch, bytes);
}

Datum ValueReader::read_elements(RowParser& parser, std::string& scratch) {
  datums_.clear();
  nulls_.clear();
  parser.enter_array();
  while (parser.next_element()) {
    if (parser.peek() == JsonToken::null_value) {
      parser.read_null();
      element_->read_absent();
      datums_.push_back(Datum{0});
      nulls_.push_back(1);
    } else {
      datums_.push_back(element_->read(parser, scratch));
      nulls_.push_back(0);
    }
    if (datums_.size() % 4096 == 0) check_interrupts();
  }
  return call([&] {
    if (datums_.empty()) return PointerGetDatum(construct_empty_array(element_declared_));
    if (datums_.size() > MaxArraySize)
      ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("array size exceeds the maximum allowed")));
    int dimensions[1] = {static_cast<int>(datums_.size())}, bounds[1] = {1};
    return PointerGetDatum(construct_md_array(datums_.data(), reinterpret_cast<bool*>(nulls_.data()), 1, dimensions, bounds, element_declared_,
                                              element_length_, element_by_value_, element_alignment_));
  });
}

Datum ValueReader::read_fields(RowParser& parser, std::string& scratch) {
  call([] { check_stack_depth(); });
  std::fill(nulls_.begin(), nulls_.end(), 1);
  parser.enter_object();
  std::string_view key;
  std::size_t expected = 0;
  while (parser.next_key(key)) {
    while (expected < fields_.size() && fields_[expected].name != key) ++expected;
    if (expected == fields_.size()) {
      expected = 0;
      while (expected < fields_.size() && fields_[expected].name != key) ++expected;
      if (expected == fields_.size()) parser.fail("an object has a key that is no field of its type");
    }
    auto& field = fields_[expected++];
    if (field.reader == nullptr) mismatch("a composite value with a field that is gone");
    if (!nulls_[static_cast<std::size_t>(field.position)]) parser.fail("an object has a key twice");
    datums_[static_cast<std::size_t>(field.position)] = field.reader->read(parser, scratch);
    nulls_[static_cast<std::size_t>(field.position)] = 0;
  }
  for (auto& field : fields_)
    if (field.reader != nullptr && nulls_[static_cast<std::size_t>(field.position)]) field.reader->read_absent();
  return call([&] {
    HeapTuple tuple = heap_form_tuple(description_, datums_.data(), reinterpret_cast<bool*>(nulls_.data()));
    return HeapTupleGetDatum(tuple);
  });
}

Datum ValueReader::convert(std::string& text, bool bytes) {
  Datum value;
  if (!bytes && convert_directly(text, value)) {
    if (text.capacity() > large_scratch) [[unlikely]] std::string().swap(text);
    return value;
  }
  if (forbidden_text_)
    throw KindMismatch{"The value is the text form of a type that holds a domain, and checks of domains must not run here."};
  if (kind_ == Kind::enumeration) {
    auto found = labels_.find(text);
    if (found != labels_.end()) return ObjectIdGetDatum(found->second);
    value = call([&] { return convert_by_input(text.data(), text.size(), bytes); });
    labels_.emplace(text, DatumGetObjectId(value));
    return value;
  }
  value = call([&] { return convert_by_input(text.data(), text.size(), bytes); });
  if (text.capacity() > large_scratch) std::string().swap(text);
  return value;
}

bool ValueReader::convert_directly(const std::string& text, Datum& value) {
  switch (kind_) {
    case Kind::int2: {
      std::int16_t number;
      if (!parse_integer(text, number)) return false;
      value = Int16GetDatum(number);
      return true;
    }
    case Kind::int4: {
      std::int32_t number;
      if (!parse_integer(text, number)) return false;
      value = Int32GetDatum(number);
      return true;
    }
    case Kind::int8: {
      std::int64_t number;
      if (!parse_integer(text, number)) return false;
      value = call([&] { return Int64GetDatum(number); });
      return true;
    }
    case Kind::float4: {
      float number;
      if (!parse_float(text, number)) return false;
      value = Float4GetDatum(number);
      return true;
    }
    case Kind::float8: {
      double number;
      if (!parse_float(text, number)) return false;
      value = call([&] { return Float8GetDatum(number); });
      return true;
    }
    case Kind::boolean:
      if (text != "true" && text != "false") return false;
      value = BoolGetDatum(text == "true");
      return true;
    case Kind::text:
    case Kind::varchar:
    case Kind::bpchar: {
      if (GetDatabaseEncoding() != PG_UTF8) return false;
      if (text.size() > MaxAllocSize - VARHDRSZ) return false;
      bool fits = true;
      value = call([&]() -> Datum {
        const int size = static_cast<int>(text.size());
        pg_verify_mbstr(PG_UTF8, text.data(), size, false);
        if (typmod_ >= static_cast<int32>(VARHDRSZ)) {
          const int length = static_cast<int>(utf8_length(text)), limit = typmod_ - VARHDRSZ;
          // longer ones are refused or lose blanks, shorter char(n) is padded: the input functions know how
          fits = kind_ == Kind::bpchar ? length == limit : length <= limit;
          if (!fits) return Datum{0};
        }
        return make_varlena(text.data(), text.size());
      });
      return fits;
    }
    case Kind::character: {
      // \ooo as PostgreSQL 16 and later write bytes above 0x7f
      unsigned byte = 0;
      if (text.size() == 4 && text[0] == '\\') {
        for (int i = 1; i < 4; ++i) {
          if (text[static_cast<std::size_t>(i)] < '0' || text[static_cast<std::size_t>(i)] > '7') return false;
          byte = byte * 8 + static_cast<unsigned>(text[static_cast<std::size_t>(i)] - '0');
        }
      } else if (text.size() == 1) {
        byte = static_cast<unsigned char>(text[0]);
      } else if (!text.empty()) {
        return false;
      }
      value = CharGetDatum(static_cast<char>(byte));
      return true;
    }
    case Kind::bytes: {
      if (text.size() < 2 || text[0] != '\\' || text[1] != 'x' || text.size() % 2 != 0) return false;
      bool good = true;
      value = call([&] {
        const std::size_t size = (text.size() - 2) / 2;
        auto* result = static_cast<struct varlena*>(palloc(size + VARHDRSZ));
        SET_VARSIZE(result, size + VARHDRSZ);
        good = parse_hex({text.data() + 2, size * 2}, reinterpret_cast<unsigned char*>(VARDATA(result)));
        return PointerGetDatum(result);
      });
      return good;
    }
    case Kind::uuid: {
      pg_uuid_t uuid;
      if (!parse_uuid(text, uuid.data)) return false;
      value = call([&] {
        auto* result = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
        *result = uuid;
        return UUIDPGetDatum(result);
      });
      return true;
    }
    case Kind::date: {
      std::int32_t days;
      if (!parse_date(text, days)) return false;
      value = DateADTGetDatum(days);
      return true;
    }
    case Kind::timestamp:
    case Kind::timestamptz: {
      std::int64_t microseconds;
      if (typmod_ >= 0 && fraction_digits(text) > typmod_) return false;
      if (!parse_timestamp(text, kind_ == Kind::timestamptz, microseconds)) return false;
      value = call([&] { return TimestampGetDatum(microseconds); });
      return true;
    }
    case Kind::numeric: {
      char body[numeric_body_room];
      std::size_t size;
      const int precision = typmod_ < 0 ? -1 : ((typmod_ - VARHDRSZ) >> 16) & 0xffff;
      const int scale = typmod_ < 0 ? -1 : numeric_scale(typmod_);
      if ((typmod_ >= 0 && scale < 0) || !parse_numeric(text, precision, scale, body, size)) return false;
      value = call([&] { return make_varlena(body, size); });
      return true;
    }
    default:
      return false;
  }
}

// Inside pg::call. `text` ends with a zero byte.
Datum ValueReader::convert_by_input(char* text, std::size_t size, bool bytes) {
  const int encoding = GetDatabaseEncoding();
  if (size > INT_MAX) ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("value too long")));
  if (!bytes) {
    text = pg_any_to_server(text, static_cast<int>(size), PG_UTF8);
  } else {
    if (strlen(text) != size) ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE), errmsg("invalid byte sequence")));
    // before 16 an array of "char" may hold any byte
    if (element_declared_ != CHAROID) pg_verify_mbstr(encoding, text, static_cast<int>(size), false);
  }
  if (kind_ == Kind::array) {
    auto* array = DatumGetArrayTypeP(InputFunctionCall(&input_, text, element_base_, element_typmod_));
    array->elemtype = element_declared_;
    return PointerGetDatum(array);
  }
  if (kind_ == Kind::procedure && strchr(text, '(') != nullptr) return DirectFunctionCall1(regprocedurein, CStringGetDatum(text));
  if (kind_ == Kind::operation && strchr(text, '(') != nullptr) return DirectFunctionCall1(regoperatorin, CStringGetDatum(text));
  if (typmod_ >= 0 && rounds(base_)) return convert_rounding(text);
  return InputFunctionCall(&input_, text, io_parameter_, typmod_);
}

// A type modifier may drop digits without a word; here that is an error.
Datum ValueReader::convert_rounding(char* text) {
  const Datum value = InputFunctionCall(&input_, text, io_parameter_, typmod_);
  const int scale = base_ == NUMERICOID ? numeric_scale(typmod_) : base_ == INTERVALOID ? -1 : typmod_;
  if (fraction_digits(text) <= scale) return value;
  const Datum whole = InputFunctionCall(&input_, text, io_parameter_, -1);
  TypeCacheEntry* entry = lookup_type_cache(base_, TYPECACHE_EQ_OPR_FINFO);
  if (!DatumGetBool(FunctionCall2Coll(&entry->eq_opr_finfo, InvalidOid, value, whole)))
    ereport(ERROR, (errcode(base_ == NUMERICOID ? ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE : ERRCODE_DATETIME_FIELD_OVERFLOW),
                    errmsg("the value would lose digits")));
  return value;
}

}  // namespace snapback::pg::values
