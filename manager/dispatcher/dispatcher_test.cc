// The session core in virtual time, over a real store; what it proposes is applied at once unless a
// test holds it back.
#include "manager/dispatcher/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manager/control/commands.h"

namespace shoal::manager {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

NodeId node_id(char c) { return NodeId(std::string(kIdLength, c)); }

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() {
    Cluster cluster;
    cluster.root_certificate = "certificate";
    cluster.root_key = "key";
    Node manager;
    manager.id = node_id('m');
    manager.spec.role = Role::kManager;
    manager.certified_role = Role::kManager;
    manager.raft_id = 1;
    manager.description.hostname = "m";
    apply(control::init_cluster(store_, cluster, manager, draw()));
    dispatcher_.become_leader(now_);
  }

  control::Draw draw() { return {WallTime{1'000'000'000}, rng_}; }

  Outcome apply(Result<Command> command) {
    EXPECT_TRUE(command.ok()) << command.error().message;
    Outcome outcome = store_.apply(++index_, *command);
    EXPECT_TRUE(outcome.answer.ok()) << outcome.answer.error().message;
    dispatcher_.applied(outcome.changes, now_);
    return outcome;
  }
  void add_node(char c) {
    Node node;
    node.id = node_id(c);
    node.description.hostname = std::string(1, c);
    apply(control::create_node(store_, node, draw()));
  }
  NetworkId add_network(const std::string& name) {
    NetworkSpec spec;
    spec.name = name;
    spec.attachable = true;
    const Outcome outcome = apply(control::create_network(store_, spec, {}, draw()));
    return std::get<Network>(*outcome.answer).id;
  }

  // Runs the shell's loop until nothing is left to do.
  void pump() {
    dispatcher_.tick(now_);
    while (true) {
      auto effects = dispatcher_.take_effects(now_);
      if (effects.empty()) return;
      for (auto& close : effects.close) closed_[close.stream] = close.reason;
      for (auto& send : effects.send) {
        auto& inbox = inbox_[send.stream];
        for (const Told& told : send.messages) {
          inbox.push_back(joined(told));
          if (told.shared) shared_[send.stream].push_back(told.shared);
        }
        if (!blocked_.contains(send.stream)) dispatcher_.written(send.stream, now_);
      }
      for (auto& command : effects.commands) {
        ++proposed_;
        if (!hold_) apply(Command{{1}, rng_.next(), command});
      }
    }
  }
  // As the worker reads it: lists of the message and of what is shared are one.
  static SessionMessage joined(const Told& told) {
    SessionMessage out = told.message;
    if (!told.shared) return out;
    auto& lists = std::get<Assignments>(out);
    lists.networks = told.shared->networks;
    lists.removed_networks = told.shared->removed_networks;
    lists.nodes = told.shared->nodes;
    lists.removed_nodes = told.shared->removed_nodes;
    return out;
  }
  void advance(Duration by) {
    const Instant end = now_ + by;
    while (dispatcher_.next_deadline() <= end) {
      now_ = std::max(now_, dispatcher_.next_deadline());
      pump();
      if (hold_) break;
    }
    now_ = end;
    pump();
  }
  void register_node(StreamId stream, char c) {
    dispatcher_.opened(stream, node_id(c), now_);
    NodeDescription description;
    description.hostname = std::string(1, c);
    NodeAddresses addresses;
    addresses.gossip = HostPort{Ip::v4(0x0a000000U + static_cast<uint32_t>(c)), 7946};
    dispatcher_.registered(stream, description, addresses, now_);
    pump();
  }
  template <typename T>
  std::vector<T> told(StreamId stream) {
    std::vector<T> out;
    for (auto& message : inbox_[stream]) {
      if (auto* value = std::get_if<T>(&message)) out.push_back(*value);
    }
    return out;
  }
  NodeState state(char c) { return store_.node(node_id(c))->status.state; }

  SeededRng rng_{3};
  Store store_;
  uint64_t index_ = 0;
  Instant now_{1'000'000'000};
  Dispatcher dispatcher_{store_, rng_};
  std::map<StreamId, std::vector<SessionMessage>> inbox_;
  std::map<StreamId, std::vector<SharedNews>> shared_;
  std::map<StreamId, Error> closed_;
  std::set<StreamId> blocked_;
  size_t proposed_ = 0;
  bool hold_ = false;
};

TEST_F(DispatcherTest, ARegistrationIsGreetedWithEverything) {
  add_node('a');
  const NetworkId network = add_network("web");
  register_node(1, 'a');
  ASSERT_GE(inbox_[1].size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Registered>(inbox_[1][0]));
  ASSERT_TRUE(std::holds_alternative<ClusterInfo>(inbox_[1][1]));
  EXPECT_EQ(std::get<ClusterInfo>(inbox_[1][1]).node.id, node_id('a'));
  EXPECT_EQ(std::get<ClusterInfo>(inbox_[1][1]).managers.size(), 1U);
  ASSERT_TRUE(std::holds_alternative<Assignments>(inbox_[1][2]));
  const auto first = std::get<Assignments>(inbox_[1][2]);
  EXPECT_TRUE(first.complete);
  EXPECT_EQ(first.sequence, 1U);
  ASSERT_EQ(first.networks.size(), 1U);
  EXPECT_EQ(first.networks[0].id, network);
  EXPECT_EQ(first.nodes.size(), 2U);
  EXPECT_EQ(state('a'), NodeState::kReady);
}

TEST_F(DispatcherTest, ChangesFollowAtOnceWithoutGapsInTheSequence) {
  add_node('a');
  add_node('b');
  register_node(1, 'a');
  register_node(2, 'b');
  const NetworkId network = add_network("web");
  pump();
  EndpointSpec spec;
  spec.name = "db";
  const auto attached =
      apply(control::attach_endpoint(store_, {}, network.str(), node_id('a'), spec, draw()));
  pump();
  apply(Command{{1}, 2, DetachEndpoint{std::get<Endpoint>(*attached.answer).id, {}}});
  pump();
  const auto a = told<Assignments>(1);
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].sequence, i + 1);
    EXPECT_EQ(a[i].complete, i == 0);
  }
  ASSERT_GE(a.size(), 4U);
  EXPECT_EQ(a[a.size() - 3].networks.size(), 1U);
  EXPECT_EQ(a[a.size() - 2].endpoints.size(), 1U);
  EXPECT_EQ(a[a.size() - 1].removed_endpoints.size(), 1U);
  for (const auto& assignments : told<Assignments>(2)) {
    EXPECT_TRUE(assignments.endpoints.empty()) << "another node's endpoint";
  }
}

TEST_F(DispatcherTest, ASlowStreamGetsTheLastStateInOneBatch) {
  add_node('a');
  register_node(1, 'a');
  blocked_.insert(1);
  const NetworkId first = add_network("n0");
  pump();  // this batch stays under way
  const size_t before = told<Assignments>(1).size();
  for (int i = 1; i <= 50; ++i) add_network("n" + std::to_string(i));
  apply(Command{{1}, 2, RemoveNetwork{first}});
  pump();
  EXPECT_EQ(told<Assignments>(1).size(), before);
  blocked_.clear();
  dispatcher_.written(1, now_);
  pump();
  const auto all = told<Assignments>(1);
  ASSERT_EQ(all.size(), before + 1);
  EXPECT_EQ(all.back().networks.size(), 50U);
  EXPECT_EQ(all.back().removed_networks, std::vector{first});
}

TEST_F(DispatcherTest, AllThatAreTheSameAreToldTheSameOnce) {
  for (const char c : {'a', 'b', 'c'}) add_node(c);
  for (int i = 0; i < 200; ++i) add_network("n" + std::to_string(i));
  register_node(1, 'a');
  register_node(2, 'b');
  register_node(3, 'c');
  ASSERT_GE(shared_[2].size(), 4U) << "200 networks are more than one message";
  blocked_.insert(3);
  dispatcher_.heartbeat(3, now_);
  pump();
  for (auto& [stream, news] : shared_) news.clear();
  const NetworkId added = add_network("web");
  pump();
  ASSERT_EQ(shared_[1].size(), 1U);
  EXPECT_EQ(shared_[1], shared_[2]);
  EXPECT_TRUE(shared_[3].empty()) << "its batch is under way";
  blocked_.clear();
  dispatcher_.written(3, now_);
  pump();
  ASSERT_EQ(shared_[3].size(), 1U);
  ASSERT_EQ(shared_[3][0]->networks.size(), 1U);
  EXPECT_EQ(shared_[3][0]->networks[0].id, added);
}

TEST_F(DispatcherTest, EverythingComesInSeveralMessages) {
  add_node('a');
  std::set<NetworkId> made;
  for (size_t i = 0; i < 3 * kMaxListed; ++i) made.insert(add_network("n" + std::to_string(i)));
  register_node(1, 'a');
  std::set<NetworkId> heard;
  const auto messages = told<Assignments>(1);
  for (size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i].sequence, i + 1);
    if (messages[i].networks.empty()) continue;  // of its own node, once it is ready
    EXPECT_LE(messages[i].networks.size(), kMaxListed);
    EXPECT_EQ(messages[i].complete, i == 0);
    for (const Network& network : messages[i].networks) {
      EXPECT_TRUE(heard.insert(network.id).second) << "listed twice";
    }
    EXPECT_EQ(messages[i].more, heard.size() < made.size());
  }
  EXPECT_EQ(heard, made);
}

