#include "tests/scripts/raft/parse.h"

#include <gtest/gtest.h>

#include "tests/scripts/raft/environment.h"

namespace shoal::raft::script {
namespace {

TEST(Parse, WordsValuesAndLists) {
  const auto line = parse_directive("  add-nodes 3 voters=(1, 2 3) index=10  drop=() x=");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->name, "add-nodes");
  const std::vector<Argument> wanted{
      {"3", {}}, {"voters", {"1", "2", "3"}}, {"index", {"10"}}, {"drop", {}}, {"x", {""}}};
  EXPECT_EQ(line->arguments, wanted);
  EXPECT_FALSE(parse_directive("   "));
  EXPECT_FALSE(parse_directive("=1"));
  EXPECT_FALSE(parse_directive("a b=(1"));
}

TEST(Parse, Numbers) {
  EXPECT_EQ(*parse_number("7", 7), 7U);
  for (const char* bad : {"8", "", "-1", "1x", "99999999999999999999"}) {
    EXPECT_FALSE(parse_number(bad, 7)) << bad;
  }
}

TEST(Environment, NothingEndsIt) {
  Environment environment;
  EXPECT_EQ(environment.run("add-nodes 2 voters=(1,2) index=5"), "ok\n");
  for (const char* block :
       {"", "\n", "=", "campaign 0", "campaign 99999999999999999999", "stabilize x", "propose 1",
        "compact 1 4", "compact 1 9", "deliver-msgs drop=(77)", "deliver-msgs 7", "restart",
        "propose-conf-change 1\nv", "propose-conf-change 1\nv0", "send-snapshot 1 1",
        "set-randomized-election-timeout 1", "transfer-leadership from=1 to=1", "status 3"}) {
    EXPECT_TRUE(environment.run(block).ends_with('\n')) << block;
  }
  EXPECT_EQ(environment.run("campaign 1\nstabilize log-level=none"), "ok\n");
  EXPECT_EQ(environment.run("raft-state"),
            "1: StateLeader (Voter) Term:1 Lead:1\n2: StateFollower (Voter) Term:1 Lead:1\n");
}

}  // namespace
}  // namespace shoal::raft::script
