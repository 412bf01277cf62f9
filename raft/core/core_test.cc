#include "raft/core/core.h"

#include <gtest/gtest.h>

namespace shoal::raft {
namespace {

using std::chrono::milliseconds;

// One core, with effects saved at once; the test plays its peers.
class CoreTest : public ::testing::Test {
 protected:
  void start(size_t voters, Index applied = 1) {
    InitialState initial;
    initial.hard_state = {.term = 1, .vote = 0, .commit = applied};
    initial.snapshot = {.index = applied, .term = 1, .members = {}};
    initial.offset = applied;
    initial.offset_term = 1;
    initial.applied = applied;
    for (RaftId id = 1; id <= voters; ++id) {
      initial.snapshot.members.push_back({id, "n" + std::to_string(id), false});
    }
    config_.id = 1;
    auto made = Core::create(config_, std::move(initial), rng_, now_);
    ASSERT_TRUE(made) << made.error().message;
    core_ = std::move(*made);
    pump();
  }
  // Takes all effects; returns the messages in order.
  std::vector<Message> pump() {
    std::vector<Message> out;
    while (true) {
      Effects effects = core_->take_effects();
      if (effects.empty()) return out;
      for (auto& message : effects.early_messages) out.push_back(std::move(message));
      for (auto& message : effects.messages) out.push_back(std::move(message));
      for (auto& entry : effects.committed) committed_.push_back(entry);
      for (auto& read : effects.reads) reads_.push_back(read);
      for (const RaftId to : effects.snapshot_requests) wanted_.push_back(to);
      if (effects.hard_state) hard_state_ = *effects.hard_state;
      if (effects.persist_seq != 0 && saving_) core_->persisted(effects.persist_seq, now_);
      last_seq_ = std::max(last_seq_, effects.persist_seq);
    }
  }
  Message from(RaftId id, MessageType type, Term term) {
    Message message;
    message.type = type;
    message.from = id;
    message.to = 1;
    message.term = term;
    return message;
  }
  std::vector<Message> receive(const Message& message) {
    core_->receive(message, now_);
    return pump();
  }
  void lead() {
    core_->campaign(now_);
    pump();
    receive(from(2, MessageType::kPreVoteResp, core_->term() + 1));
    receive(from(2, MessageType::kVoteResp, core_->term()));
    ASSERT_EQ(core_->role(), Role::kLeader);
  }
  std::vector<Message> ack(RaftId id, Index index) {
    Message message = from(id, MessageType::kAppendResp, core_->term());
    message.index = index;
    return receive(message);
  }
  static size_t count(const std::vector<Message>& messages, MessageType type) {
    size_t n = 0;
    for (const auto& message : messages) n += message.type == type ? 1 : 0;
    return n;
  }

