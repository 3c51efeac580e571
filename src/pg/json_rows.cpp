#include "pg/json_rows.hpp"

#include <algorithm>
#include <memory>

#include "core/graph/exact_json.hpp"
#include "pg/call.hpp"
#include "pg/executor_rows.hpp"
#include "pg/spi.hpp"
#include "pg/values/memory_sink.hpp"
#include "pg/values/owned_context.hpp"
#include "pg/values/text.hpp"
#include "pg/values/value_writer.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/array.h"
}

namespace snapback::pg {

std::string_view JsonRows::row(std::size_t index) const {
  const std::size_t start = index == 0 ? 0 : ends[index - 1];
  return std::string_view(text).substr(start, ends[index] - start);
}

std::string_view JsonRows::value(std::size_t row_index, std::size_t column) const {
  const Kept& found = kept_at(row_index, column);
  return std::string_view(values).substr(found.offset, found.size);
}

std::string JsonRows::row_without(std::size_t row_index, std::vector<std::size_t> columns) const {
  std::string object(row(row_index));
  const std::size_t start = row_index == 0 ? 0 : ends[row_index - 1];
  // from behind, so that what stands before keeps its place
  std::sort(columns.begin(), columns.end(), [&](auto a, auto b) { return kept_at(row_index, a).label > kept_at(row_index, b).label; });
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  for (const std::size_t column : columns) {
    const Kept& found = kept_at(row_index, column);
    if (found.label == found.end) continue;
    std::size_t from = found.label - start, to = found.end - start;
    if (object[from - 1] == ',')
      --from;
    else if (object[to] == ',')
      ++to;
    object.erase(from, to - from);
  }
  return object;
}

namespace {

// Builds the objects.
class JsonReceiver final : public ExecutorRows {
 public:
  JsonReceiver(const std::vector<JsonColumn>& columns, JsonRows& rows) : columns_(columns), rows_(rows) {}

  void begin(TupleDesc description) override {
    for (int i = 0; i < description->natts; ++i) {
      const auto* attribute = TupleDescAttr(description, i);
      const auto& column = columns_[static_cast<std::size_t>(i)];
      const auto shape = values::inspect_type(attribute->atttypid, attribute->atttypmod, "column \"" + column.name + "\"", false);
      json_.push_back(shape->form == values::Form::json);
      writers_.push_back(std::make_unique<values::ValueWriter>(*shape, context_.get()));
      labels_.push_back(values::json_label(column.name));
    }
  }

  void row_unsafe(TupleTableSlot* slot) override {
    rows_.text += '{';
    bool first = true;
    slot_getallattrs(slot);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (slot->tts_isnull[i]) {
        if (columns_[i].kept) rows_.kept.emplace_back();
        continue;
      }
      sink_.clear();
      values::Out out(sink_);
      writers_[i]->write(slot->tts_values[i], out);
      out.flush();
      append_value(i, sink_.text(), first);
    }
    rows_.text += '}';
    rows_.ends.push_back(rows_.text.size());
  }

 private:
  void append_value(std::size_t column, std::string_view lexeme, bool& first) {
    const JsonColumn& wanted = columns_[column];
    JsonRows::Kept kept;
    if (wanted.shown) {
      if (!first) rows_.text += ',';
      first = false;
      kept.label = rows_.text.size();
      rows_.text += labels_[column];
      if (json_[column] && !graph::survives_doubles(lexeme))
        graph::append_wrapped_json(rows_.text, lexeme);
      else
        rows_.text += lexeme;
      kept.end = rows_.text.size();
    }
    if (!wanted.kept) return;
    kept.offset = rows_.values.size();
    kept.size = lexeme.size();
    rows_.values += lexeme;
    rows_.kept.push_back(kept);
  }

  const std::vector<JsonColumn>& columns_;
  JsonRows& rows_;
  values::OwnedContext context_{"pg_snapback rows"};
  values::MemorySink sink_;
  std::vector<std::unique_ptr<values::ValueWriter>> writers_;
  std::vector<bool> json_;  // by column: jsonb
  std::vector<std::string> labels_;
};

// The lists as text[] values, in the current memory context.
std::vector<Datum> list_parameters(const std::vector<const std::vector<std::string>*>& lists) {
  std::vector<Datum> parameters;
  for (const auto* list : lists) {
    std::vector<Datum> elements(list->size());
    parameters.push_back(call([&] {
      for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string& item = (*list)[i];
        const char* text = pg_any_to_server(item.c_str(), static_cast<int>(item.size()), PG_UTF8);
        elements[i] = PointerGetDatum(text == item.c_str() ? cstring_to_text_with_len(text, static_cast<int>(item.size())) : cstring_to_text(text));
      }
      return PointerGetDatum(construct_array(elements.data(), static_cast<int>(elements.size()), TEXTOID, -1, false, TYPALIGN_INT));
    }));
  }
  return parameters;
}

}  // namespace

JsonRows select_json(const std::string& sql, const std::vector<const std::vector<std::string>*>& lists, const std::vector<JsonColumn>& columns) {
  JsonRows rows;
  for (const auto& column : columns) rows.kept_columns += column.kept ? 1 : 0;
  JsonReceiver receiver(columns, rows);
  const auto parameters = list_parameters(lists);
  execute_for_rows(sql, parameters, receiver);
  call([&] {
    for (const Datum parameter : parameters) pfree(DatumGetPointer(parameter));
  });
  return rows;
}

std::int64_t select_count(const std::string& sql, const std::vector<const std::vector<std::string>*>& lists) {
  const JsonRows rows = select_json(sql, lists, {{"count", false, true}});
  return std::stoll(std::string(rows.value(0, 0)));
}

}  // namespace snapback::pg
