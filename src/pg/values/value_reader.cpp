#include "pg/values/value_reader.hpp"

#include "pg/call.hpp"
#include "pg/values/scalar_readers.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"
}

namespace snapback::pg::values {

namespace {

constexpr char hex_key[] = "$hex";

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

// Whether the input function of the type checks a domain. (That of an array is told to read the elements as the domain's base type.)
bool text_runs_domains(const TypeShape& shape) { return shape.is_array ? text_runs_domains(*shape.element) : shape.inner_domain; }

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
    case JSONBOID: return Kind::jsonb;
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
      unread_text_(!check_domains && text_runs_domains(target)),
      declared_(target.declared),
      base_(target.base),
      io_parameter_(target.io_parameter),
      typmod_(target.typmod),
      context_(context) {
  if (kind_ == Kind::jsonb) builder_ = std::make_unique<JsonbBuilder>();
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
    seen_.resize(datums_.size());
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

Datum ValueReader::read(RowParser& parser, std::string& scratch, bool& is_null) {
  is_null = false;
  const Datum value = read_base(parser, scratch, is_null);
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

Datum ValueReader::read_base(RowParser& parser, std::string& scratch, bool& is_null) {
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
  if (unread_text_) {
    is_null = true;
    return Datum{0};
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
      bool is_null;
      datums_.push_back(element_->read(parser, scratch, is_null));
      nulls_.push_back(is_null);
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
  std::fill(seen_.begin(), seen_.end(), 0);
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
    const auto position = static_cast<std::size_t>(field.position);
    if (seen_[position]) parser.fail("an object has a key twice");
    bool is_null;
    datums_[position] = field.reader->read(parser, scratch, is_null);
    nulls_[position] = is_null;
    seen_[position] = 1;
  }
  for (auto& field : fields_)
    if (field.reader != nullptr && !seen_[static_cast<std::size_t>(field.position)]) field.reader->read_absent();
  return call([&] {
    HeapTuple tuple = heap_form_tuple(description_, datums_.data(), reinterpret_cast<bool*>(nulls_.data()));
    return HeapTupleGetDatum(tuple);
  });
}

}  // namespace snapback::pg::values
