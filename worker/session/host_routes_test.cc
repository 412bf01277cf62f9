#include "worker/session/host_routes.h"

#include <gmock/gmock.h>

#include "manager/model/objects.h"

namespace shoal::worker {
namespace {

using testing::ElementsAre;

Prefix prefix(const char* text) { return *Prefix::parse(text); }

TEST(HostRoutes, OnlyWhatAnOverlayCouldCollideWith) {
  std::vector<Prefix> routes;
  for (const char* text :
       {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "fe80::/64", "169.254.0.0/16", "ff00::/8",
        "127.0.0.0/8", "192.168.90.0/24", "10.8.0.5/16", "10.8.3.0/24", "10.8.0.0/16", "fd90::/64",
        "10.9.0.7/32"}) {
    routes.push_back(prefix(text));
  }
  EXPECT_THAT(told_routes(routes), ElementsAre(prefix("10.8.0.0/16"), prefix("10.9.0.7/32"),
                                               prefix("192.168.90.0/24"), prefix("fd90::/64")));
}

TEST(HostRoutes, OfTooManyTheWidestAreTold) {
  std::vector<Prefix> routes{prefix("172.16.0.0/12"), prefix("fd90::/48")};
  for (uint32_t i = 0; i < 1000; ++i) routes.push_back({Ip::v4(0x0a000000 + i * 2), 32});
  const std::vector<Prefix> told = told_routes(routes);
  EXPECT_EQ(told.size(), manager::kMaxHostRoutes);
  EXPECT_EQ(std::count(told.begin(), told.end(), prefix("172.16.0.0/12")), 1);
  EXPECT_EQ(std::count(told.begin(), told.end(), prefix("fd90::/48")), 1);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told_routes(told), told);
}

}  // namespace
}  // namespace shoal::worker
