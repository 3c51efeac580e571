#include "pg/row_writer.hpp"

#include <algorithm>

#include "pg/values/owned_context.hpp"
#include "pg/values/value_writer.hpp"

namespace snapback::pg {

namespace {

constexpr std::size_t longest_key = 512;

Json form_of(const values::TypeShape& shape, const std::string& where) {
  Json form{{"form", values::form_name(shape.form)}};
  if (shape.form == values::Form::array) form["element"] = form_of(*shape.element, where);
  if (shape.form == values::Form::object) {
    Json fields = Json::array();
    for (const auto& field : shape.fields) {
      Json entry{{"name", field.name},
                 {"type", values::utf8_name(values::type_name(field.shape->declared, field.shape->declared_typmod).c_str(), where)}};
      entry.update(form_of(*field.shape, where));
      fields.push_back(std::move(entry));
    }
    form["fields"] = std::move(fields);
  }
  return form;
}

}  // namespace

Json value_form(Oid type, const std::string& where) { return form_of(*values::inspect_type(type, -1, where, true), where); }

struct RowWriter::Plan {
  // Labels lie one after the other in `labels`, each with room behind it that a copy of whole blocks may read.
  struct Column {
    std::uint32_t label_at, label_size;
    int index;      // into the slot's values
    int key_place;  // in the primary key, or -1
    values::ValueWriter* writer;
  };
  struct KeyPart {
    std::size_t start = 0, size = 0;
  };

  values::OwnedContext context{"pg_snapback row writer"};
  std::vector<Column> columns;
  std::string labels;  // ,"name":
  std::vector<std::unique_ptr<values::ValueWriter>> writers;
  AttrNumber last_attribute = 0;
  std::vector<KeyPart> key;
  values::MemorySink key_values;
  char key_text[longest_key];

  void write_key_part(const Column& column, const Datum* value, values::Out& out);
  std::string_view key_line();
};

namespace {

constexpr std::size_t block = 16;

// Copies a label; reads and writes up to one block more.
inline char* put_label(char* at, const char* label, std::size_t size) {
  memcpy(at, label, block);
  if (size > block) [[unlikely]] memcpy(at + block, label + block, size - block);
  return at + size;
}

}  // namespace

// A value of the key goes through a buffer of its own, so that its lexeme is at hand for key_line().
void RowWriter::Plan::write_key_part(const Column& column, const Datum* value, values::Out& out) {
  auto& part = key[static_cast<std::size_t>(column.key_place)];
  part.start = key_values.size();
  values::Out lexeme(key_values);
  if (value != nullptr)
    column.writer->write(*value, lexeme);
  else
    lexeme.put("null");
  lexeme.flush();
  part.size = key_values.size() - part.start;
  if (value == nullptr) return;
  const std::string_view text = key_values.text().substr(part.start);
  if (text.size() <= longest_key)
    out.put(text);
  else
    values::write_raw(out, text.data(), text.size());
}

// The key's values in its own order; empty when too long.
std::string_view RowWriter::Plan::key_line() {
  if (key.empty()) return {};
  std::size_t size = 1 + key.size();
  for (const auto& part : key) size += part.size;
  if (size > longest_key) return {};
  const char* text = key_values.text().data();
  char* at = key_text;
  char separator = '[';
  for (const auto& part : key) {
    *at++ = separator;
    memcpy(at, text + part.start, part.size);
    at += part.size;
    separator = ',';
  }
  *at++ = ']';
  return {key_text, static_cast<std::size_t>(at - key_text)};
}

RowWriter::RowWriter(TupleDesc description, const std::vector<AttrNumber>& columns, const std::vector<AttrNumber>& key)
    : plan_(std::make_unique<Plan>()) {
  plan_->key.resize(key.size());
  for (const AttrNumber number : columns) {
    const auto* attribute = TupleDescAttr(description, number - 1);
    const std::string name = values::utf8_name(NameStr(attribute->attname), "a column");
    const auto shape = values::inspect_type(attribute->atttypid, attribute->atttypmod, "column \"" + name + "\"", false);
    plan_->writers.push_back(std::make_unique<values::ValueWriter>(*shape, plan_->context.get()));
    const std::string label = "," + values::json_label(name);
    const auto place = std::find(key.begin(), key.end(), number);
    plan_->columns.push_back({static_cast<std::uint32_t>(plan_->labels.size()), static_cast<std::uint32_t>(label.size()), number - 1,
                              place == key.end() ? -1 : static_cast<int>(place - key.begin()), plan_->writers.back().get()});
    plan_->labels += label;
    plan_->labels.append(block, '\0');
    plan_->last_attribute = std::max(plan_->last_attribute, number);
  }
}

RowWriter::~RowWriter() = default;

void RowWriter::write_unsafe(TupleTableSlot* slot, RowSink& sink) {
  Plan& plan = *plan_;
  slot_getsomeattrs(slot, plan.last_attribute);
  const Datum* const datums = slot->tts_values;
  const bool* const nulls = slot->tts_isnull;
  const char* const labels = plan.labels.data();
  plan.key_values.clear();
  sink.begin_row();
  values::Out out(sink);
  out.put('{');
  std::uint32_t first = 1;  // the first label goes without its comma
  for (const auto& column : plan.columns) {
    if (nulls[column.index]) {
      if (column.key_place >= 0) [[unlikely]] plan.write_key_part(column, nullptr, out);
      continue;
    }
    const std::size_t size = column.label_size - first;
    out.take(put_label(out.need(size + block), labels + column.label_at + first, size));
    first = 0;
    if (column.key_place < 0) [[likely]]
      column.writer->write(datums[column.index], out);
    else
      plan.write_key_part(column, &datums[column.index], out);
  }
  out.put('}');
  out.flush();
  sink.end_row(plan.key_line());
}

}  // namespace snapback::pg
