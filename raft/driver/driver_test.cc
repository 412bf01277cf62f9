#include "raft/driver/driver.h"

#include <gtest/gtest.h>

#include "tests/fakes/raft_fakes.h"

namespace shoal::raft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DriverTest : public ::testing::Test, public Transport, public Observer {
 protected:
  void make() {
    timer_ = std::make_unique<fakes::VirtualTimer>(time_);
    store_ = std::make_unique<fakes::FakeLogStore>(disk_, time_, rng_);
    machine_ = std::make_unique<fakes::FakeStateMachine>(tables_);
    config_.core.id = 1;
    driver_ =
        std::make_unique<Driver>(config_, *store_, *this, *machine_, clock_, *timer_, rng_, *this);
  }
  void bootstrap() {
    make();
    ASSERT_TRUE(driver_->bootstrap({1, "n1", false}));
    run(milliseconds(50));
    ASSERT_TRUE(driver_->is_leader());
  }
  void run(Duration time) { time_.run_until(time_.now() + time); }
  void propose(const std::string& command) {
    driver_->propose(command, [this](Result<std::string> result) {
      results_.push_back(result ? *result : std::string(to_string(result.error().code)));
    });
  }

  void send(RaftId, Message message) override { sent_.push_back(std::move(message)); }
  void set_members(const std::vector<Member>& members) override { members_ = members; }
  void on_leader_change(RaftId leader, Term, bool) override { leaders_.push_back(leader); }
  void on_members(const std::vector<Member>&) override {}

  fakes::VirtualTime time_;
  fakes::VirtualClock clock_{time_};
  SeededRng rng_{1};
  fakes::FakeDisk disk_;
  fakes::FakeTables tables_;
  DriverConfig config_;
  std::unique_ptr<fakes::VirtualTimer> timer_;
  std::unique_ptr<fakes::FakeLogStore> store_;
  std::unique_ptr<fakes::FakeStateMachine> machine_;
  std::unique_ptr<Driver> driver_;
  std::vector<std::string> results_;
  std::vector<Message> sent_;
  std::vector<Member> members_;
  std::vector<RaftId> leaders_;
};

TEST_F(DriverTest, GroupOfOneLeadsAtOnceAndApplies) {
  bootstrap();
  EXPECT_EQ(members_, (std::vector<Member>{{1, "n1", false}}));
  EXPECT_EQ(leaders_, std::vector<RaftId>{1});
  propose("a");
  EXPECT_TRUE(results_.empty()) << "nothing is acknowledged before it is durable";
  run(milliseconds(20));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].ends_with(":a"));
}

TEST_F(DriverTest, BootstrapNeedsAnEmptyStore) {
  bootstrap();
  driver_.reset();
  make();
  const Status again = driver_->bootstrap({1, "n1", false});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorClass::kConflict);
}

TEST_F(DriverTest, RestartReplaysOnlyTheTail) {
  bootstrap();
  for (const char* command : {"a", "b", "c"}) propose(command);
  run(milliseconds(50));
  driver_.reset();
  tables_.commands.pop_back();
  tables_.applied = tables_.commands.back().first;
  make();
  ASSERT_TRUE(driver_->start());
  run(milliseconds(50));
  EXPECT_TRUE(driver_->is_leader());
  ASSERT_EQ(tables_.commands.size(), 3U);
  EXPECT_EQ(tables_.commands[2].second, "c");
}

TEST_F(DriverTest, SnapshotsCompactTheLogAndServeLostTables) {
  config_.snapshot_entries = 10;
  config_.keep_entries = 3;
  bootstrap();
  for (int i = 0; i < 25; ++i) {
    propose("c" + std::to_string(i));
    run(milliseconds(10));
  }
  run(milliseconds(50));
  EXPECT_EQ(results_.size(), 25U);
  EXPECT_GT(disk_.state.snapshot.index, 15U);
  EXPECT_EQ(disk_.state.offset, disk_.state.snapshot.index - 3);
  EXPECT_EQ(driver_->status().first_index, disk_.state.offset + 1);
  driver_.reset();
  const auto before = tables_.commands;
  tables_ = {};
  make();
  ASSERT_TRUE(driver_->start());
  run(milliseconds(50));
  EXPECT_EQ(tables_.commands, before);
}

