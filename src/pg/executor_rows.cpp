#include "pg/executor_rows.hpp"

#include "pg/call.hpp"

extern "C" {
#include "executor/spi.h"
#include "nodes/params.h"
#include "tcop/dest.h"
}

namespace snapback::pg {

namespace {

// The callbacks run under PostgreSQL's frames, so each is a boundary of its own.
struct Receiver {
  DestReceiver base;
  ExecutorRows* rows;
  MemoryContext row_context;
};

void receiver_startup(DestReceiver* self, int, TupleDesc description) {
  boundary([&] { reinterpret_cast<Receiver*>(self)->rows->begin(description); });
}

bool receiver_row(TupleTableSlot* slot, DestReceiver* self) {
  return boundary([&] {
    auto* receiver = reinterpret_cast<Receiver*>(self);
    call([&] {
      MemoryContext old = MemoryContextSwitchTo(receiver->row_context);
      receiver->rows->row_unsafe(slot);
      MemoryContextSwitchTo(old);
      MemoryContextReset(receiver->row_context);
    });
    return true;
  });
}

void receiver_nothing(DestReceiver*) {}

}  // namespace

void execute_for_rows(const std::string& sql, const std::vector<Datum>& lists, ExecutorRows& rows) {
  Receiver receiver{};
  receiver.base.receiveSlot = receiver_row;
  receiver.base.rStartup = receiver_startup;
  receiver.base.rShutdown = receiver_nothing;
  receiver.base.rDestroy = receiver_nothing;
  receiver.base.mydest = DestNone;
  receiver.rows = &rows;
  call([&] {
    receiver.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_snapback row", ALLOCSET_DEFAULT_SIZES);
    ParamListInfo parameters = makeParamList(static_cast<int>(lists.size()));
    for (std::size_t i = 0; i < lists.size(); ++i) {
      parameters->params[i].value = lists[i];
      parameters->params[i].isnull = false;
      parameters->params[i].pflags = PARAM_FLAG_CONST;
      parameters->params[i].ptype = TEXTARRAYOID;
    }
    SPI_connect();
    SPIExecuteOptions options;
    memset(&options, 0, sizeof(options));
    options.params = parameters;
    options.read_only = true;
    options.dest = &receiver.base;
    const int code = SPI_execute_extended(sql.c_str(), &options);
    if (code < 0) elog(ERROR, "query returned %s", SPI_result_code_string(code));
    SPI_finish();
    MemoryContextDelete(receiver.row_context);
  });
}

}  // namespace snapback::pg
