// Functions of pg_snapback_test over the row writer and reader; only in builds for tests.
#ifdef PG_SNAPBACK_TESTING

#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/format/row_parser.hpp"
#include "pg/call.hpp"
#include "pg/row_reader.hpp"
#include "pg/row_writer.hpp"
#include "pg/text_forms.hpp"
#include "pg/values/memory_sink.hpp"
#include "pg/values/type_shape.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/array.h"
#include "utils/datum.h"
}

namespace snapback::pg {

namespace {

using values::MemorySink;

// One table opened for a scan with the active snapshot.
class Scan {
 public:
  explicit Scan(Oid table) {
    call([&] {
      relation_ = table_open(table, AccessShareLock);
      slot_ = table_slot_create(relation_, nullptr);
      scan_ = table_beginscan(relation_, GetActiveSnapshot(), 0, nullptr);
    });
    for (int i = 0; i < description()->natts; ++i)
      if (!TupleDescAttr(description(), i)->attisdropped) columns_.push_back(static_cast<AttrNumber>(i + 1));
  }
  TupleDesc description() const { return RelationGetDescr(relation_); }
  const std::vector<AttrNumber>& columns() const { return columns_; }
  TupleTableSlot* slot() const { return slot_; }
  bool next() {
    return call([&] { return static_cast<bool>(table_scan_getnextslot(scan_, ForwardScanDirection, slot_)); });
  }
  void close() {
    call([&] {
      table_endscan(scan_);
      ExecDropSingleTupleTableSlot(slot_);
      table_close(relation_, NoLock);
    });
  }
  // The columns as a reader takes them, into the same positions.
  std::vector<ColumnTarget> targets() const {
    std::vector<ColumnTarget> result;
    for (const AttrNumber number : columns_) {
      const auto* attribute = TupleDescAttr(description(), number - 1);
      ColumnTarget target;
      target.name = values::utf8_name(NameStr(attribute->attname), "a column");
      target.form = value_form(attribute->atttypid, "column \"" + target.name + "\"");
      target.type = attribute->atttypid;
      target.typmod = attribute->atttypmod;
      target.position = number - 1;
      result.push_back(std::move(target));
    }
    return result;
  }

 private:
  Relation relation_;
  TupleTableSlot* slot_;
  TableScanDesc scan_;
  std::vector<AttrNumber> columns_;
};

// Collects one line and its key.
class LineSink {
 public:
  std::string_view write(RowWriter& writer, TupleTableSlot* slot) {
    call([&] { writer.write_unsafe(slot, sink_); });
    return sink_.text();
  }

 private:
  MemorySink sink_;
};

class RowContext {
 public:
  RowContext() {
    context_ = call([] { return AllocSetContextCreate(CurrentMemoryContext, "pg_snapback test row", ALLOCSET_DEFAULT_SIZES); });
  }
  template <class Body>
  auto in(Body body) {
    MemoryContext old = MemoryContextSwitchTo(context_);
    try {
      body();
    } catch (...) {
      MemoryContextSwitchTo(old);
      throw;
    }
    MemoryContextSwitchTo(old);
  }
  void reset() {
    call([&] { MemoryContextReset(context_); });
  }

 private:
  MemoryContext context_;
};

void put_text(FunctionCallInfo fcinfo, std::string_view text) {
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  call([&] {
    const char* shown = pg_any_to_server(text.data(), static_cast<int>(text.size()), PG_UTF8);
    Datum value = PointerGetDatum(cstring_to_text_with_len(shown, static_cast<int>(shown == text.data() ? text.size() : strlen(shown))));
    bool null = false;
    tuplestore_putvalues(result->setResult, result->setDesc, &value, &null);
  });
}

}  // namespace

// snapback_row_json(regclass) returns setof text: each row's line.
SNAPBACK_FUNCTION(row_json) {
  call([&] { InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC); });
  TextForms forms;
  Scan scan(PG_GETARG_OID(0));
  RowWriter writer(scan.description(), scan.columns(), {});
  LineSink line;
  RowContext row;
  while (scan.next()) {
    row.in([&] { put_text(fcinfo, line.write(writer, scan.slot())); });
    row.reset();
    check_interrupts();
  }
  scan.close();
  forms.close();
  return Datum{0};
}

