// Each rule of the observers, told by hand what the world did and what a node says.
#include "tests/sim/gossip/truth.h"

#include <gtest/gtest.h>

namespace shoal::gossip::sim {
namespace {

using std::chrono::seconds;

// Three nodes that believe in each other; told by hand what they show.
class TruthTest : public ::testing::Test {
 protected:
  TruthTest() {
    for (uint32_t i = 0; i < 3; ++i) {
      truth_.up(i, {0});
      truth_.join(i, 0, now_);
    }
    for (uint32_t a = 0; a < 3; ++a) {
      for (uint32_t b = 0; b < 3; ++b) {
        if (a != b) truth_.member(a, b, MemberState::kAlive, {0});
      }
    }
  }
  void put_and_show() {
    value_ = truth_.put(0, 0, 1, now_);
    for (uint32_t i = 0; i < 3; ++i) truth_.shown(i, 0, 0, 1, value_, now_);
  }

  Net net_{1};
  Truth truth_{3, net_};
  uint64_t value_ = 0;
  Instant now_{100'000'000'000};
};

TEST_F(TruthTest, SoundOnesAreSettled) {
  put_and_show();
  put_and_show();
  EXPECT_TRUE(truth_.settled()) << truth_.difference();
  EXPECT_EQ(truth_.difference(), "");
  EXPECT_EQ(truth_.violation(), "");
}

TEST_F(TruthTest, MissesWhatIsNotShown) {
  put_and_show();
  value_ = truth_.put(0, 0, 1, now_);
  truth_.shown(1, 0, 0, 1, value_, now_);
  EXPECT_FALSE(truth_.settled());
  EXPECT_EQ(truth_.difference(), "n0 shows 1, not 2, of n0/k1 of net0");
}

TEST_F(TruthTest, SeesAnOldValue) {
  put_and_show();
  put_and_show();
  truth_.shown(1, 0, 0, 1, value_ - 1, now_);
  EXPECT_EQ(truth_.violation(), "n1 went back to an old value of n0/k1 of net0 at 100000 ms");
}

TEST_F(TruthTest, SeesWhatNobodySaid) {
  put_and_show();
  truth_.shown(1, 0, 0, 1, value_ + 1, now_);
  EXPECT_EQ(truth_.violation(), "n1 invented n0/k1 of net0 at 100000 ms");
}

TEST_F(TruthTest, SeesAResurrection) {
  put_and_show();
  truth_.erase(0, 0, 1, now_);
  truth_.removed(1, 0, 0, 1, now_);
  EXPECT_EQ(truth_.violation(), "");
  truth_.shown(1, 0, 0, 1, value_, now_);
  EXPECT_EQ(truth_.violation(), "n1 resurrected n0/k1 of net0 at 100000 ms");
}

TEST_F(TruthTest, WhatTheEndOfAProcessTookDoesNotReturn) {
  put_and_show();
  truth_.down(0, now_);
  truth_.up(0, now_);
  truth_.removed(1, 0, 0, 1, now_);
  truth_.shown(1, 0, 0, 1, value_, now_);
  EXPECT_EQ(truth_.violation(), "n1 resurrected n0/k1 of net0 at 100000 ms");
}

TEST_F(TruthTest, WhatWasHiddenMayReturn) {
  put_and_show();
  truth_.member(1, 0, MemberState::kFailed, now_);
  truth_.removed(1, 0, 0, 1, now_);
  truth_.member(1, 0, MemberState::kAlive, now_);
  truth_.shown(1, 0, 0, 1, value_, now_);
  EXPECT_EQ(truth_.violation(), "");
  EXPECT_EQ(truth_.counts().withdrawn, 0U);
}

TEST_F(TruthTest, SeesAnUnseenRemoval) {
  put_and_show();
  truth_.erase(0, 0, 1, now_);
  truth_.removed(1, 0, 0, 1, now_);
  truth_.removed(1, 0, 0, 1, now_);
  EXPECT_EQ(truth_.violation(), "n1 was told the removal of unseen n0/k1 of net0 at 100000 ms");
}

TEST_F(TruthTest, SeesALiveEntryWithdrawnUnlessItsOwnerIsNew) {
  put_and_show();
  truth_.down(0, now_);
  truth_.up(0, now_);
  truth_.join(0, 0, now_);
  now_ = now_ + seconds(9);
  put_and_show();
  truth_.removed(1, 0, 0, 1, now_);
  EXPECT_EQ(truth_.counts().withdrawn, 1U);
  EXPECT_EQ(truth_.violation(), "");
  truth_.removed(2, 0, 0, 1, now_ + seconds(2));
  EXPECT_EQ(truth_.counts().withdrawn, 2U);
  EXPECT_EQ(truth_.violation(), "n2 withdrew the live n0/k1 of net0 at 111000 ms");
}

TEST_F(TruthTest, AnOwnerIsNewToWhoWasCutOffWhenItStarted) {
  put_and_show();
  for (const uint32_t at : {1U, 2U}) truth_.member(at, 0, MemberState::kAlive, now_);
  truth_.member(2, 0, MemberState::kFailed, now_);
  truth_.down(0, now_);
  truth_.up(0, now_);
  truth_.join(0, 0, now_);
  truth_.member(1, 0, MemberState::kAlive, now_);
  now_ = now_ + seconds(20);
  truth_.member(2, 0, MemberState::kAlive, now_);
  put_and_show();
  truth_.removed(2, 0, 0, 1, now_ + seconds(9));
  EXPECT_EQ(truth_.counts().withdrawn, 1U);
  EXPECT_EQ(truth_.violation(), "");
  // Failed and back in the life it was known in is nothing new.
  truth_.shown(2, 0, 0, 1, value_, now_ + seconds(9));
  truth_.member(2, 0, MemberState::kFailed, now_ + seconds(11));
  truth_.member(2, 0, MemberState::kAlive, now_ + seconds(11));
  truth_.removed(2, 0, 0, 1, now_ + seconds(12));
  EXPECT_EQ(truth_.violation(), "n2 withdrew the live n0/k1 of net0 at 132000 ms");
}

TEST_F(TruthTest, WhoHeardOfTheStartAtOnceHasNoExcuse) {
  put_and_show();
  truth_.member(1, 0, MemberState::kAlive, now_);
  truth_.down(0, now_);
  truth_.up(0, now_);
  truth_.join(0, 0, now_);
  truth_.member(1, 0, MemberState::kAlive, now_);
  now_ = now_ + seconds(20);
  put_and_show();
  truth_.removed(1, 0, 0, 1, now_);
  EXPECT_EQ(truth_.violation(), "n1 withdrew the live n0/k1 of net0 at 120000 ms");
}

TEST_F(TruthTest, FollowsAChangeUntilTheLastShowsIt) {
  truth_.follow_changes(true);
  put_and_show();
  truth_.erase(0, 0, 1, now_);
  truth_.removed(0, 0, 0, 1, now_);
  truth_.removed(1, 0, 0, 1, now_ + seconds(1));
  truth_.removed(2, 0, 0, 1, now_ + seconds(2));
  truth_.put(0, 0, 1, now_);
  EXPECT_EQ(truth_.take_changes(now_ + seconds(3)), (std::vector<double>{0, 2, 3}));
  EXPECT_EQ(truth_.counts().unfinished, 1U);
}

// It is never told of the deletion, so that nothing would ever end the wait for it.
TEST_F(TruthTest, WhoShowsNothingIsNotAskedToHideIt) {
  truth_.follow_changes(true);
  value_ = truth_.put(0, 0, 1, now_);
  truth_.shown(0, 0, 0, 1, value_, now_);
  truth_.shown(1, 0, 0, 1, value_, now_);
  truth_.erase(0, 0, 1, now_ + seconds(1));
  truth_.removed(0, 0, 0, 1, now_ + seconds(1));
  truth_.removed(1, 0, 0, 1, now_ + seconds(3));
  EXPECT_EQ(truth_.take_changes(now_ + seconds(9)), (std::vector<double>{1, 2}));
  // Until it shows what was deleted.
  truth_.shown(2, 0, 0, 1, value_, now_ + seconds(4));
  truth_.removed(2, 0, 0, 1, now_ + seconds(6));
  EXPECT_EQ(truth_.take_changes(now_ + seconds(9)), (std::vector<double>{5}));
  EXPECT_EQ(truth_.counts().unfinished, 0U);
}

TEST_F(TruthTest, FollowsAJoiningAndAsksForNoChangeBeforeIt) {
  truth_.follow_changes(true);
  put_and_show();
  value_ = truth_.put(0, 0, 1, now_);
  truth_.shown(0, 0, 0, 1, value_, now_);
  truth_.down(2, now_);
  truth_.up(2, now_);
  truth_.join(2, 0, now_);
  truth_.shown(2, 0, 0, 1, value_, now_ + seconds(2));
  EXPECT_EQ(truth_.take_joinings(now_ + seconds(9)), (std::vector<double>{2}));
  // n1 is the only one that still misses the change.
  EXPECT_EQ(truth_.take_changes(now_ + seconds(9)), (std::vector<double>{0, 9}));
  EXPECT_EQ(truth_.counts().unfinished, 1U);
}

TEST_F(TruthTest, WhoIsFirstHeardOfAsFailedIsNotDeclaredFailed) {
  truth_.down(1, now_);
  truth_.up(1, now_);
  now_ = now_ + seconds(20);
  truth_.member(1, 0, MemberState::kFailed, now_);
  EXPECT_EQ(truth_.counts().false_failures, 0U);
  for (const MemberState live : {MemberState::kAlive, MemberState::kSuspect}) {
    truth_.member(1, 0, live, now_);
    const uint64_t before = truth_.counts().false_failures;
    truth_.member(1, 0, MemberState::kFailed, now_);
    EXPECT_EQ(truth_.counts().false_failures, before + 1);
  }
}

TEST_F(TruthTest, CountsFalseFailuresByItsRule) {
  for (const uint32_t other : {0U, 2U}) truth_.member(1, other, MemberState::kAlive, now_);
  truth_.member(2, 0, MemberState::kAlive, now_);
  truth_.member(1, 0, MemberState::kFailed, now_);
  EXPECT_EQ(truth_.counts().false_failures, 1U);
  EXPECT_EQ(truth_.first_false(), "n1 declared n0 failed, which was not at 100000 ms");
  // Believable: it was down, it was cut off, or (where that is excused) it was starved.
  truth_.down(2, now_);
  truth_.up(2, now_ + seconds(1));
  truth_.member(2, 0, MemberState::kAlive, now_ + seconds(1));
  truth_.member(1, 2, MemberState::kFailed, now_ + seconds(6));
  EXPECT_EQ(truth_.counts().false_failures, 1U);
  now_ = now_ + seconds(20);
  net_.set_groups({1, 0, 0}, now_);
  net_.heal(now_ + seconds(1));
  truth_.member(2, 0, MemberState::kFailed, now_ + seconds(6));
  EXPECT_EQ(truth_.counts().false_failures, 1U);
  now_ = now_ + seconds(20);
  for (const uint32_t at : {1U, 2U}) truth_.member(at, 0, MemberState::kAlive, now_);
  truth_.starve(0, true, now_);
  truth_.member(2, 0, MemberState::kFailed, now_ + seconds(1));
  EXPECT_EQ(truth_.counts().false_failures, 2U);
  truth_.set_rules({.excuse_starved = true});
  truth_.member(1, 0, MemberState::kFailed, now_ + seconds(1));
  EXPECT_EQ(truth_.counts().false_failures, 2U);
  EXPECT_EQ(truth_.counts().false_victims, 1U);
}

TEST_F(TruthTest, FollowsADeathUntilTheLastKnows) {
  truth_.follow_deaths(true);
  truth_.down(2, now_);
  truth_.member(0, 2, MemberState::kFailed, now_ + seconds(1));
  truth_.member(1, 2, MemberState::kSuspect, now_ + seconds(1));
  truth_.member(1, 2, MemberState::kFailed, now_ + seconds(3));
  EXPECT_EQ(truth_.take_deaths(now_ + seconds(9)), std::vector<double>{3});
  EXPECT_EQ(truth_.take_single_deaths(), (std::vector<double>{1, 3}));
}

}  // namespace
}  // namespace shoal::gossip::sim
