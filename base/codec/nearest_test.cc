#include "base/codec/nearest.h"

#include <gtest/gtest.h>

#include <string>

namespace shoal {
namespace {

TEST(Nearest, IsTheOneOfFewestEdits) {
  const std::string_view known[] = {"dns", "mtu", "ip-forward", "default-address-pools"};
  EXPECT_EQ(nearest("dsn", known), "dns");
  EXPECT_EQ(nearest("ip_forward", known), "ip-forward");
  EXPECT_EQ(nearest("default-adress-pool", known), "default-address-pools");
  EXPECT_EQ(nearest("", known), "dns");
  EXPECT_EQ(nearest(std::string(1U << 20, 'm'), known), "mtu");
  EXPECT_EQ(nearest("dns", {}), "");
}

}  // namespace
}  // namespace shoal