namespace {

class KeySink final : public RowSink {
 public:
  std::string key;
  KeySink() : buffer_(1 << 20, '\0') {}
  void begin_row() override { rewind(); }
  void end_row(std::string_view text) override { key.assign(text); }

 private:
  void rewind() {
    cursor_ = buffer_.data();
    limit_ = cursor_ + buffer_.size();
  }
  void make_room(std::size_t) override { rewind(); }
  std::string buffer_;
};

}  // namespace

// snapback_row_keys(regclass, smallint[]) returns setof text: what end_row() gets as the key, of the columns given.
SNAPBACK_FUNCTION(row_keys) {
  call([&] { InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC); });
  TextForms forms;
  Scan scan(PG_GETARG_OID(0));
  std::vector<AttrNumber> key;
  auto* numbers = call([&] { return PG_GETARG_ARRAYTYPE_P(1); });
  const auto* first = reinterpret_cast<const int16*>(ARR_DATA_PTR(numbers));
  key.assign(first, first + (ARR_NDIM(numbers) == 0 ? 0 : ARR_DIMS(numbers)[0]));
  RowWriter writer(scan.description(), scan.columns(), key);
  KeySink sink;
  RowContext row;
  while (scan.next()) {
    row.in([&] {
      call([&] { writer.write_unsafe(scan.slot(), sink); });
      put_text(fcinfo, sink.key);
    });
    row.reset();
    check_interrupts();
  }
  scan.close();
  forms.close();
  return Datum{0};
}

// snapback_value_form(regtype) returns text: the column header's form.
SNAPBACK_FUNCTION(value_form) {
  TextForms forms;
  const std::string text = value_form(PG_GETARG_OID(0), "a column").dump();
  forms.close();
  return call([&] { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); });
}

// snapback_row_roundtrip(regclass, check_domains boolean) returns setof (row_number bigint, ok boolean, problem text): every row written, read back, compared by
// the datums' images (composites by their second writing), and written again.
SNAPBACK_FUNCTION(row_roundtrip) {
  call([&] { InitMaterializedSRF(fcinfo, 0); });
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  TextForms forms;
  Scan scan(PG_GETARG_OID(0));
  RowWriter writer(scan.description(), scan.columns(), {});
  RowReader reader(scan.targets(), PG_GETARG_BOOL(1));
  LineSink first, second;
  RowContext row;
  TupleTableSlot* back = call([&] { return MakeSingleTupleTableSlot(scan.description(), &TTSOpsVirtual); });
  std::int64_t number = 0;
  while (scan.next()) {
    row.in([&] {
      const std::string line(first.write(writer, scan.slot()));
      std::string problem;
      try {
        SingleTextSource source(line);
        RowParser parser(source);
        call([&] {
          ExecClearTuple(back);
          memset(back->tts_isnull, 1, static_cast<std::size_t>(scan.description()->natts));
        });
        reader.read(parser, back->tts_values, back->tts_isnull);
        call([&] { ExecStoreVirtualTuple(back); });
        if (second.write(writer, back) != line) problem = "written again: " + std::string(second.write(writer, back));
        for (const AttrNumber column : scan.columns()) {
          const auto* attribute = TupleDescAttr(scan.description(), column - 1);
          const int i = column - 1;
          const bool null = scan.slot()->tts_isnull[i];
          const bool same = null == back->tts_isnull[i] && (null || call([&] {
                              return datum_image_eq(scan.slot()->tts_values[i], back->tts_values[i], attribute->attbyval, attribute->attlen);
                            }));
          const auto shape = values::inspect_type(attribute->atttypid, -1, "a column", false);
          const auto* inner = shape.get();
          while (inner->element) inner = inner->element.get();
          if (!same && inner->fields.empty()) problem += " column " + std::string(NameStr(attribute->attname)) + " differs";
        }
      } catch (const snapback::error& e) {
        problem = std::string(e.sqlstate()) + ": " + e.message() + " (" + e.detail() + ")";
      }
      if (!problem.empty()) problem = line.substr(0, 2000) + " | " + problem;
      call([&] {
        Datum datums[3] = {Int64GetDatum(number), BoolGetDatum(problem.empty()), CStringGetTextDatum(problem.c_str())};
        bool nulls[3] = {false, false, problem.empty()};
        tuplestore_putvalues(result->setResult, result->setDesc, datums, nulls);
      });
    });
    row.reset();
    check_interrupts();
    ++number;
  }
  call([&] { ExecDropSingleTupleTableSlot(back); });
  scan.close();
  forms.close();
  return Datum{0};
}

