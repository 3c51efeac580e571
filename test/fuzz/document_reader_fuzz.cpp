// A document for import from bytes of any kind: it is read, or refused with one of the errors it may raise; what was read keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/error.hpp"
#include "core/graph/document_reader.hpp"
#include "core/graph/embedded_ids.hpp"

namespace {

class NoInterrupts final : public snapback::Interrupts {
 public:
  void check() override {}
};

bool expected(const char* state) {
  for (const char* known : {"22P02", "22023", "0A000", "54000"})
    if (std::strcmp(state, known) == 0) return true;
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace snapback::graph;
  PlanReport report;
  NoInterrupts interrupts;
  DocumentLimits limits;
  limits.rows = 1000;
  limits.tables = 20;
  limits.columns = 50;
  limits.depth = 50;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    Document document = read_document(text, limits, report, interrupts);
    if (document.digest.size() != 64 || document.tables.size() > limits.tables || document.row_count() > limits.rows) std::abort();
    for (auto& table : document.tables) {
      if (table.columns.size() > limits.columns) std::abort();
      for (auto& row : table.rows)
        for (auto& cell : row) {
          std::string array;
          if (cell.kind == DocumentCell::Kind::structure && nlohmann::json::parse(cell.text, nullptr, false).is_discarded()) std::abort();
          (void)array_text(cell.text, array);
        }
    }
    (void)report.to_json().dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  } catch (const snapback::error& e) {
    if (!expected(e.sqlstate())) std::abort();
  }
  // these see texts of columns, which may be anything
  static const auto path = *parse_path("$.**.lessonId");
  for (auto& id : ids_in_json(text, path))
    if (id.offset + id.size > size) std::abort();
  for (auto& id : ids_in_text(text, "/lessons/", ")"))
    if (id.offset + id.size > size) std::abort();
  long_words(text, [](std::string_view) {});
  return 0;
}
