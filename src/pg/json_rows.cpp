#include "pg/json_rows.hpp"

#include <algorithm>
#include <memory>

#include "core/graph/exact_json.hpp"
#include "pg/call.hpp"
#include "pg/spi.hpp"
#include "pg/values/memory_sink.hpp"
#include "pg/values/owned_context.hpp"
#include "pg/values/text.hpp"
#include "pg/values/value_writer.hpp"

extern "C" {
#include "executor/spi.h"
#include "nodes/params.h"
#include "tcop/dest.h"
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

CallerForms::CallerForms() : path_(namespace_search_path) {
  call([&] {
    (void)set_config_option("search_path", path_.c_str(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    (void)set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  });
}

namespace {

// Receives the executor's rows. The callbacks run under PostgreSQL's frames, so each is a boundary of its own.
struct Receiver {
  DestReceiver base;
  const std::vector<JsonColumn>* columns;
  JsonRows* rows;
  std::vector<std::unique_ptr<values::ValueWriter>>* writers;
  std::vector<bool>* json;  // by column: jsonb
  std::vector<std::string>* labels;
  values::MemorySink* sink;
  values::OwnedContext* context;
  MemoryContext row_context;
};

void receiver_startup(DestReceiver* self, int, TupleDesc description) {
  boundary([&] {
    auto* receiver = reinterpret_cast<Receiver*>(self);
    for (int i = 0; i < description->natts; ++i) {
      const auto* attribute = TupleDescAttr(description, i);
      const auto& column = (*receiver->columns)[static_cast<std::size_t>(i)];
      const auto shape = values::inspect_type(attribute->atttypid, attribute->atttypmod, "column \"" + column.name + "\"", false);
      receiver->json->push_back(shape->form == values::Form::json);
      receiver->writers->push_back(std::make_unique<values::ValueWriter>(*shape, receiver->context->get()));
      receiver->labels->push_back(values::json_label(column.name));
    }
  });
}

void append_value(Receiver& receiver, std::size_t column, std::string_view lexeme, bool& first) {
  JsonRows& rows = *receiver.rows;
  const JsonColumn& wanted = (*receiver.columns)[column];
  JsonRows::Kept kept;
  if (wanted.shown) {
    if (!first) rows.text += ',';
    first = false;
    kept.label = rows.text.size();
    rows.text += (*receiver.labels)[column];
    if ((*receiver.json)[column] && !graph::survives_doubles(lexeme))
      graph::append_wrapped_json(rows.text, lexeme);
    else
      rows.text += lexeme;
    kept.end = rows.text.size();
  }
  if (!wanted.kept) return;
  kept.offset = rows.values.size();
  kept.size = lexeme.size();
  rows.values += lexeme;
  rows.kept.push_back(kept);
}

bool receiver_row(TupleTableSlot* slot, DestReceiver* self) {
  return boundary([&] {
    auto& receiver = *reinterpret_cast<Receiver*>(self);
    JsonRows& rows = *receiver.rows;
    rows.text += '{';
    bool first = true;
    call([&] {
      slot_getallattrs(slot);
      MemoryContext old = MemoryContextSwitchTo(receiver.row_context);
      for (std::size_t i = 0; i < receiver.columns->size(); ++i) {
        if (slot->tts_isnull[i]) {
          if ((*receiver.columns)[i].kept) rows.kept.emplace_back();
          continue;
        }
        receiver.sink->clear();
        values::Out out(*receiver.sink);
        (*receiver.writers)[i]->write(slot->tts_values[i], out);
        out.flush();
        append_value(receiver, i, receiver.sink->text(), first);
      }
      MemoryContextSwitchTo(old);
      MemoryContextReset(receiver.row_context);
    });
    rows.text += '}';
    rows.ends.push_back(rows.text.size());
    return true;
  });
}

void receiver_nothing(DestReceiver*) {}

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
  values::OwnedContext context("pg_snapback rows");
  values::MemorySink sink;
  std::vector<std::unique_ptr<values::ValueWriter>> writers;
  std::vector<bool> json;
  std::vector<std::string> labels;
  Receiver receiver{};
  receiver.base.receiveSlot = receiver_row;
  receiver.base.rStartup = receiver_startup;
  receiver.base.rShutdown = receiver_nothing;
  receiver.base.rDestroy = receiver_nothing;
  receiver.base.mydest = DestNone;
  receiver.columns = &columns;
  receiver.rows = &rows;
  receiver.writers = &writers;
  receiver.json = &json;
  receiver.labels = &labels;
  receiver.sink = &sink;
  receiver.context = &context;
  const auto parameters = list_parameters(lists);
  call([&] {
    receiver.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback row", ALLOCSET_DEFAULT_SIZES);
    ParamListInfo values = makeParamList(static_cast<int>(parameters.size()));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      values->params[i].value = parameters[i];
      values->params[i].isnull = false;
      values->params[i].pflags = PARAM_FLAG_CONST;
      values->params[i].ptype = TEXTARRAYOID;
    }
    SPI_connect();
    SPIExecuteOptions options;
    memset(&options, 0, sizeof(options));
    options.params = values;
    options.read_only = true;
    options.dest = &receiver.base;
    const int code = SPI_execute_extended(sql.c_str(), &options);
    if (code < 0) elog(ERROR, "query returned %s", SPI_result_code_string(code));
    SPI_finish();
    MemoryContextDelete(receiver.row_context);
    for (const Datum parameter : parameters) pfree(DatumGetPointer(parameter));
  });
  return rows;
}

std::int64_t select_count(const std::string& sql, const std::vector<const std::vector<std::string>*>& lists) {
  const JsonRows rows = select_json(sql, lists, {{"count", false, true}});
  return std::stoll(std::string(rows.value(0, 0)));
}

std::string server_text(const std::string& utf8) {
  const char* converted = call([&] { return pg_any_to_server(utf8.c_str(), static_cast<int>(utf8.size()), PG_UTF8); });
  return converted;
}

std::string utf8_text(const std::string& server_text) {
  const char* converted = call([&] { return pg_server_to_any(server_text.c_str(), static_cast<int>(server_text.size()), PG_UTF8); });
  return converted;
}

}  // namespace snapback::pg