TEST_F(DispatcherTest, AStuckStreamIsClosed) {
  add_node('a');
  register_node(1, 'a');
  blocked_.insert(1);
  add_network("web");
  pump();
  for (int i = 0; i < 6; ++i) {
    dispatcher_.heartbeat(1, now_);
    advance(seconds(4));
  }
  ASSERT_TRUE(closed_.contains(1));
  EXPECT_EQ(closed_[1].code, ErrorClass::kResourceExhausted);
}

TEST_F(DispatcherTest, ANodeIsDownAfterThreePeriodsOfSilence) {
  add_node('a');
  register_node(1, 'a');
  for (int i = 0; i < 5; ++i) {
    advance(seconds(5));
    dispatcher_.heartbeat(1, now_);
    pump();
  }
  EXPECT_EQ(told<HeartbeatAck>(1).size(), 5U);
  EXPECT_EQ(state('a'), NodeState::kReady);
  advance(seconds(14));
  EXPECT_EQ(state('a'), NodeState::kReady);
  advance(seconds(1));
  EXPECT_EQ(state('a'), NodeState::kDown);
  EXPECT_TRUE(closed_.contains(1));
  register_node(2, 'a');
  EXPECT_EQ(state('a'), NodeState::kReady);
}

TEST_F(DispatcherTest, ANodeThatNeverRegisteredIsRemoved) {
  add_node('a');
  add_node('b');
  Node manager;
  manager.id = node_id('c');
  manager.spec.role = manager.certified_role = Role::kManager;
  apply(control::create_node(store_, manager, draw()));
  advance(seconds(29));
  register_node(1, 'a');  // at the last moment
  ASSERT_NE(store_.node(node_id('b')), nullptr);
  advance(seconds(1));
  EXPECT_NE(store_.node(node_id('a')), nullptr);
  EXPECT_EQ(store_.node(node_id('b')), nullptr);
  advance(kProposeAgain);  // a manager is demoted first
  EXPECT_EQ(store_.node(node_id('c')), nullptr);
  EXPECT_NE(store_.node(node_id('m')), nullptr) << "a member of raft stays, heard of or not";
  register_node(2, 'b');
  ASSERT_TRUE(closed_.contains(2));
  EXPECT_EQ(closed_[2].code, ErrorClass::kPermissionDenied);
}