  CoreConfig config_;
  SeededRng rng_{1};
  Instant now_{1'000'000'000};
  std::unique_ptr<Core> core_;
  bool saving_ = true;
  uint64_t last_seq_ = 0;
  HardState hard_state_;
  std::vector<Entry> committed_;
  std::vector<ReadState> reads_;
  std::vector<RaftId> wanted_;
};

TEST_F(CoreTest, OwnVoteCountsWhenDurable) {
  start(1);
  saving_ = false;
  core_->campaign(now_);
  pump();
  EXPECT_EQ(core_->role(), Role::kCandidate);
  core_->persisted(last_seq_, now_);
  EXPECT_EQ(core_->role(), Role::kLeader);
}

// Else a crash makes it forget that it led, the same votes elect it in the same term again, and an
// index and a term name two entries.
TEST_F(CoreTest, NobodyLeadsBeforeItsOwnVoteIsDurable) {
  start(3);
  saving_ = false;
  core_->campaign(now_);
  pump();
  receive(from(2, MessageType::kPreVoteResp, 2));
  receive(from(2, MessageType::kVoteResp, 2));
  const auto sent = receive(from(3, MessageType::kVoteResp, 2));
  EXPECT_EQ(core_->role(), Role::kCandidate) << "two of three votes, but not its own";
  EXPECT_EQ(count(sent, MessageType::kAppend), 0U);
  core_->persisted(last_seq_, now_);
  EXPECT_EQ(core_->role(), Role::kLeader);
}

TEST_F(CoreTest, OwnCopyCountsWhenDurable) {
  start(3);
  lead();
  ack(2, 2);
  saving_ = false;
  ASSERT_TRUE(core_->propose("x", now_));
  pump();
  EXPECT_EQ(core_->log().committed(), 2U);
  ack(2, 3);
  EXPECT_EQ(core_->log().committed(), 2U) << "one durable copy of three";
  core_->persisted(last_seq_, now_);
  EXPECT_EQ(core_->log().committed(), 3U);
}

// The disk has that entry, until the save of what had replaced it overwrites it.
TEST_F(CoreTest, ASaveOfAnEarlierTermDoesNotCountForWhatWasWrittenAgain) {
  start(3);
  saving_ = false;
  const auto append = [&](RaftId leader, Term term, std::vector<Entry> entries) {
    Message message = from(leader, MessageType::kAppend, term);
    message.index = message.log_term = 1;
    message.entries = std::move(entries);
    receive(message);
    return last_seq_;
  };
  const Entry first{.term = 2, .index = 2, .data = "a"};
  const uint64_t old_save = append(2, 2, {first});
  append(3, 3, {{.term = 3, .index = 2, .data = "b"}});
  const uint64_t new_save = append(2, 4, {first, {.term = 4, .index = 3, .data = "c"}});
  core_->persisted(old_save, now_);
  EXPECT_EQ(core_->log().stable(), 1U);
  core_->persisted(new_save, now_);
  EXPECT_EQ(core_->log().stable(), 3U);
}

TEST_F(CoreTest, PreVoteDoesNotRaiseTheTerm) {
  start(3);
  now_ = now_ + std::chrono::seconds(2);
  core_->tick(now_);
  const auto asked = pump();
  EXPECT_EQ(count(asked, MessageType::kPreVote), 2U);
  EXPECT_EQ(core_->term(), 1U);
  EXPECT_EQ(asked[0].term, 2U);
}

TEST_F(CoreTest, WhoHearsALeaderDoesNotVote) {
  start(3);
  receive(from(2, MessageType::kHeartbeat, 2));
  Message vote = from(3, MessageType::kVote, 9);
  vote.index = 100;
  vote.log_term = 8;
  EXPECT_TRUE(receive(vote).empty());
  EXPECT_EQ(core_->term(), 2U);
  now_ = now_ + milliseconds(501);
  const auto answer = receive(vote);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_FALSE(answer[0].reject);
}

TEST_F(CoreTest, OneVotePerTermAndOnlyForCompleteLogs) {
  start(3);
  Message vote = from(2, MessageType::kVote, 5);
  vote.index = 0;
  auto answer = receive(vote);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_TRUE(answer[0].reject) << "its log is shorter";
  vote.index = 1;
  vote.log_term = 1;
  answer = receive(vote);
  EXPECT_FALSE(answer[0].reject);
  vote.from = 3;
  answer = receive(vote);
  EXPECT_TRUE(answer[0].reject) << "voted for 2";
}

TEST_F(CoreTest, EntriesOfEarlierTermsAreNotCommittedByCounting) {
  start(3);
  Message append = from(2, MessageType::kAppend, 2);
  append.index = 1;
  append.log_term = 1;
  append.entries = {{.term = 2, .index = 2, .data = "old"}};
  receive(append);
  now_ = now_ + std::chrono::seconds(1);
  lead();
  EXPECT_EQ(core_->log().last_index(), 3U);
  ack(2, 2);
  EXPECT_EQ(core_->log().committed(), 1U);
  ack(2, 3);
  EXPECT_EQ(core_->log().committed(), 3U);
}

TEST_F(CoreTest, LeaderWithoutQuorumStepsDown) {
  start(3);
  lead();
  for (int i = 0; i < 20 && core_->role() == Role::kLeader; ++i) {
    now_ = core_->next_deadline();
    core_->tick(now_);
    pump();
  }
  EXPECT_EQ(core_->role(), Role::kFollower);
  const auto refused = core_->propose("x", now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorClass::kUnavailable);
}

TEST_F(CoreTest, WindowIsBounded) {
  config_.max_inflight = 4;
  start(3);
  lead();
  ack(2, 2);
  size_t sent = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(core_->propose("x", now_));
    for (const auto& message : pump()) {
      sent += message.to == 2 && !message.entries.empty() ? 1 : 0;
    }
  }
  EXPECT_EQ(sent, 4U);
  EXPECT_GE(count(ack(2, 4), MessageType::kAppend), 1U);
}

TEST_F(CoreTest, ProposalsAreBounded) {
  config_.max_uncommitted_bytes = 1000;
  start(3);
  lead();
  ack(2, 2);
  EXPECT_EQ(core_->propose(std::string(kMaxEntryBytes + 1, 'x'), now_).error().code,
            ErrorClass::kInvalidArgument);
  ASSERT_TRUE(core_->propose(std::string(900, 'x'), now_));
  EXPECT_EQ(core_->propose(std::string(900, 'x'), now_).error().code,
            ErrorClass::kResourceExhausted);
  pump();
  ack(2, 3);
  EXPECT_TRUE(core_->propose(std::string(900, 'x'), now_));
}

TEST_F(CoreTest, OneMembershipChangeAtATime) {
  start(3);
  lead();
  const ConfChange add{ConfChangeKind::kAddLearner, {4, "n4", true}};
  ack(2, 2);
  ASSERT_TRUE(core_->propose_conf_change(add, now_));
  EXPECT_EQ(core_->propose_conf_change(add, now_).error().code, ErrorClass::kConflict);
  pump();
  EXPECT_FALSE(core_->configuration().contains(4)) << "in effect when applied";
  ack(2, 3);
  EXPECT_TRUE(core_->configuration().contains(4));
  EXPECT_FALSE(core_->configuration().is_voter(4));
  EXPECT_TRUE(core_->progress().contains(4));
}

// Two voters of which one was never there decide nothing, for ever.
TEST_F(CoreTest, ALearnerThatNeverAnsweredIsNotPromoted) {
  start(1);
  core_->campaign(now_);
  pump();
  ASSERT_EQ(core_->role(), Role::kLeader);
  ASSERT_TRUE(core_->propose_conf_change({ConfChangeKind::kAddLearner, {2, "n2", true}}, now_));
  pump();
  ASSERT_TRUE(core_->configuration().contains(2));
  const ConfChange promotion{ConfChangeKind::kAddVoter, {2, "n2", false}};
  const auto early = core_->propose_conf_change(promotion, now_);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorClass::kUnavailable);
  ack(2, 3);
  EXPECT_TRUE(core_->propose_conf_change(promotion, now_));
}

TEST_F(CoreTest, ANewLeaderChangesMembersOnlyAfterWhatItFound) {
  start(3);
  Message append = from(2, MessageType::kAppend, 2);
  append.index = append.log_term = 1;
  append.entries = {{.term = 2, .index = 2, .data = "perhaps a change"}};
  receive(append);
  now_ = now_ + std::chrono::seconds(1);
  lead();
  const ConfChange add{ConfChangeKind::kAddLearner, {4, "n4", true}};
  EXPECT_EQ(core_->propose_conf_change(add, now_).error().code, ErrorClass::kConflict);
  ack(2, 3);
  EXPECT_TRUE(core_->propose_conf_change(add, now_));
}

TEST_F(CoreTest, RemovedLeaderHandsOver) {
  start(3);
  lead();
  ack(2, 2);
  ack(3, 2);
  ASSERT_TRUE(core_->propose_conf_change({ConfChangeKind::kRemove, {.id = 1}}, now_));
  pump();
  ack(2, 3);
  EXPECT_FALSE(core_->configuration().contains(1));
  ack(2, 4);
  EXPECT_EQ(core_->role(), Role::kLeader) << "until its removal is confirmed by those who stay";
  const auto sent = ack(3, 4);
  EXPECT_EQ(core_->role(), Role::kFollower);
  EXPECT_EQ(count(sent, MessageType::kTimeoutNow), 1U);
}

// Who restarts with the entry after a change knows that the change is committed.
TEST_F(CoreTest, AChangeIsConfirmedByAnEntryOfTheNewQuorum) {
  start(3);
  lead();
  ack(2, 2);
  ASSERT_TRUE(core_->propose_conf_change({ConfChangeKind::kRemove, {.id = 3}}, now_));
  pump();
  EXPECT_LT(hard_state_.commit, 3U);
  const auto sent = ack(3, 3);
  EXPECT_EQ(core_->confirmation().index, 4U);
  EXPECT_EQ(hard_state_.commit, 3U) << "saved with the confirmation";
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.back().entries.at(0).index, 4U);
  EXPECT_EQ(sent.back().commit, 3U) << "and by who receives it";
  EXPECT_EQ(core_->log().committed(), 3U);
  ack(2, 4);
  EXPECT_EQ(core_->log().committed(), 4U);
}

