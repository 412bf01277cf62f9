#include "manager/allocator/subnet_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/ports/ports.h"

namespace shoal::manager {
namespace {

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }

TEST(SubnetIndexTest, NamesTheOverlappingNetworkFromInsideAndOutside) {
  SubnetIndex index;
  index.add(prefix("10.1.0.0/16"), "wide");
  index.add(prefix("fd00::/64"), "six");
  EXPECT_EQ(index.overlapping(prefix("10.1.7.0/24"))->network, "wide");
  EXPECT_EQ(index.overlapping(prefix("10.0.0.0/8"))->network, "wide");
  EXPECT_EQ(index.overlapping(prefix("10.2.0.0/16")), nullptr);
  EXPECT_EQ(index.overlapping(prefix("fd00::/48"))->network, "six");
  EXPECT_EQ(index.overlapping(prefix("fd00:0:0:1::/64")), nullptr);
  index.remove(prefix("10.1.0.0/16"));
  EXPECT_EQ(index.overlapping(prefix("10.1.7.0/24")), nullptr);
}

TEST(SubnetIndexTest, DrawsInOrderAndFillsGaps) {
  SubnetIndex index;
  const Prefix pool = prefix("10.0.0.0/8");
  EXPECT_EQ(index.first_free(pool, 24, {})->str(), "10.0.0.0/24");
  index.add(prefix("10.0.0.0/24"), "a");
  index.add(prefix("10.0.1.128/25"), "b");
  EXPECT_EQ(index.first_free(pool, 24, {})->str(), "10.0.2.0/24");
  EXPECT_EQ(index.first_free(pool, 25, {})->str(), "10.0.1.0/25");
  const std::vector<Prefix> avoid{prefix("10.0.2.0/23"), prefix("fd00::/8")};
  EXPECT_EQ(index.first_free(pool, 24, avoid)->str(), "10.0.4.0/24");
  EXPECT_EQ(index.first_free(pool, 7, {}), std::nullopt);
}

TEST(SubnetIndexTest, TheEndsOfTheAddressSpace) {
  SubnetIndex index;
  index.add(prefix("255.255.255.0/25"), "a");
  EXPECT_EQ(index.first_free(prefix("255.255.255.0/24"), 25, {})->str(), "255.255.255.128/25");
  index.add(prefix("255.255.255.128/25"), "b");
  EXPECT_EQ(index.first_free(prefix("255.255.255.0/24"), 25, {}), std::nullopt);
  const Prefix six = prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120");
  const std::vector<Prefix> avoid{six};
  EXPECT_EQ(index.first_free(six, 124, avoid), std::nullopt);
}

// Against a walk through every candidate.
TEST(SubnetIndexTest, AgreesWithAWalk) {
  const Prefix pool = prefix("10.0.0.0/24");
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SeededRng rng(seed);
    SubnetIndex index;
    std::vector<Prefix> taken;
    std::vector<Prefix> avoid;
    const auto random_prefix = [&] {
      const auto length = static_cast<uint8_t>(26 + rng.below(6));
      return Prefix{pool.ip.plus(rng.below(256)), length}.network();
    };
    const auto free_of = [](const Prefix& candidate, const std::vector<Prefix>& others) {
      return std::none_of(others.begin(), others.end(),
                          [&](const Prefix& other) { return other.overlaps(candidate); });
    };
    for (size_t i = rng.below(4); i > 0; --i) avoid.push_back(random_prefix());
    for (int step = 0; step < 40; ++step) {
      if (!taken.empty() && rng.below(4) == 0) {
        const size_t victim = rng.below(taken.size());
        index.remove(taken[victim]);
        taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(victim));
      }
      const Prefix wanted = random_prefix();
      ASSERT_EQ(index.overlapping(wanted) == nullptr, free_of(wanted, taken)) << "seed " << seed;
      if (free_of(wanted, taken)) {
        index.add(wanted, "n");
        taken.push_back(wanted);
      }
      for (uint8_t length = 24; length <= 31; ++length) {
        std::optional<Prefix> expected;
        for (uint32_t at = 0; at < 256 && !expected; at += 1U << (32 - length)) {
          const Prefix candidate{pool.ip.plus(at), length};
          if (free_of(candidate, taken) && free_of(candidate, avoid)) expected = candidate;
        }
        ASSERT_EQ(index.first_free(pool, length, avoid), expected) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace shoal::manager