TEST_F(DispatcherTest, AStreamThatDoesNotRegisterIsEnded) {
  add_node('a');
  dispatcher_.opened(1, node_id('a'), now_);
  advance(kRegisterWithin - seconds(1));
  EXPECT_TRUE(closed_.empty());
  register_node(2, 'a');
  advance(seconds(1));
  ASSERT_TRUE(closed_.contains(1));
  EXPECT_EQ(closed_[1].code, ErrorClass::kDeadlineExceeded);
  EXPECT_FALSE(closed_.contains(2));
}

TEST_F(DispatcherTest, ADaemonThatRestartsInTimeIsNeverDown) {
  add_node('a');
  register_node(1, 'a');
  dispatcher_.closed(1, now_);
  advance(seconds(14));
  register_node(2, 'a');
  advance(seconds(14));
  EXPECT_EQ(state('a'), NodeState::kReady);
}

TEST_F(DispatcherTest, TheNewerSessionOfANodeWins) {
  add_node('a');
  register_node(1, 'a');
  register_node(2, 'a');
  ASSERT_TRUE(closed_.contains(1));
  EXPECT_EQ(closed_[1].code, ErrorClass::kConflict);
  EXPECT_FALSE(closed_.contains(2));
  dispatcher_.closed(1, now_);  // its stream ends later
  add_network("web");
  pump();
  EXPECT_EQ(told<Assignments>(2).back().networks.size(), 1U);
  EXPECT_EQ(dispatcher_.session_count(), 1U);
}

TEST_F(DispatcherTest, AfterAChangeOfLeaderNodesAreUnknownForTwiceTheTime) {
  add_node('a');
  add_node('b');
  register_node(1, 'a');
  register_node(2, 'b');
  dispatcher_.step_down(unavailable("another leads"));
  pump();
  EXPECT_EQ(closed_.size(), 2U);
  const size_t before = proposed_;
  dispatcher_.become_leader(now_);
  pump();
  EXPECT_EQ(proposed_, before) << "a change of leader writes nothing";
  EXPECT_EQ(dispatcher_.state_of(*store_.node(node_id('a'))), NodeState::kUnknown);
  register_node(3, 'a');
  EXPECT_EQ(dispatcher_.state_of(*store_.node(node_id('a'))), NodeState::kReady);
  dispatcher_.heartbeat(3, now_);
  for (int i = 0; i < 5; ++i) {
    advance(seconds(5));
    dispatcher_.heartbeat(3, now_);
  }
  advance(seconds(4));
  EXPECT_EQ(state('b'), NodeState::kReady);
  EXPECT_EQ(dispatcher_.state_of(*store_.node(node_id('b'))), NodeState::kUnknown);
  advance(seconds(1));
  EXPECT_EQ(state('b'), NodeState::kDown);
  EXPECT_EQ(state('a'), NodeState::kReady);
}

