#include "core/format/row_matcher.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>
#include <vector>

namespace snapback {
namespace {

using Key = std::tuple<std::uint64_t, std::uint64_t>;

RowMark mark(std::uint64_t low, std::uint64_t high, bool live, std::int64_t place = 0) {
  RowMark made;
  made.row = {low, high};
  made.live = live;
  made.place = place;
  return made;
}

// Cancels what left the matcher, as the caller's sort does: how many more live rows (negative: rows of the backup) of each hash there are.
std::map<Key, long> balance(const std::vector<RowMark>& left) {
  std::map<Key, long> sum;
  for (auto& row : left) sum[{row.row.low, row.row.high}] += row.live ? 1 : -1;
  std::erase_if(sum, [](auto& entry) { return entry.second == 0; });
  return sum;
}

TEST(RowMatcher, EqualRowsOfBothSidesCancelEachOther) {
  std::vector<RowMark> left;
  RowMatcher matcher([&](const RowMark& row) { left.push_back(row); });
  matcher.add(mark(1, 1, true));
  matcher.add(mark(2, 1, false, 7));
  matcher.add(mark(1, 1, false));
  EXPECT_EQ(matcher.matched(), 1u);
  EXPECT_EQ(matcher.waiting(), 1u);
  EXPECT_TRUE(left.empty());
  matcher.drain();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].place, 7);
  EXPECT_FALSE(left[0].live);
  EXPECT_EQ(matcher.waiting(), 0u);
}

TEST(RowMatcher, HalfAHashIsNotEnough) {
  std::vector<RowMark> left;
  RowMatcher matcher([&](const RowMark& row) { left.push_back(row); });
  matcher.add(mark(5, 1, true));
  matcher.add(mark(5, 2, false));
  EXPECT_EQ(matcher.matched(), 0u);
  EXPECT_EQ(matcher.waiting(), 2u);
}

TEST(RowMatcher, MoreThanItHoldsLeavesAndIsNotLost) {
  std::vector<RowMark> left;
  RowMatcher matcher([&](const RowMark& row) { left.push_back(row); }, 2048);
  for (std::uint64_t i = 0; i < 20000; ++i) {
    matcher.add(mark(i * 0x9e3779b97f4a7c15u, i, true));
    EXPECT_LE(matcher.waiting(), 2048u);
  }
  EXPECT_GT(left.size(), 15000u);
  matcher.drain();
  EXPECT_EQ(balance(left).size(), 20000u);
}

TEST(RowMatcher, ManyEqualRowsOfOneSideDoNotMakeItSlow) {
  std::vector<RowMark> left;
  RowMatcher matcher([&](const RowMark& row) { left.push_back(row); });
  for (int i = 0; i < 300000; ++i) matcher.add(mark(3, 3, false));
  for (int i = 0; i < 10; ++i) matcher.add(mark(3, 3, true));
  matcher.drain();
  EXPECT_EQ(matcher.matched(), 10u);
  EXPECT_EQ(balance(left), (std::map<Key, long>{{{3, 3}, -299990}}));
}

// Random multisets with few distinct homes, so that slots are pushed around: the outcome is that of a map.
TEST(RowMatcher, AgreesWithAMap) {
  std::mt19937_64 random(20261122);
  for (int round = 0; round < 200; ++round) {
    std::vector<RowMark> left;
    RowMatcher matcher([&](const RowMark& row) { left.push_back(row); }, 1024);
    std::map<Key, long> expected;
    const std::uint64_t homes = 1 + random() % 2000, kinds = 1 + random() % 4;
    std::uint64_t added = 0;
    for (int i = 0; i < 3000; ++i) {
      auto row = mark((random() % homes) * (round % 2 ? 1 : 1024), random() % kinds, random() % 2 != 0);
      expected[{row.row.low, row.row.high}] += row.live ? 1 : -1;
      matcher.add(row);
      ++added;
    }
    matcher.drain();
    EXPECT_EQ(left.size() + 2 * matcher.matched(), added);
    std::erase_if(expected, [](auto& entry) { return entry.second == 0; });
    EXPECT_EQ(balance(left), expected);
  }
}

}  // namespace
}  // namespace snapback
