// What the catalog says about a type, as far as writing and reading its values needs it.
//
//   form      the way a value stands in a row's line: number, boolean, string, json, json_text, array, object
//   base      the type under all domains
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pg/pg.hpp"

namespace snapback::pg::values {

enum class Form : unsigned char { number, boolean, string, json, json_text, array, object };

const char* form_name(Form form);

struct TypeShape {
  struct Field {
    std::string name;  // UTF-8
    int position;      // attribute number less one
    std::unique_ptr<TypeShape> shape;
  };

  Oid declared = InvalidOid;
  int32 declared_typmod = -1;
  Oid base = InvalidOid;
  int32 typmod = -1;  // of base
  Form form = Form::string;
  char kind = 0;                 // typtype of base
  bool contains_json = false;    // json or jsonb, at any depth
  bool inner_domain = false;     // a domain below this type, at any depth; the type itself does not count
  int16 length = 0;              // storage of base
  bool by_value = false;
  char alignment = 0;
  Oid input = InvalidOid, output = InvalidOid, receive = InvalidOid, io_parameter = InvalidOid;
  bool is_array = false;                // a true array, whatever its form
  std::unique_ptr<TypeShape> element;   // of a true array
  std::vector<Field> fields;            // of a composite: its live attributes
};

// Reads the catalog. Raises 0A000 naming the type and `where` when its input refuses its own output; types of extensions are tried out for that, in a
// subtransaction, when `probe` is set (never inside a parallel worker).
std::unique_ptr<TypeShape> inspect_type(Oid type, int32 typmod, const std::string& where, bool probe);

// The type's name as SQL writes it (qualified under pg::TextForms).
std::string type_name(Oid type, int32 typmod = -1);

// A name of the catalog as UTF-8. Raises 0A000 when it cannot be written so.
std::string utf8_name(const char* name, const std::string& where);

}  // namespace snapback::pg::values
