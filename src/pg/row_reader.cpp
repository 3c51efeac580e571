#include "pg/row_reader.hpp"

#include <unordered_map>

#include "pg/encoding.hpp"
#include "pg/large_values.hpp"
#include "pg/values/owned_context.hpp"
#include "pg/values/value_reader.hpp"

namespace snapback::pg {

namespace {

// Text of a row after which the values made of it are freed, when nobody needs them.
constexpr std::uint64_t checked_at_once = std::uint64_t{1} << 20;

// Errors that are not about the value: they pass as they are.
bool passes(int code) {
  switch (ERRCODE_TO_CATEGORY(code)) {
    case MAKE_SQLSTATE('0', '8', '0', '0', '0'):
    case MAKE_SQLSTATE('4', '0', '0', '0', '0'):
    case ERRCODE_INSUFFICIENT_RESOURCES:
    case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
    case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
      return true;
    default:
      return false;
  }
}

}  // namespace

struct RowReader::Plan {
  struct Column {
    ColumnTarget target;
    std::unique_ptr<values::ValueReader> reader;  // null: parsed and dropped
    std::uint64_t seen = 0;                       // number of the last read() that met it
    bool by_value = false, can_be_pointer = false;
    std::int16_t length = 0;
  };

  values::OwnedContext context{"pg_snapback row reader"};
  std::vector<Column> columns;
  std::unordered_map<std::string, std::size_t> by_name;
  std::string key, scratch;
  std::uint64_t reads = 0;
  LargeValues* large;

  Column& find(RowParser& parser, std::string_view name, std::size_t& expected);
  [[noreturn]] void refuse(const Column& column, const RowParser& parser, const std::string& state, std::string detail) const;
};

RowReader::Plan::Column& RowReader::Plan::find(RowParser& parser, std::string_view name, std::size_t& expected) {
  // keys come in the columns' order, those of NULLs left out
  for (std::size_t i = expected; i < columns.size() && i < expected + 4; ++i) {
    if (columns[i].target.name == name) {
      expected = i + 1;
      return columns[i];
    }
  }
  key.assign(name);
  const auto found = by_name.find(key);
  if (found == by_name.end()) parser.fail("it has a key that is no column");
  expected = found->second + 1;
  return columns[found->second];
}

void RowReader::Plan::refuse(const Column& column, const RowParser& parser, const std::string& state, std::string detail) const {
  throw snapback::error(state.c_str(), "invalid value for column \"" + shown_text(column.target.name) + "\" in row " +
                                           std::to_string(parser.row_number()) + " of the backup",
                        std::move(detail));
}

RowReader::RowReader(std::vector<ColumnTarget> columns, bool check_domains, LargeValues* large) : plan_(std::make_unique<Plan>()) {
  plan_->large = large;
  for (auto& target : columns) {
    Plan::Column column;
    if (OidIsValid(target.type)) {
      const auto shape = values::inspect_type(target.type, target.typmod, "column \"" + shown_text(target.name) + "\"", false);
      column.reader = std::make_unique<values::ValueReader>(*shape, target.form, check_domains, plan_->context.get());
      column.by_value = shape->by_value;
      column.length = shape->length;
      // functions of other types (oidvector) take their bytes as they stand
      column.can_be_pointer = shape->length == -1 && call([&] { return get_typstorage(shape->base) != TYPSTORAGE_PLAIN; });
    }
    plan_->by_name.emplace(target.name, plan_->columns.size());
    column.target = std::move(target);
    plan_->columns.push_back(std::move(column));
  }
}

RowReader::~RowReader() = default;

namespace {

void reset_context() {
  call([] { MemoryContextReset(CurrentMemoryContext); });
}

}  // namespace

bool RowReader::check(RowParser& parser) {
  struct Taker {
    RowParser& parser;
    std::uint64_t freed = 0;

    void begin_value() {}
    void take(const Plan::Column&, Datum, bool) {
      if (parser.row_size_so_far() - freed < checked_at_once) [[likely]] return;
      reset_context();
      check_interrupts();
      freed = parser.row_size_so_far();
    }
  };
  const bool more = convert(parser, Taker{parser});
  if (more) reset_context();
  return more;
}

bool RowReader::read(RowParser& parser, Datum* values, bool* nulls) {
  struct Taker {
    Plan& plan;
    RowParser& parser;
    Datum* values;
    bool* nulls;
    bool aside = false;
    const Plan::Column* last = nullptr;

    // before the next value is read, so that the last value of a row need not be put aside
    void begin_value() {
      if (plan.large == nullptr || !plan.large->is_due(parser.row_size_so_far())) [[likely]] return;
      if (aside) {
        if (last != nullptr) put_aside(*last);
      } else {
        for (auto& column : plan.columns)
          if (column.seen == plan.reads) put_aside(column);
      }
      last = nullptr;
      aside = true;
      reset_context();
    }
    void put_aside(const Plan::Column& column) {
      const int position = column.target.position;
      if (column.reader != nullptr && !nulls[position]) values[position] = plan.large->keep(values[position], column.by_value, column.length, column.can_be_pointer);
    }
    void take(const Plan::Column& column, Datum value, bool is_null) {
      values[column.target.position] = value;
      nulls[column.target.position] = is_null;
      last = &column;
    }
  };
  if (plan_->large != nullptr) plan_->large->clear();
  return convert(parser, Taker{*plan_, parser, values, nulls});
}

template <class Taker>
bool RowReader::convert(RowParser& parser, Taker taker) {
  Plan& plan = *plan_;
  if (!parser.next_row()) return false;
  ++plan.reads;
  std::size_t expected = 0, present = 0;
  std::string_view key;
  Plan::Column* column = nullptr;
  std::string state, detail;
  try {
    while (parser.next_key(key)) {
      taker.begin_value();
      column = &plan.find(parser, key, expected);
      if (column->seen == plan.reads) parser.fail("it has a key twice");
      column->seen = plan.reads;
      ++present;
      if (column->reader == nullptr) {
        parser.skip_value();
        continue;
      }
      bool is_null;
      const Datum value = column->reader->read(parser, plan.scratch, is_null);
      taker.take(*column, value, is_null);
    }
    if (present == plan.columns.size()) return true;
    for (auto& absent : plan.columns) {
      if (absent.seen == plan.reads || absent.reader == nullptr) continue;
      column = &absent;
      absent.reader->read_absent();
      taker.take(absent, Datum{0}, true);
    }
    return true;
  } catch (const pg::error& e) {
    if (column == nullptr || passes(e.code())) throw;
    state = e.sqlstate();
  } catch (values::KindMismatch& e) {
    state = sqlstate::datatype_mismatch;
    detail = std::move(e.detail);
  }
  if (detail.empty())
    detail = "The type of the column is " + values::type_name(column->target.type, column->target.typmod) + ".";
  plan.refuse(*column, parser, state, std::move(detail));
}

}  // namespace snapback::pg