TEST_F(DispatcherTest, WhoWasHeardStaysReadyWithoutAnAnswer) {
  add_node('a');
  register_node(1, 'a');
  dispatcher_.heard(2, now_);  // nobody
  const size_t before = inbox_[1].size();
  for (int i = 0; i < 5; ++i) {
    const Instant when = now_ + seconds(2);
    now_ = now_ + seconds(15);
    dispatcher_.heard(1, when);
    dispatcher_.heard(1, when - seconds(1));  // older news change nothing
    pump();
    ASSERT_EQ(state('a'), NodeState::kReady) << i;
    now_ = when + seconds(5);
  }
  EXPECT_EQ(inbox_[1].size(), before);
  now_ = now_ + seconds(10);
  pump();
  EXPECT_EQ(state('a'), NodeState::kDown);
}

TEST_F(DispatcherTest, OnlyDifferencesAreProposedAndUntilTheyShow) {
  add_node('a');
  hold_ = true;
  register_node(1, 'a');
  EXPECT_EQ(proposed_, 1U);
  dispatcher_.heartbeat(1, now_);
  pump();
  EXPECT_EQ(proposed_, 1U) << "one try is under way";
  now_ = now_ + kProposeAgain;
  pump();
  EXPECT_EQ(proposed_, 2U);
  hold_ = false;
  now_ = now_ + kProposeAgain;
  pump();
  EXPECT_EQ(proposed_, 3U);
  register_node(2, 'a');
  EXPECT_EQ(proposed_, 3U) << "nothing differs";
}

TEST_F(DispatcherTest, AChangedDescriptionIsStoredAndDisturbsNoSession) {
  add_node('a');
  register_node(1, 'a');
  const size_t assignments = told<Assignments>(1).size();
  NodeDescription description = store_.node(node_id('a'))->description;
  description.host_routes = {*Prefix::parse("10.7.0.0/16")};
  dispatcher_.described(1, description, now_);
  pump();
  EXPECT_EQ(store_.node(node_id('a'))->description, description);
  EXPECT_EQ(told<Assignments>(1).size(), assignments);
  const size_t proposed = proposed_;
  dispatcher_.described(1, description, now_);  // nothing new
  pump();
  EXPECT_EQ(proposed_, proposed);

  dispatcher_.opened(2, node_id('a'), now_);
  dispatcher_.described(2, description, now_);
  pump();
  EXPECT_EQ(closed_[2], invalid_argument("a session begins with Register"));
}

TEST_F(DispatcherTest, ARemovedNodeIsRefused) {
  add_node('a');
  register_node(1, 'a');
  apply(Command{{1}, 2, RemoveNode{node_id('a'), true}});
  pump();
  ASSERT_TRUE(closed_.contains(1));
  EXPECT_EQ(closed_[1].code, ErrorClass::kPermissionDenied);
  register_node(2, 'a');
  ASSERT_TRUE(closed_.contains(2));
  EXPECT_THAT(closed_[2].message, HasSubstr("removed"));
  advance(seconds(60));
}

TEST_F(DispatcherTest, StatusOfOneNodeIsNotToldToAll) {
  add_node('a');
  add_node('b');
  register_node(1, 'a');
  register_node(2, 'b');
  pump();
  const size_t before = inbox_[1].size();
  advance(seconds(10));
  dispatcher_.heartbeat(1, now_);
  pump();
  advance(seconds(6));  // b goes down
  ASSERT_EQ(state('b'), NodeState::kDown);
  EXPECT_EQ(inbox_[1].size(), before + 1) << "the heartbeat's answer only";
}

TEST_F(DispatcherTest, RolesReachTheirNodeAtOnce) {
  add_node('a');
  register_node(1, 'a');
  control::NodeChange change;
  change.role = Role::kManager;
  apply(control::update_node(store_, node_id('a').str(), {}, change, draw()));
  pump();
  const auto info = told<ClusterInfo>(1).back();
  EXPECT_EQ(info.node.spec.role, Role::kManager);
  EXPECT_EQ(info.managers.size(), 2U);
}

TEST_F(DispatcherTest, AFollowerServesNobody) {
  dispatcher_.step_down(unavailable("another leads"));
  dispatcher_.opened(9, node_id('m'), now_);
  pump();
  ASSERT_TRUE(closed_.contains(9));
  EXPECT_EQ(closed_[9].code, ErrorClass::kUnavailable);
  EXPECT_EQ(dispatcher_.next_deadline(), Instant::max());
}

}  // namespace
}  // namespace shoal::manager