TEST_F(DriverTest, ALargeStateIsNotCopiedAndItsTablesCount) {
  config_.snapshot_entries = 10;
  config_.keep_entries = 3;
  config_.max_copied_state = 0;
  bootstrap();
  for (int i = 0; i < 25; ++i) {
    propose("c" + std::to_string(i));
    run(milliseconds(10));
  }
  run(milliseconds(50));
  EXPECT_GT(disk_.state.snapshot.index, 15U);
  EXPECT_EQ(disk_.snapshot, nullptr);
  EXPECT_GE(tables_.synced, disk_.state.snapshot.index);
  EXPECT_EQ(disk_.state.offset, disk_.state.snapshot.index - 3);
  driver_.reset();
  tables_ = {};
  make();
  EXPECT_FALSE(driver_->start()) << "nobody has it";
}

// A leader with a follower that answers and is behind.
class SlowFollowerTest : public DriverTest {
 protected:
  void lead() {
    bootstrap();
    driver_->add_member({2, "n2", true}, [](const Status&) {});
    config_.core.id = 1;
    answer();
  }
  // Hears the follower for a while, without an acknowledgement; takes its requests for snapshots.
  void answer() {
    for (int i = 0; i < 10; ++i) {
      Message beat;
      beat.type = MessageType::kHeartbeatResp;
      beat.from = 2;
      beat.to = 1;
      beat.term = driver_->status().term;
      driver_->receive(beat);
      run(milliseconds(10));
    }
  }
  void acknowledge(Index index) {
    Message message;
    message.type = MessageType::kAppendResp;
    message.from = 2;
    message.to = 1;
    message.term = driver_->status().term;
    message.index = index;
    driver_->receive(message);
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      propose("x" + std::to_string(i));
      if (i % 5 == 0) answer();
    }
    answer();
  }
};

TEST_F(SlowFollowerTest, TheLogIsHeldForItUpToABound) {
  config_.snapshot_entries = 20;
  config_.keep_entries = 0;
  config_.hold_log_bytes = 4000;
  lead();
  acknowledge(2);
  const Index behind = driver_->status().last_index;
  fill(60);
  EXPECT_GT(driver_->status().snapshot_index, behind) << "the state was made durable all the same";
  EXPECT_LE(driver_->status().first_index, behind + 1) << "and what it lacks is there";
  fill(200);
  EXPECT_GT(driver_->status().first_index, behind + 1) << "but not without a bound";
}

TEST_F(SlowFollowerTest, OneThatDoesNotAnswerIsNotWaitedFor) {
  config_.snapshot_entries = 20;
  config_.keep_entries = 0;
  lead();
  acknowledge(2);
  const Index behind = driver_->status().last_index;
  for (int i = 0; i < 60; ++i) {
    propose("x");
    run(milliseconds(50));
  }
  EXPECT_GT(driver_->status().first_index, behind + 1);
}

TEST_F(DriverTest, RefusesMoreProposalsThanItHolds) {
  config_.max_pending_proposals = 5;
  bootstrap();
  disk_.latency = seconds(1);
  std::string sentence;
  for (int i = 0; i < 5; ++i) propose("a");
  driver_->propose("b", [&](const Result<std::string>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorClass::kResourceExhausted);
    sentence = result.error().message;
  });
  EXPECT_NE(sentence.find("try again"), std::string::npos);
  EXPECT_TRUE(results_.empty());
  run(seconds(10));
  EXPECT_EQ(results_.size(), 5U);
  propose("b");
  run(seconds(5));
  EXPECT_TRUE(results_.back().ends_with(":b"));
}

TEST_F(DriverTest, FullDiskStopsAcknowledgingAndRecovers) {
  bootstrap();
  disk_.full = true;
  propose("lost?");
  run(milliseconds(100));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0], "deadline_exceeded");
  EXPECT_FALSE(driver_->is_leader());
  EXPECT_NE(driver_->status().error.find("full"), std::string::npos);
  EXPECT_EQ(leaders_.back(), 0U);
  propose("refused");
  EXPECT_EQ(results_.back(), "unavailable");
  disk_.full = false;
  run(seconds(6));
  EXPECT_TRUE(driver_->is_leader());
  EXPECT_EQ(driver_->status().error, "");
  propose("works");
  run(milliseconds(50));
  EXPECT_TRUE(results_.back().ends_with(":works"));
}