TEST_F(CoreTest, ReadsWaitForAQuorumAfterTheQuestion) {
  start(3);
  lead();
  ack(2, 2);
  ASSERT_TRUE(core_->read_index(77, now_));
  const auto sent = pump();
  ASSERT_EQ(count(sent, MessageType::kHeartbeat), 2U);
  EXPECT_TRUE(reads_.empty());
  Message answer = from(3, MessageType::kHeartbeatResp, core_->term());
  answer.context = sent.front().context - 1;
  receive(answer);
  EXPECT_TRUE(reads_.empty()) << "an answer to an earlier heartbeat";
  answer.context = sent.front().context;
  receive(answer);
  ASSERT_EQ(reads_.size(), 1U);
  EXPECT_EQ(reads_[0].context, 77U);
  EXPECT_EQ(reads_[0].index, 2U);
}

TEST_F(CoreTest, WhoIsAloneWakesForNobodyAndReadsAtOnce) {
  config_.lease_reads = true;
  start(1);
  while (core_->role() != Role::kLeader) {
    now_ = core_->next_deadline();
    core_->tick(now_);
    pump();
  }
  EXPECT_EQ(core_->next_deadline(), Instant::max());
  now_ = now_ + std::chrono::hours(1);
  ASSERT_TRUE(core_->read_index(1, now_));
  pump();
  EXPECT_EQ(reads_.size(), 1U);
  ASSERT_TRUE(
      core_->propose_conf_change(ConfChange{ConfChangeKind::kAddLearner, {2, "n2", true}}, now_));
  pump();
  EXPECT_LE(core_->next_deadline(), now_ + config_.heartbeat_interval);
}

