#include "core/format/row_order.hpp"

#include <map>

#include "core/format/row_sink.hpp"

namespace snapback {

Fingerprint fingerprint_in_order(RowParser& rows, const std::vector<std::string>& columns, Interrupts& interrupts) {
  std::map<std::string, std::size_t, std::less<>> places;
  for (std::size_t i = 0; i < columns.size(); ++i) places.emplace(columns[i], i);
  std::vector<std::string> values(columns.size());
  FingerprintSink sink;
  while (rows.next_row()) {
    for (auto& value : values) value.clear();
    std::string_view name;
    while (rows.next_key(name)) {
      auto place = places.find(name);
      if (place == places.end()) rows.fail("it has a column that the table does not have");
      rows.read_raw(values[place->second]);
    }
    sink.begin_row();
    const char* before = "{\"";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (values[i].empty()) continue;  // NULL
      sink.append(before);
      sink.append_escaped(columns[i].data(), columns[i].size());
      sink.append("\":");
      sink.append(values[i]);
      before = ",\"";
    }
    sink.append(before[0] == '{' ? "{}" : "}");
    sink.end_row({});
    interrupts.check();
  }
  return sink.fingerprint();
}

}  // namespace snapback
