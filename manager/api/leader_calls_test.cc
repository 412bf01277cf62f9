// What a caller is told of a call that was tried more than once.
#include "manager/api/leader_calls.h"

#include <gtest/gtest.h>

#include <future>

namespace shoal::manager {
namespace {

using std::chrono::milliseconds;

class Leading final : public Replica {
 public:
  const Store& store() const override { return store_; }
  const NodeId& self() const override { return self_; }
  bool is_leader() const override { return true; }
  std::optional<HostPort> leader_address() const override { return std::nullopt; }
  void propose(Command, AnswerDone done) override { done(Answer{}); }
  void read(StatusDone done) override { done(ok_status()); }
  WallTime wall() const override { return {1}; }
  Rng& rng() override { return rng_; }
  NodeState state_of(const Node& node) const override { return node.status.state; }
  bool reachable(uint64_t) const override { return true; }
  std::optional<Error> quorum_lost() const override {
    return lost ? std::optional(unavailable("two of three managers are missing")) : std::nullopt;
  }
  std::vector<Peer> peers() const override { return {}; }
  void describe_raft(shoal::control::GetRaftStatusResponse&) const override {}

  bool lost = false;
  uint64_t leader_raft_id() const override { return 1; }

 private:
  Store store_;
  NodeId self_;
  SeededRng rng_{1};
};

// Runs a call whose tries end as `tries` says, the last one ever after.
class LeaderCallsTest : public ::testing::Test {
 protected:
  LeaderCallsTest() { strand_.start("test"); }
  ~LeaderCallsTest() override {
    strand_.call([this] { calls_.reset(); });
    strand_.stop();
  }

  Status run(std::vector<Status> tries, milliseconds patience, LeaderCalls::Call call = {}) {
    std::promise<Status> answer;
    call.deadline = std::chrono::system_clock::now() + patience;
    call.local = [this, tries](const LeaderCalls::Call& now, const StatusDone& done) {
      since_.push_back(now.retried_since);
      done(tries[std::min(since_.size(), tries.size()) - 1]);
    };
    call.done = [&answer](Status status) { answer.set_value(std::move(status)); };
    strand_.call([&] { calls_->start(std::move(call)); });
    return answer.get_future().get();
  }

  Strand strand_;
  Leading replica_;
  std::unique_ptr<LeaderCalls> calls_ =
      std::make_unique<LeaderCalls>(strand_, replica_, IdentityFiles{});
  std::vector<uint64_t> since_;  // of each try
};

TEST_F(LeaderCallsTest, ATryThatDidNotHappenLeavesNoDoubt) {
  EXPECT_TRUE(run({unavailable("no leader"), ok_status()}, milliseconds(5000)).ok());
  EXPECT_EQ(since_, (std::vector<uint64_t>{0, 0}));
}

TEST_F(LeaderCallsTest, ATryWhoseAnswerWasLostIsRemembered) {
  EXPECT_TRUE(
      run({deadline_exceeded("lost"), unavailable("no leader"), ok_status()}, milliseconds(5000))
          .ok());
  ASSERT_EQ(since_.size(), 3U);
  EXPECT_EQ(since_[0], 0U);
  EXPECT_NE(since_[1], 0U);
  EXPECT_EQ(since_[2], since_[1]);
}

TEST_F(LeaderCallsTest, UnavailableMeansThatNothingHappened) {
  const Status never = run({unavailable("no leader")}, milliseconds(50));
  ASSERT_FALSE(never.ok());
  EXPECT_NE(never.error().message, "");
  const Status lost = run({deadline_exceeded("lost"), unavailable("no leader")}, milliseconds(50));
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, ErrorClass::kDeadlineExceeded);
}

TEST_F(LeaderCallsTest, ACallEndedByAStopIsUnknownWhenATryWas) {
  for (const bool tried : {false, true}) {
    std::promise<Status> answer;
    LeaderCalls::Call call;
    call.deadline = std::chrono::system_clock::now() + std::chrono::minutes(1);
    call.local = [tried](const LeaderCalls::Call&, const StatusDone& done) {
      done(tried ? deadline_exceeded("lost") : unavailable("no leader"));
    };
    call.done = [&answer](Status status) { answer.set_value(std::move(status)); };
    strand_.call([&] {
      LeaderCalls calls(strand_, replica_, {});
      calls.start(std::move(call));
      calls.stop();
    });
    EXPECT_EQ(answer.get_future().get().error().code,
              tried ? ErrorClass::kDeadlineExceeded : ErrorClass::kUnavailable);
  }
}

TEST_F(LeaderCallsTest, ACallEndedWithoutAQuorumIsUnknownWhenItWasUnderWay) {
  for (const bool under_way : {false, true}) {
    std::promise<Status> answer;
    StatusDone held;
    LeaderCalls::Call call;
    call.deadline = std::chrono::system_clock::now() + std::chrono::minutes(1);
    call.outlived = true;
    call.local = [&held, under_way](const LeaderCalls::Call&, const StatusDone& done) {
      if (under_way) {
        held = done;
      } else {
        done(unavailable("no leader"));
      }
    };
    call.done = [&answer](Status status) { answer.set_value(std::move(status)); };
    strand_.call([&] {
      calls_->start(std::move(call));
      replica_.lost = true;
      calls_->quorum_lost();
      replica_.lost = false;
    });
    const Status ended = answer.get_future().get();
    EXPECT_EQ(ended.error().code,
              under_way ? ErrorClass::kDeadlineExceeded : ErrorClass::kUnavailable);
    EXPECT_NE(ended.error().message.find("two of three"), std::string::npos);
    strand_.call([&] { held = nullptr; });
  }
}

TEST_F(LeaderCallsTest, AForwardedCallTellsOfEarlierTriesAndIsNotTriedAgain) {
  LeaderCalls::Call call;
  call.forwarded = true;
  call.retried_since = 77;
  const Status status = run({unavailable("no leader")}, milliseconds(5000), std::move(call));
  EXPECT_EQ(status.error().code, ErrorClass::kUnavailable) << "this try did not happen";
  EXPECT_EQ(since_, std::vector<uint64_t>{77});
}

}  // namespace
}  // namespace shoal::manager