TEST_F(CoreTest, ALeaseAnswersReadsUntilItEnds) {
  config_.lease_reads = true;
  start(3);
  now_ = now_ + std::chrono::seconds(1);
  lead();
  ack(2, 2);
  now_ = now_ + milliseconds(100);
  core_->tick(now_);
  const auto beats = pump();
  ASSERT_FALSE(beats.empty());
  ASSERT_TRUE(core_->read_index(1, now_));
  pump();
  EXPECT_TRUE(reads_.empty()) << "no quorum has answered a heartbeat";
  Message answer = from(2, MessageType::kHeartbeatResp, core_->term());
  answer.context = core_->progress().at(2).read_round + 1000;
  for (const Message& beat : beats) {
    if (beat.type == MessageType::kHeartbeat) answer.context = beat.context;
  }
  receive(answer);
  reads_.clear();
  ASSERT_TRUE(core_->read_index(2, now_ + milliseconds(449)));
  pump();
  ASSERT_EQ(reads_.size(), 1U);
  ASSERT_TRUE(core_->read_index(3, now_ + milliseconds(451)));
  pump();
  EXPECT_EQ(reads_.size(), 1U) << "the lease is over";
}

TEST_F(CoreTest, WhoRestartsKeepsThePromiseOfItsLease) {
  config_.lease_reads = true;
  start(3);
  Message vote = from(3, MessageType::kVote, 9);
  vote.index = vote.log_term = 100;
  now_ = now_ + milliseconds(499);
  EXPECT_TRUE(receive(vote).empty());
  now_ = now_ + milliseconds(1);
  EXPECT_EQ(receive(vote).size(), 1U);
}

