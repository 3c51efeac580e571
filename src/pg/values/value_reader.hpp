// Reads JSON values of one column into Datums of its target type.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/format/row_parser.hpp"
#include "pg/pg.hpp"
#include "pg/values/jsonb_builder.hpp"
#include "pg/values/type_shape.hpp"

namespace snapback::pg::values {

using Json = nlohmann::ordered_json;

// Thrown when a value's kind (an array, an object) has no way to the target type. RowReader makes an error of it that names the column.
struct KindMismatch {
  std::string detail;
};

class ValueReader {
 public:
  // `form`: how the values were written; `target`: the type they become. The server's lookup structures go to `context`.
  ValueReader(const TypeShape& target, const Json& form, bool check_domains, MemoryContext context);
  ~ValueReader();
  ValueReader(const ValueReader&) = delete;
  ValueReader& operator=(const ValueReader&) = delete;

  // The value that comes next in the parser, allocated in CurrentMemoryContext. `scratch` is overwritten. `is_null` is
  // set when the value was parsed and not converted (see RowReader, check_domains). Throws XX001 through the parser, KindMismatch, and pg::error.
  Datum read(RowParser& parser, std::string& scratch, bool& is_null);
  // What stands for an absent value: the target's domain may refuse it.
  void read_absent();

 private:
  enum class Kind : unsigned char {
    int2, int4, int8, float4, float8, boolean, text, varchar, bpchar, character, bytes, uuid, date, timestamp, timestamptz, numeric, jsonb, enumeration,
    array, composite, procedure, operation, input
  };
  struct Field {
    std::string name;
    int position;
    std::unique_ptr<ValueReader> reader;  // null: a field of the backup that the target does not have
  };

  static Kind kind_of(const TypeShape& target);
  void check_domain(Datum value, bool is_null);
  Datum read_base(RowParser& parser, std::string& scratch, bool& is_null);
  Datum read_elements(RowParser& parser, std::string& scratch);
  Datum read_fields(RowParser& parser, std::string& scratch);
  void read_hex(RowParser& parser, std::string& scratch);
  bool read_wrapped(std::string& raw);
  Datum convert(std::string& text, bool bytes);
  bool convert_directly(std::string& text, Datum& value);
  Datum convert_by_input(char* text, std::size_t size, bool bytes);
  Datum convert_rounding(char* text);
  [[noreturn]] void mismatch(const char* what) const;

  Kind kind_;
  Form form_;
  bool json_target_;
  bool own_domain_;       // the target is a domain whose checks run
  bool unread_text_;  // the input function would run a domain's checks though none may run
  Oid declared_, base_, io_parameter_;
  int32 typmod_;
  FmgrInfo input_;
  bool domain_by_text_ = false;
  FmgrInfo output_, domain_input_;
  void* domain_extra_ = nullptr;
  MemoryContext context_;
  std::unordered_map<std::string, Oid> labels_;  // of an enum

  std::unique_ptr<ValueReader> element_;
  Oid element_declared_ = InvalidOid, element_base_ = InvalidOid;
  int32 element_typmod_ = -1;
  int16 element_length_ = 0;
  bool element_by_value_ = false;
  char element_alignment_ = 0;

  std::vector<Field> fields_;
  TupleDesc description_ = nullptr;

  std::vector<Datum> datums_;
  std::vector<char> nulls_;  // as bool[]
  std::vector<char> seen_;
  std::unique_ptr<JsonbBuilder> builder_;
};

}  // namespace snapback::pg::values
