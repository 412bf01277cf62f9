#include "raft/driver/refound.h"

#include <gtest/gtest.h>

#include "raft/core/configuration.h"
#include "raft/driver/driver.h"
#include "tests/fakes/raft_fakes.h"

namespace shoal::raft {
namespace {

using std::chrono::milliseconds;

class RefoundTest : public ::testing::Test, public Transport, public Observer {
 protected:
  // A follower's disk: entries 1 to 5, committed as far as it knows to 3, the tables at 2.
  RefoundTest() {
    disk_.state.hard_state = {4, 2, 3};
    const ConfChange add{ConfChangeKind::kAddVoter, {2, "n2", false}};
    disk_.state.entries = {{1, 1, EntryType::kCommand, "a"},
                           {1, 2, EntryType::kCommand, "b"},
                           {2, 3, EntryType::kConfChange, encode(add)},
                           {3, 4, EntryType::kCommand, "c"},
                           {3, 5, EntryType::kNoop, ""}};
    tables_.commands = {{1, "a"}, {2, "b"}};
    tables_.applied = 2;
  }
  void send(RaftId, Message) override { ADD_FAILURE() << "there is nobody to talk to"; }
  void set_members(const std::vector<Member>& members) override { members_ = members; }
  void on_leader_change(RaftId, Term, bool) override {}
  void on_members(const std::vector<Member>&) override {}

  fakes::VirtualTime time_;
  fakes::VirtualClock clock_{time_};
  SeededRng rng_{1};
  fakes::FakeDisk disk_;
  fakes::FakeTables tables_;
  fakes::FakeLogStore store_{disk_, time_, rng_};
  fakes::FakeStateMachine machine_{tables_};
  std::vector<Member> members_;
};

TEST_F(RefoundTest, TakesOverTheWholeLogCommittedOrNot) {
  const auto end = replay_to_end(store_, machine_);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->index, 5U);
  EXPECT_EQ(end->term, 4U);
  EXPECT_EQ(tables_.commands.size(), 3U);
  EXPECT_EQ(tables_.commands.back(), (std::pair<Index, std::string>{4, "c"}));
}

TEST_F(RefoundTest, TheNewGroupLeadsItselfAndTakesProposals) {
  const auto end = replay_to_end(store_, machine_);
  ASSERT_TRUE(end.ok());
  bool saved = false;
  store_.save(new_group({1, "n1", false}, *end, *machine_.snapshot(end->index)->next(SIZE_MAX)),
              [&](const Status& status) { saved = status.ok(); });
  time_.run_until(time_.now() + milliseconds(20));
  ASSERT_TRUE(saved);

  fakes::VirtualTimer timer(time_);
  DriverConfig config;
  config.core.id = 1;
  Driver driver(config, store_, *this, machine_, clock_, timer, rng_, *this);
  ASSERT_TRUE(driver.start().ok());
  time_.run_until(time_.now() + milliseconds(50));
  EXPECT_TRUE(driver.is_leader());
  EXPECT_EQ(members_, (std::vector<Member>{{1, "n1", false}}));
  EXPECT_GT(driver.status().term, 5U);
  EXPECT_EQ(tables_.applied, 6U);
  EXPECT_EQ(tables_.commands.size(), 3U);
  std::string answer;
  driver.propose("d", [&](Result<std::string> result) { answer = result ? *result : "refused"; });
  time_.run_until(time_.now() + milliseconds(50));
  EXPECT_TRUE(answer.ends_with(":d")) << answer;
}

TEST_F(RefoundTest, TablesBehindTheSnapshotAreRestored) {
  fakes::FakeTables ahead;
  ahead.commands = {{1, "a"}, {2, "b"}, {4, "c"}};
  fakes::FakeStateMachine other(ahead);
  disk_.snapshot = snapshot_text(*other.snapshot(5)->next(SIZE_MAX));
  disk_.state.snapshot = {5, 3, {{1, "n1", false}, {2, "n2", false}}};
  disk_.state.entries.clear();
  disk_.state.offset = 5;
  disk_.state.offset_term = 3;
  const auto end = replay_to_end(store_, machine_);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->index, 5U);
  EXPECT_EQ(tables_.commands, ahead.commands);
}

TEST_F(RefoundTest, AnEntryThatIsNotKnownIsNotLeftOut) {
  machine_.refuse = "c";
  const auto end = replay_to_end(store_, machine_);
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, ErrorClass::kUnimplemented);
  EXPECT_NE(end.error().message.find("entry 4"), std::string::npos);
}

TEST_F(RefoundTest, TablesAheadOfTheLogAreRefused) {
  tables_.applied = 9;
  EXPECT_EQ(replay_to_end(store_, machine_).error().code, ErrorClass::kDataLoss);
}

}  // namespace
}  // namespace shoal::raft