TEST_F(CoreTest, AJointConfigurationEndsByItself) {
  start(3);
  lead();
  ack(2, 2);
  ack(3, 2);
  ASSERT_TRUE(core_->propose_conf_change(
      ConfChangeSet{.changes = {{ConfChangeKind::kAddVoter, {4, "n4", false}},
                                {ConfChangeKind::kRemove, {.id = 2}}}},
      now_));
  pump();
  ack(3, 3);
  EXPECT_TRUE(core_->configuration().joint());
  EXPECT_EQ(core_->log().last_index(), 4U) << "the entry that leaves it";
  ack(3, 4);
  EXPECT_TRUE(core_->configuration().joint() == false) << "1 and 3 are a majority of both halves";
  EXPECT_FALSE(core_->configuration().contains(2));
  EXPECT_TRUE(core_->progress().contains(4));
}

TEST_F(CoreTest, TransferWaitsForTheSuccessorsLog) {
  start(3);
  lead();
  ack(2, 2);
  ASSERT_TRUE(core_->transfer(3, now_));
  EXPECT_EQ(count(pump(), MessageType::kTimeoutNow), 0U);
  EXPECT_FALSE(core_->propose("x", now_));
  EXPECT_EQ(count(ack(3, 2), MessageType::kTimeoutNow), 1U);
  EXPECT_FALSE(core_->transfer(9, now_));
}

TEST_F(CoreTest, FollowerBehindTheLogGetsASnapshot) {
  start(3, 100);
  lead();
  Message refusal = from(3, MessageType::kAppendResp, core_->term());
  refusal.reject = true;
  refusal.index = 100;
  refusal.reject_hint = 7;
  receive(refusal);
  ASSERT_EQ(wanted_, std::vector<RaftId>{3});
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->meta = {100, 1, core_->configuration().list()};
  core_->provide_snapshot(3, snapshot, now_);
  const auto sent = pump();
  ASSERT_EQ(count(sent, MessageType::kSnapshot), 1U);
  EXPECT_EQ(core_->progress().at(3).state, ProgressState::kSnapshot);
  EXPECT_GE(count(ack(3, 100), MessageType::kAppend), 1U) << "goes on after it";
  EXPECT_EQ(core_->progress().at(3).state, ProgressState::kReplicate);
}

TEST_F(CoreTest, WhatNoMemberSendsIsDropped) {
  start(3);
  lead();
  const Term term = core_->term();
  EXPECT_TRUE(receive(from(2, MessageType::kAppend, term)).empty()) << "a second leader";
  EXPECT_TRUE(ack(2, 999).empty()) << "acknowledges what does not exist";
  Message own = from(1, MessageType::kHeartbeat, term + 5);
  EXPECT_TRUE(receive(own).empty());
  EXPECT_EQ(core_->counters().protocol_violations, 3U);
  EXPECT_EQ(core_->role(), Role::kLeader);
}

TEST(CoreCreate, RefusesAContradictingDisk) {
  SeededRng rng(1);
  InitialState initial;
  initial.applied = 5;
  const auto made = Core::create({.id = 1}, std::move(initial), rng, Instant{});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorClass::kDataLoss);
}

TEST(Configuration, OneChangeChecksAndCodec) {
  const Configuration one({{1, "a:1", false}, {2, "b:1", true}});
  EXPECT_EQ(one.check({ConfChangeKind::kRemove, {.id = 1}}).error().code, ErrorClass::kConflict);
  EXPECT_EQ(one.check({ConfChangeKind::kRemove, {.id = 9}}).error().code, ErrorClass::kNotFound);
  EXPECT_EQ(one.check({ConfChangeKind::kAddVoter, {.id = 3}}).error().code,
            ErrorClass::kInvalidArgument);
  EXPECT_TRUE(one.check({ConfChangeKind::kAddVoter, {2, "b:1", false}}));
  const ConfChange change{ConfChangeKind::kAddVoter, {2, "b:1", false}};
  const auto decoded = decode_conf_changes(encode(change));
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->single);
  EXPECT_EQ(decoded->changes, std::vector<ConfChange>{change});
  EXPECT_FALSE(decode_conf_changes("\x01\x09"));
  EXPECT_EQ(decode_conf_changes("\x01\x09").error().code, ErrorClass::kDataLoss);
  std::string newer = encode(change);
  newer[0] = 3;
  EXPECT_EQ(decode_conf_changes(newer).error().code, ErrorClass::kUnimplemented);
}

}  // namespace
}  // namespace shoal::raft
