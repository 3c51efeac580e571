#include "pg/values/type_shape.hpp"

#include "pg/encoding.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
#include "access/parallel.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"
}

namespace snapback::pg::values {

namespace {

struct TypeRow {
  char kind;
  bool defined;
  Oid base;
  int32 typmod;
  Oid element, relation, input, output, receive, io_parameter;
  int16 length;
  bool by_value;
  char alignment;
};


TypeRow read_type(Oid type) {
  return call([&] {
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", type);
    auto* form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    TypeRow row{form->typtype,  form->typisdefined, form->typbasetype, form->typtypmod, form->typelem,  form->typrelid,
                form->typinput, form->typoutput,    form->typreceive, getTypeIOParam(tuple), form->typlen, form->typbyval, form->typalign};
    ReleaseSysCache(tuple);
    return row;
  });
}

[[noreturn]] void refuse(Oid type, const std::string& where) {
  throw snapback::error(sqlstate::feature_not_supported, "cannot back up " + where + " of type " + type_name(type),
                        "The input function of the type does not accept what its output function writes.",
                        "Leave the table out, or convert the column.");
}

// Types of the server whose input function refuses every text. test/pgtap/values_catalog.sql compares this list with the catalog.
bool refused_by_server(Oid type) {
  switch (type) {
    case PG_NODE_TREEOID:
    case PG_NDISTINCTOID:
    case PG_DEPENDENCIESOID:
    case PG_MCV_LISTOID:
    case PG_BRIN_BLOOM_SUMMARYOID:
    case PG_BRIN_MINMAX_MULTI_SUMMARYOID:
    case GTSVECTOROID:
      return true;
    default:
      return false;
  }
}

// Gives the input function an empty text: those that accept nothing say "feature not supported" or, in older contrib modules and never translated, "not implemented".
bool refused_when_tried(const TypeRow& row) {
  const auto error = in_subtransaction(
      [&] {
        call([&] {
          char empty[1] = {0};
          FmgrInfo input;
          fmgr_info(row.input, &input);
          InputFunctionCall(&input, empty, row.io_parameter, -1);
        });
      },
      [](const std::string&) { return true; }, false);
  return error && (error->sqlstate == sqlstate::feature_not_supported || error->message.find("ot implemented") != std::string::npos);
}

class Inspector {
 public:
  Inspector(const std::string& where, bool probe) : where_(where), probe_(probe) {}

  std::unique_ptr<TypeShape> inspect(Oid type, int32 typmod) {
    call([] { check_stack_depth(); });
    auto shape = std::make_unique<TypeShape>();
    shape->declared = type;
    shape->declared_typmod = typmod;
    TypeRow row = read_type(type);
    while (row.kind == TYPTYPE_DOMAIN) {
      typmod = row.typmod;
      type = row.base;
      row = read_type(type);
    }
    if (row.kind == TYPTYPE_PSEUDO || !row.defined || refused_by_server(type)) refuse(type, where_);
    shape->base = type;
    shape->typmod = typmod;
    shape->kind = row.kind;
    shape->length = row.length;
    shape->by_value = row.by_value;
    shape->alignment = row.alignment;
    shape->input = row.input;
    shape->output = row.output;
    shape->receive = row.receive;
    shape->io_parameter = row.io_parameter;
    if (row.kind == TYPTYPE_COMPOSITE) {
      composite(*shape, row);
    } else if (row.output == F_ARRAY_OUT && OidIsValid(row.element)) {
      array(*shape, row);
    } else if (row.kind == TYPTYPE_RANGE || row.kind == TYPTYPE_MULTIRANGE) {
      range(*shape);
    } else {
      scalar(*shape, row);
    }
    return shape;
  }

 private:
  static bool holds_domain(const TypeShape& part) { return part.inner_domain || part.declared != part.base; }

  void scalar(TypeShape& shape, const TypeRow& row) {
    switch (shape.base) {
      case INT2OID:
      case INT4OID:
      case INT8OID:
      case FLOAT4OID:
      case FLOAT8OID:
        shape.form = Form::number;
        break;
      case BOOLOID:
        shape.form = Form::boolean;
        break;
      case JSONOID:
        shape.form = Form::json_text;
        shape.contains_json = true;
        break;
      case JSONBOID:
        shape.form = Form::json;
        shape.contains_json = true;
        break;
      default:
        if (probe_ && row.kind == TYPTYPE_BASE && shape.base >= FirstNormalObjectId && !IsInParallelMode() &&
            refused_when_tried(row))
          refuse(shape.base, where_);
    }
  }

  void array(TypeShape& shape, const TypeRow& row) {
    shape.is_array = true;
    shape.element = inspect(row.element, shape.typmod);
    shape.contains_json = shape.element->contains_json;
    shape.inner_domain = holds_domain(*shape.element);
    shape.form = shape.contains_json ? Form::string : Form::array;
  }

  void composite(TypeShape& shape, const TypeRow&) {
    TupleDesc description = call([&] { return lookup_rowtype_tupdesc_copy(shape.base, -1); });
    for (int i = 0; i < description->natts; ++i) {
      const auto* attribute = TupleDescAttr(description, i);
      if (attribute->attisdropped) continue;
      auto field = inspect(attribute->atttypid, attribute->atttypmod);
      shape.contains_json |= field->contains_json;
      shape.inner_domain |= holds_domain(*field);
      shape.fields.push_back({utf8_name(NameStr(attribute->attname), where_), i, std::move(field)});
    }
    call([&] { FreeTupleDesc(description); });
    shape.form = shape.contains_json ? Form::string : Form::object;
  }

  void range(TypeShape& shape) {
    const Oid subtype = call([&] {
      Oid range_type = shape.kind == TYPTYPE_RANGE ? shape.base : get_multirange_range(shape.base);
      return get_range_subtype(range_type);
    });
    // the bounds are written by their own type's functions
    shape.inner_domain = holds_domain(*inspect(subtype, -1));
  }

  const std::string& where_;
  bool probe_;
};

}  // namespace

const char* form_name(Form form) {
  switch (form) {
    case Form::number: return "number";
    case Form::boolean: return "boolean";
    case Form::string: return "string";
    case Form::json: return "json";
    case Form::json_text: return "json_text";
    case Form::array: return "array";
    case Form::object: return "object";
  }
  return "string";
}

std::unique_ptr<TypeShape> inspect_type(Oid type, int32 typmod, const std::string& where, bool probe) {
  return Inspector(where, probe).inspect(type, typmod);
}

std::string type_name(Oid type, int32 typmod) {
  return call([&] { return static_cast<const char*>(format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN)); });
}

std::string utf8_name(const char* name, const std::string& where) {
  if (auto utf8 = exact_utf8_text(name)) return *utf8;
  throw snapback::error(sqlstate::feature_not_supported, "a name in " + where + " has no equal in UTF-8");
}

}  // namespace snapback::pg::values