TEST_F(DriverTest, AChangeIsDoneWhenItIsConfirmed) {
  bootstrap();
  std::vector<std::string> done;
  const auto told = [&](const Status& status) {
    done.emplace_back(status ? "ok" : to_string(status.error().code));
  };
  driver_->add_member({2, "n2", true}, told);
  run(milliseconds(50));
  EXPECT_EQ(done, std::vector<std::string>{"ok"});
  const auto acknowledge = [&] {
    Message answer;
    answer.type = MessageType::kAppendResp;
    answer.from = 2;
    answer.to = 1;
    answer.term = driver_->status().term;
    answer.index = driver_->status().last_index;
    driver_->receive(answer);
  };
  acknowledge();
  driver_->add_member({2, "n2", false}, told);
  run(milliseconds(50));
  EXPECT_FALSE(driver_->members()[1].learner) << "in effect";
  EXPECT_EQ(done.size(), 1U) << "and not confirmed: both are needed for that";
  acknowledge();
  EXPECT_EQ(done, (std::vector<std::string>{"ok", "ok"}));
}

// It is committed all the same: nobody may be told that it did not happen.
TEST_F(DriverTest, AChangeWhoseConfirmationIsLostIsUnknown) {
  bootstrap();
  std::vector<ErrorClass> done;
  driver_->add_member({2, "n2", false}, [&](const Status& status) {
    ASSERT_FALSE(status);
    done.push_back(status.error().code);
  });
  run(milliseconds(50));
  ASSERT_EQ(driver_->members().size(), 2U);
  EXPECT_TRUE(done.empty());
  const RaftStatus status = driver_->status();
  Message append;
  append.type = MessageType::kAppend;
  append.from = 2;
  append.to = 1;
  append.term = status.term + 1;
  append.index = status.last_index - 1;
  append.log_term = status.term;
  append.entries = {{.term = append.term, .index = status.last_index, .type = EntryType::kNoop}};
  append.commit = status.last_index;
  driver_->receive(append);
  run(milliseconds(50));
  EXPECT_EQ(done, std::vector<ErrorClass>{ErrorClass::kDeadlineExceeded});
}

TEST_F(DriverTest, HaltsAtACommandItCannotCarryOut) {
  bootstrap();
  propose("before");
  run(milliseconds(20));
  machine_->refuse = "of the next version";
  propose("of the next version");
  propose("after");
  run(milliseconds(20));
  EXPECT_EQ(results_[1], "deadline_exceeded") << "it may happen on a member that can";
  EXPECT_EQ(results_[2], "deadline_exceeded");
  EXPECT_EQ(tables_.commands.size(), 1U) << "nothing after it is applied";
  EXPECT_FALSE(driver_->is_leader());
  EXPECT_NE(driver_->status().error.find("cannot be applied"), std::string::npos);
  run(seconds(30));
  EXPECT_FALSE(driver_->is_leader());
  // Another program can.
  driver_.reset();
  make();
  ASSERT_TRUE(driver_->start());
  run(milliseconds(50));
  EXPECT_EQ(tables_.commands.size(), 3U);
}

TEST_F(DriverTest, HaltsAtAMembershipChangeOfAnUnknownVersion) {
  bootstrap();
  driver_.reset();
  raft::Entry change{.term = disk_.state.hard_state.term,
                     .index = disk_.state.offset + disk_.state.entries.size() + 1,
                     .type = EntryType::kConfChange,
                     .data = "\x09 of the next version"};
  disk_.state.entries.push_back(change);
  make();
  ASSERT_TRUE(driver_->start());
  run(milliseconds(50));
  EXPECT_FALSE(driver_->is_leader());
  EXPECT_NE(driver_->status().error.find("entry " + std::to_string(change.index)),
            std::string::npos);
}

