#include "manager/quorum.h"

#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

TEST(Quorum, LostWhenFewerThanAMajorityAnswer) {
  EXPECT_FALSE((QuorumView{1, {}}.lost()));
  EXPECT_FALSE((QuorumView{3, {"a"}}.lost()));
  EXPECT_TRUE((QuorumView{3, {"a", "b"}}.lost()));
  EXPECT_TRUE((QuorumView{2, {"a"}}.lost()));
  EXPECT_TRUE((QuorumView{4, {"a", "b"}}.lost()));
  EXPECT_FALSE((QuorumView{5, {"a", "b"}}.lost()));
}

TEST(Quorum, TheRefusalNamesWhoIsMissingAndTheWayOut) {
  const Error error = quorum_lost_error({3, {"h2 at 10.0.0.2:2377", "h3 at 10.0.0.3:2377"}});
  EXPECT_EQ(error.code, ErrorClass::kUnavailable);
  EXPECT_NE(error.message.find("2 of 3 do not answer (h2 at 10.0.0.2:2377, h3 at 10.0.0.3:2377)"),
            std::string::npos)
      << error.message;
  EXPECT_NE(error.message.find("`shoal init --force-new-cluster`"), std::string::npos);
  EXPECT_NE(quorum_lost_error({2, {"h2"}}).message.find("1 of 2 does not answer"),
            std::string::npos);
}

TEST(Quorum, ALongListIsCut) {
  EXPECT_EQ(listed({"1", "2", "3", "4", "5", "6", "7"}), "1, 2, 3, 4, 5 and 2 more");
}

}  // namespace
}  // namespace shoal::manager
