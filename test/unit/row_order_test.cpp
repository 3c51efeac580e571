#include "core/format/row_order.hpp"

#include "core/format/row_sink.hpp"
#include "format_support.hpp"

namespace snapback {
namespace {

using test::raised_text;

Fingerprint in_order(const std::string& rows, const std::vector<std::string>& columns) {
  NoInterrupts interrupts;
  SingleTextSource text(rows);
  RowParser parser(text);
  return fingerprint_in_order(parser, columns, interrupts);
}

Fingerprint as_they_are(const std::string& rows) {
  SingleTextSource text(rows);
  RowParser parser(text);
  while (parser.next_row()) parser.skip_row();
  return parser.fingerprint();
}

TEST(RowOrder, RowsAreHashedAsIfTheirColumnsStoodInTheOrderAskedFor) {
  const std::vector<std::string> columns = {"a", "b\"\n", "c"};
  const std::string wanted = R"({"a":1,"b\"\n":{"x": [1, null]},"c":"\u0001"},
{"b\"\n":2},
{},
{"a":-1.50,"c":"z"})";
  EXPECT_TRUE(in_order(wanted, columns) == as_they_are(wanted));
  const std::string turned = R"({"c":"\u0001","b\"\n":{"x": [1, null]},"a":1},
{"b\"\n":2},
{},
{"c":"z","a":-1.50})";
  EXPECT_FALSE(as_they_are(turned) == as_they_are(wanted));
  EXPECT_TRUE(in_order(turned, columns) == as_they_are(wanted));
  EXPECT_TRUE(in_order("", columns) == Fingerprint());
}

TEST(RowOrder, AColumnThatIsNotNamedIsDamage) {
  EXPECT_NE(raised_text([] { in_order(R"({"a":1,"d":2})", {"a"}); }).find("a column that the table does not have"), std::string::npos);
}

}  // namespace
}  // namespace snapback
