#include "pg/row_writer.hpp"

#include <algorithm>

#include "pg/values/owned_context.hpp"
#include "pg/values/text.hpp"
#include "pg/values/value_writer.hpp"

namespace snapback::pg {

namespace {

constexpr std::size_t longest_key = 512;

Json form_of(const values::TypeShape& shape) {
  Json form{{"form", values::form_name(shape.form)}};
  if (shape.form == values::Form::array) form["element"] = form_of(*shape.element);
  if (shape.form == values::Form::object) {
    Json fields = Json::array();
    for (const auto& field : shape.fields) {
      Json entry{{"name", field.name},
                 {"type", values::type_name(field.shape->declared, field.shape->declared_typmod)}};
      entry.update(form_of(*field.shape));
      fields.push_back(std::move(entry));
    }
    form["fields"] = std::move(fields);
  }
  return form;
}

}  // namespace

Json value_form(Oid type, const std::string& where) { return form_of(*values::inspect_type(type, -1, where, true)); }

struct RowWriter::Plan {
  struct Column {
    int index;          // into the slot's values
    int key_place = -1; // in the primary key
    std::string label;  // ,"name":
    std::unique_ptr<values::ValueWriter> writer;
  };
  struct KeyPart {
    std::size_t start = 0, size = 0;
  };

  values::OwnedContext context{"pg_snapback row writer"};
  std::vector<Column> columns;
  AttrNumber last_attribute = 0;
  std::vector<KeyPart> key;
  values::MemorySink key_values;
  char key_text[longest_key];

  std::string_view key_line();
};

// The key's values in its own order; empty when too long.
std::string_view RowWriter::Plan::key_line() {
  std::size_t size = 1 + key.size();
  for (const auto& part : key) size += part.size;
  if (key.empty() || size > longest_key) return {};
  const char* text = key_values.text().data();
  char* out = key_text;
  char separator = '[';
  for (const auto& part : key) {
    *out++ = separator;
    memcpy(out, text + part.start, part.size);
    out += part.size;
    separator = ',';
  }
  *out++ = ']';
  return {key_text, static_cast<std::size_t>(out - key_text)};
}

RowWriter::RowWriter(TupleDesc description, const std::vector<AttrNumber>& columns, const std::vector<AttrNumber>& key)
    : plan_(std::make_unique<Plan>()) {
  plan_->key.resize(key.size());
  for (const AttrNumber number : columns) {
    const auto* attribute = TupleDescAttr(description, number - 1);
    const std::string name = values::utf8_name(NameStr(attribute->attname), "a column");
    const auto shape = values::inspect_type(attribute->atttypid, attribute->atttypmod, "column \"" + name + "\"", false);
    Plan::Column column;
    column.index = number - 1;
    const auto place = std::find(key.begin(), key.end(), number);
    if (place != key.end()) column.key_place = static_cast<int>(place - key.begin());
    column.label = "," + values::json_label(name);
    column.writer = std::make_unique<values::ValueWriter>(*shape, plan_->context.get());
    plan_->columns.push_back(std::move(column));
    plan_->last_attribute = std::max(plan_->last_attribute, number);
  }
}

RowWriter::~RowWriter() = default;

void RowWriter::write_unsafe(TupleTableSlot* slot, RowSink& sink) {
  Plan& plan = *plan_;
  slot_getsomeattrs(slot, plan.last_attribute);
  const Datum* const datums = slot->tts_values;
  const bool* const nulls = slot->tts_isnull;
  plan.key_values.clear();
  sink.begin_row();
  std::size_t first = 1;  // the first label goes without its comma
  sink.append("{", 1);
  for (auto& column : plan.columns) {
    if (nulls[column.index]) {
      if (column.key_place >= 0) {
        auto& part = plan.key[static_cast<std::size_t>(column.key_place)];
        part.start = plan.key_values.size();
        plan.key_values.append("null", 4);
        part.size = 4;
      }
      continue;
    }
    sink.append(column.label.data() + first, column.label.size() - first);
    first = 0;
    if (column.key_place < 0) {
      column.writer->write(datums[column.index], sink);
      continue;
    }
    auto& part = plan.key[static_cast<std::size_t>(column.key_place)];
    part.start = plan.key_values.size();
    column.writer->write(datums[column.index], plan.key_values);
    part.size = plan.key_values.size() - part.start;
    sink.append(plan.key_values.text().substr(part.start));
  }
  sink.append("}", 1);
  sink.end_row(plan.key_line());
}

}  // namespace snapback::pg
