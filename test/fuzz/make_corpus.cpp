// Writes the valid files that the fuzzers start from, and that format_compat_test.cpp reads: run it once per format version, with the folder test/fuzz/corpus.
//   g++ -std=gnu++20 -Isrc -Itest/unit test/fuzz/make_corpus.cpp src/core/format/*.cpp src/core/digest.cpp -lzstd -lcrypto -lgtest -lpthread -o make_corpus
//   ./make_corpus test/fuzz/corpus
#include <fstream>

#include "format_support.hpp"

using namespace snapback;

namespace {

std::string folder;

void save(const std::string& name, const std::string& contents) {
  std::ofstream out(folder + "/" + name, std::ios::binary);
  out << contents;
  if (!out.flush()) throw std::runtime_error("could not write " + name);
}

std::string manifest_text(const std::string& file) {
  const std::size_t start = file.find(manifest_mark) + manifest_header_size - 8;
  return file.substr(start, file.rfind("\x5e\x2a\x4d\x18") - start);
}

void backup(const std::string& name, const std::vector<test::Table>& tables, std::size_t frame_text, std::size_t row_cut) {
  const std::string file = test::write_backup(tables, test::small_frames(frame_text, row_cut));
  save("backup_reader/" + name + ".json.zst", file);
  save("manifest/" + name + ".json", manifest_text(file));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  folder = argv[1];
  test::Table wide = test::make_table("wide", 0);
  wide.rows = {{R"({"id":1,"title":"é \"x\" \u0001","f":-1.5e+10,"b":true,"j":{"a": [1, null, {"b": "c"}]},"arr":[1,"x",[2]],"o":{"p":"q"}})", "[1]"},
               {R"({"id":2,"j":null,"hex":{"$hex":"ff00"}})", "[2]"},
               {R"({"id":3})", "[3]"}};
  test::Table cut = test::make_table("cut", 2);
  cut.rows.push_back({R"({"id":9,"title":")" + std::string(300, 'z') + "\"}", "[9]"});
  backup("none", {}, 100, 400);
  backup("empty", {test::make_table("a", 0), test::make_table("b", 0)}, 100, 400);
  backup("rows", {test::make_table("a", 10), test::make_table("b", 0), wide}, 80, 400);
  backup("cut", {cut, test::make_table("b", 1)}, 60, 100);

  Sidecar sidecar;
  sidecar.id = "backup_20261121T020000Z_9f3c01ab";
  sidecar.sha256 = std::string(64, 'a');
  sidecar.backup = test::test_backup();
  sidecar.verified = "content";
  sidecar.verified_at = "2026-11-21T02:00:00.000000Z";
  save("manifest/sidecar.json", dump_sidecar(sidecar));

  std::string rows;
  for (const auto& row : wide.rows) rows += (rows.empty() ? "" : ",\n") + row.text;
  save("row_parser/wide", "\x05" + rows);
  save("row_parser/one", "\x01" + wide.rows[2].text);
  save("row_parser/surrogates", "\x03" R"({"a":"\ud83d\ude00\u00e9\/\b\f\n\r\t\\\"","":{}})");
  save("row_parser/numbers", "\x02" R"({"a":0,"b":-0,"c":1.50,"d":12e-7,"e":1E+5,"f":123456789012345678901234567890})");
  save("row_parser/blanks", "\x04" R"({"j":{"a": 1 , "b": [ ], "c": { }},"k":[1, [2], [[]]],"l":[]},)" "\n{}");
}
