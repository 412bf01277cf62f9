#include "worker/attach/removals.h"

#include <gtest/gtest.h>

#include <future>

namespace shoal::worker {
namespace {

constexpr vxlan::NamespaceIdentity kHere{4, 7};
constexpr vxlan::NamespaceIdentity kThere{4, 8};

EndpointId id(char fill) { return EndpointId(std::string(kIdLength, fill)); }

class RemovalsTest : public testing::Test {
 protected:
  // Its work waits until the gate opens.
  void add(char fill, const vxlan::NamespaceIdentity& space, std::shared_future<void> gate = {}) {
    removals_.add({.endpoint = id(fill),
                   .space = space,
                   .work =
                       [this, fill, gate] {
                         started_.set_value();
                         if (gate.valid()) gate.wait();
                         worked_.push_back(fill);
                         return ok_status();
                       },
                   .done =
                       [this, fill](const Status& status) {
                         const std::lock_guard lock(mutex_);
                         if (status.ok()) done_.push_back(fill);
                       }});
  }
  std::string done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  void wait_started() {
    started_.get_future().wait();
    started_ = {};
  }

  std::string worked_;  // the thread's, till it is settled
  std::promise<void> started_;
  std::mutex mutex_;  // guards done_
  std::string done_;
  Removals removals_{"test"};
};

TEST_F(RemovalsTest, AreDoneInTurnsAndPendingTillTheyAreTold) {
  std::promise<void> gate;
  add('a', kHere, gate.get_future().share());
  wait_started();
  EXPECT_TRUE(removals_.pending(id('a')));
  EXPECT_FALSE(removals_.pending(id('b')));
  EXPECT_EQ(done(), "");
  gate.set_value();
  removals_.settle(kHere);
  EXPECT_FALSE(removals_.pending(id('a')));
  EXPECT_EQ(worked_, "a");
  EXPECT_EQ(done(), "a");
}

TEST_F(RemovalsTest, SettlingGivesUpWhatWaitsInThatNamespaceOnly) {
  std::promise<void> gate;
  add('a', kThere, gate.get_future().share());
  wait_started();
  add('b', kHere);
  add('c', kThere);
  EXPECT_TRUE(removals_.pending(id('b')));
  removals_.settle(kHere);
  EXPECT_EQ(done(), "b") << "told, and not done";
  EXPECT_FALSE(removals_.pending(id('b')));
  EXPECT_TRUE(removals_.pending(id('c')));
  gate.set_value();
  wait_started();
  removals_.settle(kThere);
  EXPECT_EQ(worked_, "ac");
  EXPECT_EQ(done(), "bac");
}

}  // namespace
}  // namespace shoal::worker