// snapback_row_read(source regclass, target regclass, lines text, check_domains boolean) returns setof text: lines in the form of the source's columns, read as rows of the
// target (columns that the target lacks are dropped), shown as records.
SNAPBACK_FUNCTION(row_read) {
  call([&] { InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC); });
  const char* lines = call([&] { return static_cast<const char*>(text_to_cstring(PG_GETARG_TEXT_PP(2))); });
  TextForms forms;
  Scan from(PG_GETARG_OID(0)), to(PG_GETARG_OID(1));
  std::vector<ColumnTarget> targets = from.targets();
  for (auto& target : targets) {
    target.type = InvalidOid;
    for (const auto& column : to.targets()) {
      if (column.name != target.name) continue;
      target.type = column.type;
      target.typmod = column.typmod;
      target.position = column.position;
    }
  }
  RowReader reader(std::move(targets), PG_GETARG_BOOL(3));
  SingleTextSource source(lines);
  RowParser parser(source);
  RowContext row;
  const auto natts = static_cast<std::size_t>(to.description()->natts);
  std::vector<Datum> datums(natts);
  std::vector<char> nulls(natts);
  bool more = true;
  while (more) {
    row.in([&] {
      std::fill(nulls.begin(), nulls.end(), 1);
      more = reader.read(parser, datums.data(), reinterpret_cast<bool*>(nulls.data()));
      if (!more) return;
      const char* shown = call([&] {
        HeapTuple tuple = heap_form_tuple(to.description(), datums.data(), reinterpret_cast<bool*>(nulls.data()));
        Oid output;
        bool varlena;
        getTypeOutputInfo(RECORDOID, &output, &varlena);
        return static_cast<const char*>(OidOutputFunctionCall(output, HeapTupleGetDatum(tuple)));
      });
      put_text(fcinfo, shown);
    });
    row.reset();
  }
  to.close();
  from.close();
  forms.close();
  return Datum{0};
}

namespace {

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

// snapback_row_bench(regclass, what text) returns double precision: processor seconds for scanning ('scan'), writing ('write'), writing and hashing ('hash'), or reading
// ('read') a million rows.
SNAPBACK_FUNCTION(row_bench) {
  const std::string what = call([&] { return static_cast<const char*>(text_to_cstring(PG_GETARG_TEXT_PP(1))); });
  TextForms forms;
  Scan scan(PG_GETARG_OID(0));
  RowWriter writer(scan.description(), scan.columns(), {});
  RowReader reader(scan.targets(), true);
  FingerprintSink hash;
  MemorySink memory;
  std::string lines;
  RowContext row;
  double start = processor_seconds();
  std::int64_t count = 0;
  while (lines.size() < (std::size_t{16} << 20) && scan.next()) {
    row.in([&] {
      if (what == "scan") return;
      if (what == "hash") {
        call([&] { writer.write_unsafe(scan.slot(), hash); });
        return;
      }
      call([&] { writer.write_unsafe(scan.slot(), memory); });
      if (what != "read") return;
      if (!lines.empty()) lines += ",\n";
      lines += memory.text();
    });
    if (++count % 128 == 0) {
      row.reset();
      check_interrupts();
    }
  }
  if (what == "read") {
    const auto natts = static_cast<std::size_t>(scan.description()->natts);
    std::vector<Datum> datums(natts);
    std::vector<char> nulls(natts);
    start = processor_seconds();
    // the first lines again and again
    count = 1000000;
    for (std::int64_t done = 0; done < count;) {
      SingleTextSource source(lines);
      RowParser parser(source);
      for (bool more = true; more && done < count; ++done) {
        row.in([&] { more = reader.read(parser, datums.data(), reinterpret_cast<bool*>(nulls.data())); });
        if (done % 128 == 0) {
          row.reset();
          check_interrupts();
        }
      }
    }
  }
  const double seconds = processor_seconds() - start;
  scan.close();
  forms.close();
  return call([&] { return Float8GetDatum(seconds); });
}

}  // namespace snapback::pg

#endif
