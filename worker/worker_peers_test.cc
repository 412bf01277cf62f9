// What gossip says of others, as a Worker takes it.
#include <gtest/gtest.h>

#include "worker/worker.h"
#include "worker/worker_test_host.h"

namespace shoal::worker {
namespace {

TEST(Worker, PeersComeAndGoWithGossip) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  const NetworkId front = network("front").id;
  const std::string key = id_text("peer");
  EndpointRecord record{"db", {}, {Ip::v4(0x0a000120)}, Mac::from_random(5), kOtherVtep};
  host.gossip.observer->on_entry(front, key, kOther, encode_record(record));
  host.loop.run();
  ASSERT_EQ(host.kernel.state.remote.size(), 1U);
  EXPECT_EQ(host.kernel.state.remote[0].vtep, kOtherVtep);
  EXPECT_EQ(host.resolvers.names().size(), 2U);
  host.gossip.observer->on_entry(front, key, kOther, Bytes{1, 2, 3});
  host.gossip.observer->on_entry_removed(front, key, kSelf);
  host.loop.run();
  EXPECT_EQ(host.kernel.state.remote.size(), 1U) << "neither noise nor a stranger removes it";
  host.gossip.observer->on_entry_removed(front, key, kOther);
  host.loop.run();
  EXPECT_TRUE(host.kernel.state.remote.empty());
  EXPECT_EQ(host.resolvers.names().size(), 1U);
}

TEST(Worker, AManagerThatGossipMissesIsDoubted) {
  Host host;
  const HostPort control{kOtherVtep, 2377};
  const HostPort address{kOtherVtep, 7946};
  ClusterInfo info;
  info.data_path_port = 4789;
  info.managers.emplace_back().id = kOther;
  info.managers.back().addresses.control = control;
  info.managers.emplace_back().id = kThird;
  host.worker->on_cluster(info);
  host.loop.run();
  gossip::Observer& observer = *host.gossip.observer;
  observer.on_member({kOther, address, gossip::MemberState::kAlive});
  observer.on_member({kThird, address, gossip::MemberState::kFailed});
  observer.on_member({kSelf, address, gossip::MemberState::kSuspect});
  EXPECT_TRUE(host.managers.doubted.empty());
  observer.on_member({kOther, address, gossip::MemberState::kSuspect});
  EXPECT_EQ(host.managers.doubted, std::vector<HostPort>{control});
}

// Its daemon may be all that is gone: the way to its endpoints stays, their names do not.
TEST(Worker, EndpointsOfAFailedNodeAreHiddenAndStayReachable) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  const NetworkId front = network("front").id;
  const std::string key = id_text("peer");
  const HostPort address{kOtherVtep, 7946};
  EndpointRecord record{"db", {}, {Ip::v4(0x0a000120)}, Mac::from_random(5), kOtherVtep};
  gossip::Observer& observer = *host.gossip.observer;
  const auto fail = [&] {
    observer.on_entry(front, key, kOther, encode_record(record));
    observer.on_member({kOther, address, gossip::MemberState::kFailed});
    observer.on_entry_removed(front, key, kOther);
    host.loop.run();
    ASSERT_EQ(host.kernel.state.remote.size(), 1U);
    ASSERT_EQ(host.resolvers.names().size(), 1U);
    ASSERT_EQ(host.worker->snapshot().peers, 0U);
  };
  fail();
  observer.on_member({kOther, address, gossip::MemberState::kAlive});
  observer.on_entry(front, key, kOther, encode_record(record));
  host.loop.advance(Worker::kAdoptGrace * 2);
  EXPECT_EQ(host.kernel.state.remote.size(), 1U) << "it is back";
  EXPECT_EQ(host.resolvers.names().size(), 2U);

  fail();
  observer.on_member({kOther, address, gossip::MemberState::kAlive});
  host.loop.advance(Worker::kAdoptGrace * 2);
  EXPECT_TRUE(host.kernel.state.remote.empty()) << "the node is back and does not have it";

  fail();
  observer.on_member({kOther, address, gossip::MemberState::kLeft});
  host.loop.run();
  EXPECT_TRUE(host.kernel.state.remote.empty()) << "the node left";

  fail();
  observer.on_entry(front, id_text("heir"), kThird, encode_record(record));
  host.loop.run();
  EXPECT_EQ(host.kernel.state.remote.size(), 1U) << "the address is another's";
}

TEST(Worker, AnEntryThatNamesThisHostsVtepIsALeftover) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  EndpointRecord record{"db", {}, {Ip::v4(0x0a000120)}, Mac::from_random(5), kVtep};
  host.gossip.observer->on_entry(network("front").id, id_text("old"), kOther,
                                 encode_record(record));
  host.loop.run();
  EXPECT_TRUE(host.kernel.state.remote.empty());
}

}  // namespace
}  // namespace shoal::worker
