#include "base/types/id.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(StrongId, LongTextIsNobodysId) {
  const NodeId id(std::string(kIdLength, 'a'));
  const NodeId longer(std::string(1000, 'a'));
  EXPECT_NE(id, longer);
  EXPECT_FALSE(is_id(longer.view()));
  EXPECT_LT(id, longer);
  EXPECT_LT(NodeId("a"), NodeId("aa"));
  EXPECT_LT(NodeId(), NodeId("a"));
  EXPECT_EQ(NodeId("a").str(), "a");
}

TEST(Id, FromRandomHasTheFormOfAnId) {
  std::array<uint8_t, 16> random{};
  EXPECT_EQ(id_from_random(random), std::string(25, '0'));
  random.fill(0xff);
  EXPECT_EQ(id_from_random(random), "f5lxx1zz5pnorynqglhzmsp33") << "2^128-1 in base 36";
}

TEST(Id, ParseRefusesOtherForms) {
  EXPECT_TRUE(NodeId::parse("f5lxx1zz5pnorynqglhzmsp33").ok());
  for (const char* text : {"", "short", "F5LXX1ZZ5PNORYNQGLHZMSP33", "f5lxx1zz5pnorynqglhzmsp3/"}) {
    const auto id = NodeId::parse(text);
    ASSERT_FALSE(id.ok()) << text;
    EXPECT_NE(id.error().message.find("is not the id of a node"), std::string::npos);
  }
}

}  // namespace
}  // namespace shoal
