#include "core/format/seek_table.hpp"

#include "format_support.hpp"

namespace snapback {
namespace {

using test::raised_text;

TEST(SeekTable, IsBuiltAsTheSpecificationSays) {
  // contrib/seekable_format/zstd_seekable_compression_format.md
  const std::string table = make_seek_table({{0x01020304, 0x0a0b0c0d}, {5, 0}});
  const unsigned char expected[] = {0x5e, 0x2a, 0x4d, 0x18, 25,   0,    0,    0,  //
                                    4,    3,    2,    1,    0x0d, 0x0c, 0x0b, 0x0a,
                                    5,    0,    0,    0,    0,    0,    0,    0,
                                    2,    0,    0,    0,    0,    0xb1, 0xea, 0x92, 0x8f};
  EXPECT_EQ(table, std::string(reinterpret_cast<const char*>(expected), sizeof expected));
  EXPECT_EQ(table.size(), seek_table_size(2));
}

TEST(SeekTable, ReadsWhatItWrote) {
  SeekEntries entries;
  for (std::uint32_t i = 0; i < 1000; ++i) entries.emplace_back(i * 7919u, 0xffffffffu - i);
  const std::string table = make_seek_table(entries);
  EXPECT_EQ(parse_seek_footer(std::string_view(table).substr(table.size() - seek_table_footer_size)), 1000u);
  EXPECT_EQ(parse_seek_table(table), entries);
  EXPECT_TRUE(parse_seek_table(make_seek_table({})).empty());
}

TEST(SeekTable, FindsEveryKindOfDamage) {
  const std::string table = make_seek_table({{10, 20}, {30, 0}});
  // descriptor, magic numbers, sizes and the number of frames
  for (const std::size_t at : {0u, 3u, 4u, 7u, 24u, 27u, 28u, 29u, 32u}) {
    std::string bad = table;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_TRUE(raised_text([&] { parse_seek_table(bad); }).starts_with("XX001: seek table is damaged")) << at;
  }
  for (std::size_t size = 0; size < table.size(); ++size)
    EXPECT_TRUE(raised_text([&] { parse_seek_table(table.substr(0, size)); }).starts_with("XX001")) << size;
  EXPECT_TRUE(raised_text([] { parse_seek_footer("12345678"); }).starts_with("XX001"));
  std::string many = table.substr(table.size() - seek_table_footer_size);
  many[3] = '\x40';
  EXPECT_EQ(raised_text([&] { parse_seek_footer(many); }), "XX001: seek table is damaged: too many frames");
}

}  // namespace
}  // namespace snapback