TEST_F(DriverTest, EveryCallbackFiresOnStop) {
  bootstrap();
  propose("a");
  int reads = 0;
  driver_->read_index([&](const Status&) { ++reads; });
  driver_->stop();
  EXPECT_EQ(results_, std::vector<std::string>{"deadline_exceeded"});
  EXPECT_EQ(reads, 1);
  propose("b");
  EXPECT_EQ(results_.back(), "unavailable");
  run(seconds(1));
  EXPECT_EQ(results_.size(), 2U);
}

TEST_F(DriverTest, CallbackMayProposeAgain) {
  bootstrap();
  int done = 0;
  std::function<void()> next = [&] {
    driver_->propose("x" + std::to_string(done), [&](const Result<std::string>& result) {
      ASSERT_TRUE(result);
      if (++done < 5) next();
    });
  };
  next();
  run(milliseconds(100));
  EXPECT_EQ(done, 5);
}

TEST_F(DriverTest, ReadsOfAGroupOfOne) {
  bootstrap();
  propose("a");
  run(milliseconds(20));
  bool ok = false;
  driver_->read_index([&](const Status& status) { ok = status.ok(); });
  run(milliseconds(1));
  EXPECT_TRUE(ok);
}

TEST_F(DriverTest, FollowerAnswersAfterItsSave) {
  make();
  ASSERT_TRUE(driver_->start());
  Message append;
  append.type = MessageType::kAppend;
  append.from = 2;
  append.to = 1;
  append.term = 3;
  append.entries = {{.term = 3, .index = 1, .type = EntryType::kNoop, .data = ""}};
  driver_->receive(append);
  EXPECT_TRUE(sent_.empty());
  run(milliseconds(5));
  ASSERT_EQ(sent_.size(), 1U);
  EXPECT_EQ(sent_[0].type, MessageType::kAppendResp);
  EXPECT_EQ(sent_[0].index, 1U);
  EXPECT_EQ(disk_.state.entries.size(), 1U);
}

// The votes of others would do, but a snapshot it received as a follower is still being saved, and
// its own vote behind it: it leads when both are durable, and then gives that state to the next.
TEST_F(DriverTest, LeadsWhenWhatItReceivedIsTakenIn) {
  disk_.latency = milliseconds(100);
  config_.core.check_quorum = false;  // the others say no more than they must here
  make();
  ASSERT_TRUE(driver_->start());
  fakes::FakeTables whole;
  whole.commands = {{9, "a"}};
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->data = snapshot_text(*fakes::FakeStateMachine(whole).snapshot(10)->next(SIZE_MAX));
  snapshot->meta = {10, 3, {}};
  for (RaftId id = 1; id <= 5; ++id) snapshot->meta.members.push_back({id, "n", false});
  const auto receive = [&](MessageType type, RaftId from, Term term, Index index = 0) {
    Message message;
    message.type = type;
    message.from = from;
    message.to = 1;
    message.term = term;
    message.index = index;
    if (type == MessageType::kSnapshot) message.snapshot = snapshot;
    message.reject = type == MessageType::kAppendResp;
    driver_->receive(message);
  };
  const auto given = [&]() -> const Snapshot* {
    for (const Message& message : sent_) {
      if (message.type == MessageType::kSnapshot) return message.snapshot.get();
    }
    return nullptr;
  };
  receive(MessageType::kSnapshot, 2, 3);
  driver_->campaign();
  for (const RaftId from : {3, 4, 5}) receive(MessageType::kPreVoteResp, from, 4);
  for (const RaftId from : {3, 4, 5}) receive(MessageType::kVoteResp, from, 4);
  EXPECT_FALSE(driver_->is_leader());
  EXPECT_EQ(machine_->applied_index(), 0U);
  run(milliseconds(450));  // two saves
  ASSERT_TRUE(driver_->is_leader());
  EXPECT_EQ(machine_->applied_index(), 10U);
  receive(MessageType::kAppendResp, 5, driver_->status().term, 10);  // refused: it has nothing
  run(milliseconds(450));                                            // it is written out
  ASSERT_NE(given(), nullptr);
  EXPECT_EQ(given()->meta.index, 10U);
  EXPECT_EQ(*read_all(*given()->data), *read_all(*snapshot->data));
}

}  // namespace
}  // namespace shoal::raft
