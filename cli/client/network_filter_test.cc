#include "cli/client/network_filter.h"

#include <gtest/gtest.h>

namespace shoal::cli {
namespace {

common::Network network() {
  common::Network out;
  out.set_id("abcdefghijklmnopqrstuvwxy");
  out.mutable_spec()->set_name("front");
  out.mutable_spec()->set_driver("bridge");
  (*out.mutable_spec()->mutable_labels())["tier"] = "1";
  return out;
}

bool matches(const std::vector<std::string>& texts) {
  const auto filter = NetworkFilter::parse(texts);
  EXPECT_TRUE(filter.ok()) << filter.error().message;
  return filter->matches(network());
}

TEST(NetworkFilter, MatchesAsDockers) {
  for (const char* text : {"driver=bridge", "id=abc", "name=ron", "scope=local", "type=custom",
                           "label=tier", "label=tier=1", "label!=other", "label!=tier=2"}) {
    EXPECT_TRUE(matches({text})) << text;
  }
  for (const char* text : {"driver=overlay", "id=bc", "name=x", "scope=swarm", "type=builtin",
                           "label=other", "label=tier=2", "label!=tier"}) {
    EXPECT_FALSE(matches({text})) << text;
  }
  EXPECT_TRUE(matches({}));
  EXPECT_TRUE(matches({"name=x", "name=front"})) << "any of one key";
  EXPECT_FALSE(matches({"name=front", "driver=overlay"})) << "all keys";
  EXPECT_FALSE(matches({"label=tier", "label=other"})) << "all labels";
}

TEST(NetworkFilter, RefusesWhatIsNone) {
  for (const char* text : {"name", "colour=red", "type=other", "=x"}) {
    const auto filter = NetworkFilter::parse({text});
    ASSERT_FALSE(filter.ok()) << text;
    EXPECT_EQ(filter.error().code, ErrorClass::kInvalidArgument);
  }
}

}  // namespace
}  // namespace shoal::cli
