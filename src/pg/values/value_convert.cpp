// The text of a value to a Datum.
#include <sys/mman.h>
#include <unistd.h>

#include "pg/call.hpp"
#include "pg/values/scalar_readers.hpp"
#include "pg/values/value_reader.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
}

namespace snapback::pg::values {

namespace {

// A buffer above this is given back after the value that needed it.
constexpr std::size_t large_scratch = std::size_t{1} << 20;

// A varlena of these bytes.
Datum make_varlena(const char* bytes, std::size_t size) {
  auto* text = static_cast<struct varlena*>(palloc(size + VARHDRSZ));
  SET_VARSIZE(text, size + VARHDRSZ);
  memcpy(VARDATA(text), bytes, size);
  return PointerGetDatum(text);
}

// Digits above this are decoded so that they and the bytes are not both in memory as a whole.
constexpr std::size_t long_hex = std::size_t{64} << 20;
constexpr std::size_t hex_portion = std::size_t{8} << 20;

bool is_hex(std::string_view digits) {
  unsigned char bytes[4096];
  for (std::size_t at = 0; at < digits.size(); at += 2 * sizeof bytes)
    if (!parse_hex(digits.substr(at, 2 * sizeof bytes), bytes)) return false;
  return true;
}

// Gives memory back to the system whose content nobody reads again, as far as it is whole pages.
void give_back(char* from, char* to) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(from) + page - 1) / page * page, last = reinterpret_cast<std::uintptr_t>(to) / page * page;
  if (first < last) (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

// An even number of digits; they are used up.
void take_hex(char* digits, std::size_t size, unsigned char* bytes) {
  for (std::size_t at = 0; at < size; at += hex_portion) {
    const std::size_t portion = std::min(hex_portion, size - at);
    (void)parse_hex({digits + at, portion}, bytes + at / 2);
    give_back(digits + at, digits + at + portion);
  }
}

int numeric_scale(int32 typmod) { return static_cast<int>(((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024; }

[[noreturn]] void refuse_loss(int code) { ereport(ERROR, (errcode(code), errmsg("a part of the value would be lost"))); }

// What input functions drop without a word: the end of a long name, the time behind a date, date and zone round a time, the zone behind a timestamp.
void refuse_silent_loss(Oid type, const char* text) {
  switch (type) {
    case NAMEOID:
      if (strlen(text) >= NAMEDATALEN) refuse_loss(ERRCODE_STRING_DATA_RIGHT_TRUNCATION);
      break;
    case CHAROID:
      // from 16 on a byte above 127 is written as \\ooo
      if (strlen(text) > 1 && !(text[0] == '\\' && strlen(text) == 4)) refuse_loss(ERRCODE_STRING_DATA_RIGHT_TRUNCATION);
      break;
    case DATEOID: {
      if (strchr(text, ':') == nullptr) break;
      const Datum whole = DirectFunctionCall3(timestamp_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
      const Datum day = DirectFunctionCall1(date_timestamp, DirectFunctionCall1(timestamp_date, whole));
      if (DatumGetTimestamp(whole) != DatumGetTimestamp(day)) refuse_loss(ERRCODE_DATETIME_FIELD_OVERFLOW);
      break;
    }
    case TIMEOID:
      if (strpbrk(text, "+-/ ") != nullptr) refuse_loss(ERRCODE_DATETIME_FIELD_OVERFLOW);
      break;
    case TIMESTAMPOID: {
      // UTC is the zone that timestamptz is written in
      const char* time = strchr(text, ':');
      const char* zone = time == nullptr ? nullptr : strpbrk(time, "+-");
      if (zone != nullptr && strncmp(zone, "+00", 3) != 0) refuse_loss(ERRCODE_DATETIME_FIELD_OVERFLOW);
      break;
    }
    default:
      break;
  }
}

bool rounds(Oid type) {
  return type == NUMERICOID || type == TIMEOID || type == TIMETZOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID || type == INTERVALOID;
}

}  // namespace

Datum ValueReader::convert(std::string& text, bool bytes) {
  Datum value;
  if (!bytes && convert_directly(text, value)) {
    if (text.capacity() > large_scratch) [[unlikely]] std::string().swap(text);
    return value;
  }
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

bool ValueReader::convert_directly(std::string& text, Datum& value) {
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
      const bool is_long = text.size() > long_hex;
      if (is_long && !is_hex({text.data() + 2, text.size() - 2})) return false;
      bool good = true;
      value = call([&] {
        const std::size_t size = (text.size() - 2) / 2;
        auto* result = static_cast<struct varlena*>(palloc(size + VARHDRSZ));
        SET_VARSIZE(result, size + VARHDRSZ);
        auto* bytes = reinterpret_cast<unsigned char*>(VARDATA(result));
        if (is_long)
          take_hex(text.data() + 2, size * 2, bytes);
        else
          good = parse_hex({text.data() + 2, size * 2}, bytes);
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
    case Kind::jsonb:
      if (GetDatabaseEncoding() != PG_UTF8 || text.size() > INT_MAX) return false;
      call([&] { pg_verify_mbstr(PG_UTF8, text.data(), static_cast<int>(text.size()), false); });
      if (!builder_->build(text)) return false;
      value = call([&] { return make_varlena(builder_->body().data(), builder_->body().size()); });
      return true;
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
  refuse_silent_loss(base_, text);
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
