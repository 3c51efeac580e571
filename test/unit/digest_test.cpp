#include "core/digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace snapback {
namespace {

TEST(Sha256, KnownValues) {
  // FIPS 180-4 examples
  EXPECT_EQ(to_hex(sha256_of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256_of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256_of(std::string(1000000, 'a'))), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSame) {
  const std::string text(100000, 'x');
  for (std::size_t piece : {1U, 7U, 64U, 4096U, 99999U}) {
    Sha256 digest;
    for (std::size_t i = 0; i < text.size(); i += piece) digest.update(text.data() + i, std::min(piece, text.size() - i));
    EXPECT_EQ(digest.finish(), sha256_of(text)) << piece;
  }
}

TEST(Sha256, StartsAnewAfterFinish) {
  Sha256 digest;
  digest.update("garbage", 7);
  (void)digest.finish();
  digest.update(nullptr, 0);
  digest.update("abc", 3);
  EXPECT_EQ(digest.finish(), sha256_of("abc"));
}

TEST(Hex, ThereAndBack) {
  unsigned char bytes[256], back[256];
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<unsigned char>(i);
  std::string hex = to_hex(bytes, sizeof bytes);
  EXPECT_EQ(hex.substr(0, 8), "00010203");
  EXPECT_TRUE(from_hex(hex, back, sizeof back));
  EXPECT_TRUE(std::equal(bytes, bytes + 256, back));
  std::transform(hex.begin(), hex.end(), hex.begin(), [](unsigned char c) { return std::toupper(c); });
  std::fill(back, back + 256, 0);
  EXPECT_TRUE(from_hex(hex, back, sizeof back));
  EXPECT_TRUE(std::equal(bytes, bytes + 256, back));
}

TEST(Hex, Malformed) {
  unsigned char out[2];
  for (const char* text : {"", "0", "000", "00000", "00g0", "0x00", " 000", "00-1", "00\xC3\xA9"}) EXPECT_FALSE(from_hex(text, out, 2)) << text;
  EXPECT_TRUE(from_hex("", out, 0));
}

TEST(RowHash, KnownValues) {
  // printf '' | xxh128sum; printf abc | xxh128sum
  EXPECT_EQ(row_hash("").to_hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(row_hash("abc").to_hex(), "06b05ab6733a618578af5f94892f3950");
}

TEST(RowHash, PiecesGiveTheSame) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i);
  RowHasher hasher;
  for (std::size_t size : {0U, 1U, 3U, 16U, 17U, 128U, 129U, 240U, 241U, 1024U, 5000U}) {
    for (std::size_t piece : {1U, 13U, 256U, 100000U}) {
      hasher.reset();
      for (std::size_t i = 0; i < size; i += piece) hasher.update(std::string_view(text).substr(i, std::min(piece, size - i)));
      EXPECT_EQ(hasher.finish(), row_hash(std::string_view(text).substr(0, size))) << size << " " << piece;
    }
  }
  EXPECT_EQ(RowHasher().finish(), row_hash(""));
}

TEST(Fingerprint, SumCarriesIntoTheHighWord) {
  Fingerprint sum{~std::uint64_t{0}, 1};
  sum.add({1, 0});
  EXPECT_EQ(sum, (Fingerprint{0, 2}));
  sum.subtract({1, 0});
  EXPECT_EQ(sum, (Fingerprint{~std::uint64_t{0}, 1}));
  Fingerprint top{~std::uint64_t{0}, ~std::uint64_t{0}};
  top.add({1, 0});
  EXPECT_EQ(top, Fingerprint{});
  top.subtract({1, 0});
  EXPECT_EQ(top, (Fingerprint{~std::uint64_t{0}, ~std::uint64_t{0}}));
}

TEST(Fingerprint, IndependentOfOrderAndAwareOfRepetition) {
  std::mt19937_64 random(1);
  std::vector<Fingerprint> rows;
  for (int i = 0; i < 1000; ++i) rows.push_back(row_hash(std::to_string(i % 900)));
  Fingerprint forward, shuffled;
  for (const auto& row : rows) forward.add(row);
  std::shuffle(rows.begin(), rows.end(), random);
  for (const auto& row : rows) shuffled.add(row);
  EXPECT_EQ(forward, shuffled);
  shuffled.add(rows.front());
  EXPECT_NE(forward, shuffled);
  for (const auto& row : rows) forward.subtract(row);
  EXPECT_EQ(forward, Fingerprint{});
}

TEST(Fingerprint, Hex) {
  const Fingerprint value{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(value.to_hex(), "fedcba98765432100123456789abcdef");
  Fingerprint back{1, 1};
  EXPECT_TRUE(Fingerprint::from_hex("fedcba98765432100123456789abcdef", back));
  EXPECT_EQ(back, value);
  EXPECT_EQ(Fingerprint{}.to_hex(), std::string(32, '0'));
  for (const char* text : {"", "fedcba98765432100123456789abcde", "fedcba98765432100123456789abcdefa", "fedcba98765432100123456789abcdeg"}) {
    EXPECT_FALSE(Fingerprint::from_hex(text, back)) << text;
    EXPECT_EQ(back, value);
  }
}

}  // namespace
}  // namespace snapback
