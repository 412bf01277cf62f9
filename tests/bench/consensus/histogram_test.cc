#include "tests/bench/consensus/histogram.h"

#include <gtest/gtest.h>

#include <random>

namespace shoal::bench {
namespace {

TEST(Histogram, PercentilesAreWithinOnePercentOfTheSortedSamples) {
  std::mt19937_64 random(7);
  std::vector<uint64_t> samples;
  Histogram histogram;
  for (int i = 0; i < 20000; ++i) {
    const uint64_t value = random() >> (random() % 60);
    samples.push_back(value);
    histogram.add(value);
  }
  std::sort(samples.begin(), samples.end());
  for (const double part : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto at = static_cast<size_t>(part * static_cast<double>(samples.size()));
    const auto exact = static_cast<double>(samples[at - 1]);
    const auto found = static_cast<double>(histogram.percentile(part));
    EXPECT_GE(found, exact) << part;
    EXPECT_LE(found, exact * 1.01 + 1) << part;
  }
  EXPECT_EQ(histogram.percentile(1), samples.back());
  EXPECT_EQ(histogram.max(), samples.back());
  EXPECT_EQ(histogram.total(), samples.size());
}

TEST(Histogram, MergedIsAsIfAllHadGoneIntoOne) {
  Histogram one;
  Histogram two;
  for (uint64_t i = 0; i < 100; ++i) one.add(i);
  for (uint64_t i = 100; i < 200; ++i) two.add(i);
  one.merge(two);
  EXPECT_EQ(one.total(), 200U);
  EXPECT_EQ(one.percentile(0.5), 99U);
  EXPECT_EQ(one.max(), 199U);
  EXPECT_EQ(Histogram().percentile(0.5), 0U);
}

}  // namespace
}  // namespace shoal::bench
