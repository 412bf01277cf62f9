#include "gossip/driver/gossip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <thread>

#include "base/runtime/system_ports.h"
#include "gossip/driver/endpoint.h"
#include "gossip/driver/rate_limit.h"
#include "gossip/driver/streams.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
namespace asio = boost::asio;

std::string padded(const std::string& text) {
  return text + std::string(kIdLength - text.size(), '0');
}
const NetworkId kNet(padded("net"));

KeyRing ring(std::vector<uint64_t> ids, size_t primary = 0) {
  KeyRing keys;
  for (const uint64_t id : ids) {
    crypto::Key key{};
    key.fill(static_cast<uint8_t>(id));
    keys.keys.push_back({id, key});
  }
  keys.primary = primary;
  return keys;
}

// What a node saw. Read and written on its strand.
struct Seen : Observer {
  std::map<std::string, std::string> entries;  // "owner/key" of kNet
  std::map<NodeId, MemberState> members;
  size_t events = 0;

  void on_entry(const NetworkId& network, const std::string& key, const NodeId& owner,
                const Bytes& value) override {
    ++events;
    if (network == kNet) entries[owner.str() + "/" + key] = std::string(as_text(value));
  }
  void on_entry_removed(const NetworkId& network, const std::string& key,
                        const NodeId& owner) override {
    ++events;
    if (network == kNet) entries.erase(owner.str() + "/" + key);
  }
  void on_member(const MemberInfo& member) override { members[member.id] = member.state; }
};

class Node {
 public:
  template <typename F>
  auto on(F work) {
    return strand_.call(std::move(work));
  }

  Node(int number, KeyRing keys, const std::string& bind = "127.0.0.1") {
    config_.self = NodeId(padded("n" + std::to_string(number)));
    config_.cluster = ClusterId(padded("cluster"));
    config_.bind = {Ip::parse(bind).value(), 0};
    config_.epoch = 1000 + static_cast<uint64_t>(number);
    strand_.start("gossip-test");
    start(std::move(keys));
  }
  ~Node() {
    crash();
    strand_.stop();
  }

  void start(KeyRing keys) {
    ++config_.epoch;
    on([&] {
      seen_ = Seen();
      auto started = Gossip::start(config_, std::move(keys), strand_, clock_, rng_, seen_);
      gossip_ = std::move(started).value();
      config_.bind = gossip_->bound();  // a restart comes back at the same place
      return 0;
    });
  }
  void crash() {
    on([&] {
      gossip_.reset();
      return 0;
    });
  }
  // Waits until `condition` holds on the strand.
  testing::AssertionResult eventually(const std::function<bool()>& condition,
                                      Duration patience = seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!on(condition)) {
      if (std::chrono::steady_clock::now() > end) return testing::AssertionFailure();
      std::this_thread::sleep_for(milliseconds(2));
    }
    return testing::AssertionSuccess();
  }
  size_t alive() {
    return static_cast<size_t>(
        std::count_if(seen_.members.begin(), seen_.members.end(),
                      [](const auto& member) { return member.second == MemberState::kAlive; }));
  }
  void seed(Node& other) {
    const HostPort at = other.on([&] { return other.gossip_->bound(); });
    on([&] {
      gossip_->set_seeds({at});
      return 0;
    });
  }
  void put(const std::string& key, const std::string& value) {
    on([&] {
      const Status status = gossip_->upsert(kNet, key, Bytes(value.begin(), value.end()));
      EXPECT_TRUE(status.ok());
      return 0;
    });
  }
  void join() {
    on([&] {
      gossip_->join_network(kNet);
      return 0;
    });
  }
  HostPort bound() {
    return on([&] { return gossip_->bound(); });
  }
  std::string id() const { return config_.self.str(); }

  Config config_;
  Strand strand_;
  SystemClock clock_;
  SystemRng rng_;
  Seen seen_;
  std::unique_ptr<Gossip> gossip_;
};

using Nodes = std::vector<std::unique_ptr<Node>>;

Nodes cluster(int size, const KeyRing& keys, const std::string& bind = "127.0.0.1") {
  Nodes nodes;
  for (int i = 0; i < size; ++i) {
    nodes.push_back(std::make_unique<Node>(i, keys, bind));
    if (i > 0) nodes.back()->seed(*nodes.front());
  }
  for (auto& node : nodes) {
    EXPECT_TRUE(node->eventually([&] { return node->alive() == nodes.size() - 1; }));
    node->join();
  }
  return nodes;
}

TEST(Gossip, EntriesReachEverybodyFast) {
  Nodes nodes = cluster(5, ring({1}));
  std::vector<Duration> latencies;
  for (int i = 0; i < 20; ++i) {
    Node& owner = *nodes[static_cast<size_t>(i) % nodes.size()];
    const std::string key = "e" + std::to_string(i);
    const auto begin = std::chrono::steady_clock::now();
    owner.put(key, "10.0.0." + std::to_string(i));
    for (auto& node : nodes) {
      EXPECT_TRUE(
          node->eventually([&] { return node->seen_.entries.contains(owner.id() + "/" + key); }));
    }
    latencies.push_back(std::chrono::steady_clock::now() - begin);
  }
  std::sort(latencies.begin(), latencies.end());
  const auto median = std::chrono::duration_cast<milliseconds>(latencies[latencies.size() / 2]);
  RecordProperty("announce_to_seen_everywhere_median_ms", static_cast<int>(median.count()));
  EXPECT_LT(median, milliseconds(100));

  Node& owner = *nodes[1];
  owner.on([&] {
    owner.gossip_->remove(kNet, "e1");
    return 0;
  });
  for (auto& node : nodes) {
    EXPECT_TRUE(
        node->eventually([&] { return !node->seen_.entries.contains(owner.id() + "/e1"); }));
  }
}

TEST(Gossip, CrashHidesAndReturnRestores) {
  Nodes nodes = cluster(3, ring({1}));
  nodes[2]->put("web", "10.0.0.2");
  const std::string name = nodes[2]->id() + "/web";
  for (auto& node : nodes) {
    EXPECT_TRUE(node->eventually([&] { return node->seen_.entries.contains(name); }));
  }
  const auto cut = std::chrono::steady_clock::now();
  nodes[2]->crash();
  for (int i : {0, 1}) {
    Node& node = *nodes[static_cast<size_t>(i)];
    EXPECT_TRUE(node.eventually([&] { return !node.seen_.entries.contains(name); }));
    EXPECT_TRUE(node.on(
        [&] { return node.seen_.members[nodes[2]->config_.self] == MemberState::kFailed; }));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - cut, seconds(6));

  // A new start at the same place, without seeds: the others find it. Its old entries are gone.
  const auto back = std::chrono::steady_clock::now();
  nodes[2]->start(ring({1}));
  for (int i : {0, 1}) {
    Node& node = *nodes[static_cast<size_t>(i)];
    EXPECT_TRUE(node.eventually(
        [&] { return node.seen_.members[nodes[2]->config_.self] == MemberState::kAlive; }));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - back, seconds(3));
  nodes[2]->join();
  nodes[2]->put("web", "10.0.0.22");
  for (auto& node : nodes) {
    EXPECT_TRUE(node->eventually([&] {
      const auto it = node->seen_.entries.find(name);
      return it != node->seen_.entries.end() && it->second == "10.0.0.22";
    }));
  }
}

// The strand hangs, the kernel does not: what came meanwhile is heard before anybody is accused.
TEST(Gossip, WhoStalledAccusesNobody) {
  Nodes nodes = cluster(3, ring({1}));
  Node& stalled = *nodes[0];
  stalled.on([&] {
    std::this_thread::sleep_for(seconds(3));
    return 0;
  });
  EXPECT_TRUE(
      stalled.eventually([&] { return stalled.gossip_->counters().stalls > 0; }, seconds(2)));
  EXPECT_TRUE(nodes[1]->eventually([&] { return nodes[1]->alive() == 2; }));
  EXPECT_TRUE(nodes[2]->eventually([&] { return nodes[2]->alive() == 2; }));
  const Counters counters = stalled.on([&] { return stalled.gossip_->counters(); });
  EXPECT_EQ(counters.suspicions, 0U);
  EXPECT_EQ(counters.failures, 0U);
  EXPECT_EQ(stalled.on([&] { return stalled.alive(); }), 2U);
}

// Its kernel takes connections: it is not dead, for however long it hangs (but for a minute).
TEST(Gossip, AHungDaemonIsNotADeadOne) {
  Nodes nodes = cluster(3, ring({1}));
  std::thread hang([&] {
    nodes[2]->on([&] {
      std::this_thread::sleep_for(seconds(8));
      return 0;
    });
  });
  const auto end = std::chrono::steady_clock::now() + seconds(8);
  bool failed = false;
  while (std::chrono::steady_clock::now() < end && !failed) {
    for (int i : {0, 1}) {
      Node& node = *nodes[static_cast<size_t>(i)];
      failed = failed || node.on([&] { return node.gossip_->counters().failures > 0; });
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
  hang.join();
  EXPECT_FALSE(failed);
  for (auto& node : nodes) EXPECT_TRUE(node->eventually([&] { return node->alive() == 2; }));
}

TEST(Gossip, LateJoinerGetsALargeTable) {
  Nodes nodes = cluster(2, ring({1}));
  const std::string value(kMaxValueSize, 'x');
  constexpr size_t kEntries = 3000;  // 3 MiB: several answers
  nodes[0]->on([&] {
    for (size_t i = 0; i < kEntries; ++i) {
      EXPECT_TRUE(
          nodes[0]
              ->gossip_->upsert(kNet, "e" + std::to_string(i), Bytes(value.begin(), value.end()))
              .ok());
    }
    return 0;
  });
  nodes.push_back(std::make_unique<Node>(9, ring({1})));
  Node& late = *nodes.back();
  late.seed(*nodes[0]);
  late.join();
  EXPECT_TRUE(late.eventually([&] { return late.seen_.entries.size() == kEntries; }, seconds(30)));
}

TEST(Gossip, KeysRotateNodeByNodeWithoutALoss) {
  Nodes nodes = cluster(3, ring({1}));
  std::string said = "x";
  const auto talk = [&] {
    said += "x";
    for (auto& node : nodes) node->put("key", said);
  };
  const auto settled = [&] {
    std::vector<decltype(Counters::dropped)> drops;
    for (auto& at : nodes) {
      for (auto& from : nodes)
        EXPECT_TRUE(at->eventually([&] { return at->seen_.entries[from->id() + "/key"] == said; }));
      drops.push_back(at->on([&] { return at->gossip_->counters().dropped; }));
    }
    return drops;
  };
  talk();
  const auto before = settled();
  for (uint64_t key = 1; key <= 4; ++key) {
    for (const auto& keys : {ring({key, key + 1}, 0), ring({key, key + 1}, 1), ring({key + 1})}) {
      for (auto& node : nodes) {
        talk();
        EXPECT_TRUE(node->on([&] { return node->gossip_->set_keys(keys).ok(); }));
      }
      EXPECT_EQ(settled(), before) << "of all that was sent, for any reason";
    }
  }
  EXPECT_FALSE(nodes[0]->on([&] { return nodes[0]->gossip_->set_keys(ring({})).ok(); }));
}

TEST(Gossip, StrangersAreNotHeard) {
  Nodes nodes = cluster(2, ring({1}));
  Node wrong_key(7, ring({9}));
  wrong_key.seed(*nodes[0]);
  Node& inside = *nodes[0];
  EXPECT_TRUE(inside.eventually(
      [&] { return inside.gossip_->counters().drops(DropReason::kUnknownKey) >= 3; }));
  KeyRing same_id = ring({1});
  same_id.keys[0].key.fill(0x77);
  Node forger(8, same_id);
  forger.seed(*nodes[0]);
  EXPECT_TRUE(inside.eventually(
      [&] { return inside.gossip_->counters().drops(DropReason::kForged) >= 3; }));
  EXPECT_EQ(inside.on([&] { return inside.gossip_->members().size(); }), 1U);
  EXPECT_EQ(forger.on([&] { return forger.gossip_->members().size(); }), 0U);
}

// A packet of a stranger who holds the key.
Bytes sealed_to(const Node& node, PacketKind kind) {
  SeededRng rng(7);
  const NodeId stranger(padded("stranger"));
  Guard guard(ClusterId(padded("cluster")), stranger, 1, ring({1}), rng);
  Bytes plain = encode_head({stranger, first_incarnation(1), node.config_.bind});
  plain.resize(plain.size() + 200);
  return guard.seal(kind, {node.config_.self, node.config_.epoch}, plain);
}

TEST(Gossip, FloodsCostNothing) {
  Nodes nodes = cluster(3, ring({1}));
  const HostPort at = nodes[0]->bound();
  asio::io_context context;
  SeededRng rng(7);
  // Slow-loris: connections that say nothing, or start a large frame with a good header and stop.
  const Bytes good = sealed_to(*nodes[0], PacketKind::kQuestion);
  const Bytes good_datagram = sealed_to(*nodes[0], PacketKind::kDatagram);
  std::vector<asio::ip::tcp::socket> lingering;
  for (int i = 0; i < 200; ++i) {
    asio::ip::tcp::socket socket(context);
    boost::system::error_code error;
    socket.connect({to_address(at.ip), at.port}, error);
    ByteWriter start;
    start.u32(kMaxFrame);
    start.raw(ByteView(good).first(kSealHeaderSize));
    Bytes garbage(300);
    rng.fill(garbage);
    if (i % 3 == 0) asio::write(socket, asio::buffer(start.view()), error);
    if (i % 3 == 1) asio::write(socket, asio::buffer(garbage), error);
    lingering.push_back(std::move(socket));
  }
  asio::ip::udp::socket flood(context, asio::ip::udp::v4());
  for (int i = 0; i < 20000; ++i) {
    Bytes packet(rng.below(1400));
    rng.fill(packet);
    // Some look right until they are opened.
    if (i % 4 == 0 && packet.size() > kSealHeaderSize) {
      std::copy_n(good_datagram.begin(), kSealHeaderSize, packet.begin());
    }
    boost::system::error_code error;
    flood.send_to(asio::buffer(packet), {to_address(at.ip), at.port}, 0, error);
  }
  // Everything still works while they linger, also what needs a stream.
  nodes[0]->put("during", "x");
  for (auto& node : nodes) {
    EXPECT_TRUE(
        node->eventually([&] { return node->seen_.entries.contains(nodes[0]->id() + "/during"); }));
  }
  Node late(9, ring({1}));
  late.seed(*nodes[0]);
  late.join();
  EXPECT_TRUE(late.eventually([&] { return late.seen_.entries.size() == 1; }));
  const Counters counters = nodes[0]->on([&] { return nodes[0]->gossip_->counters(); });
  EXPECT_GT(counters.drops(DropReason::kNotOurs), 1000U);
  EXPECT_GT(counters.drops(DropReason::kForged), 100U);
  EXPECT_GE(counters.drops(DropReason::kAdmission), 200U - Streams::kMaxPerAddress - 67);
  // The silent ones are closed in time.
  EXPECT_TRUE(nodes[0]->eventually(
      [&] { return nodes[0]->gossip_->counters().drops(DropReason::kTimeout) > 0; }));
}

// Packets that look right until they are opened cost work; one address gets only so much of it, and
// others are heard all the while.
TEST(Gossip, OneAddressCannotTakeAllTheWork) {
  Nodes nodes = cluster(2, ring({1}));
  Node& target = *nodes[0];
  Bytes forged = sealed_to(target, PacketKind::kDatagram);
  forged.back() ^= 1;
  asio::io_context context;
  asio::ip::udp::socket flood(context, {asio::ip::make_address("127.0.0.66"), 0});
  const asio::ip::udp::endpoint to(to_address(target.bound().ip), target.bound().port);
  const auto limited = [&] {
    return target.on([&] { return target.gossip_->counters().drops(DropReason::kRateLimited); });
  };
  const auto end = std::chrono::steady_clock::now() + seconds(20);
  while (limited() == 0 && std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 500; ++i) flood.send_to(asio::buffer(forged), to);
  }
  EXPECT_GT(limited(), 0U);
  EXPECT_GE(target.on([&] { return target.gossip_->counters().drops(DropReason::kForged); }),
            RateLimit::kBurst);
  nodes[1]->put("during", "x");
  EXPECT_TRUE(target.eventually([&] { return target.seen_.entries.size() == 1; }, seconds(1)));
  EXPECT_EQ(target.on([&] { return target.gossip_->counters().failures; }), 0U);
}

TEST(Gossip, LeavesWithoutSuspicion) {
  Nodes nodes = cluster(3, ring({1}));
  nodes[1]->put("web", "10.0.0.1");
  Node& other = *nodes[0];
  EXPECT_TRUE(other.eventually([&] { return other.seen_.entries.size() == 1; }));
  bool done = false;
  nodes[1]->on([&] {
    nodes[1]->gossip_->leave([&] { done = true; });
    return 0;
  });
  EXPECT_TRUE(nodes[1]->eventually([&] { return done; }, seconds(2)));
  nodes[1]->crash();
  EXPECT_TRUE(other.eventually(
      [&] { return other.seen_.members[nodes[1]->config_.self] == MemberState::kLeft; }));
  EXPECT_TRUE(other.on([&] { return other.seen_.entries.empty(); }));
  EXPECT_EQ(other.on([&] { return other.gossip_->counters().failures; }), 0U);
}

TEST(Gossip, SpeaksIpv6AndBothAtOnce) {
  Nodes nodes = cluster(2, ring({1}), "::1");
  nodes[0]->put("six", "fd00::1");
  EXPECT_TRUE(nodes[1]->eventually([&] { return nodes[1]->seen_.entries.size() == 1; }));

  Seen seen;
  Node any(5, ring({1}));
  any.on([&] {
    any.gossip_.reset();
    any.config_.bind = {Ip::parse("::").value(), 0};
    any.config_.advertise = HostPort{Ip::parse("127.0.0.1").value(), 0};
    return 0;
  });
  any.start(ring({1}));
  Node v4(6, ring({1}));
  const HostPort at = any.on([&] { return any.gossip_->advertised(); });
  v4.on([&] {
    v4.gossip_->set_seeds({at});
    return 0;
  });
  EXPECT_TRUE(any.eventually([&] { return any.alive() == 1; }));
  EXPECT_TRUE(v4.eventually([&] { return v4.alive() == 1; }));
}

TEST(Gossip, RefusesWhatCannotWork) {
  Node taken(1, ring({1}));
  Config config = taken.config_;
  config.self = NodeId(padded("n2"));
  config.bind = taken.bound();
  Seen seen;
  const auto start = [&](const Config& with, const KeyRing& keys) {
    return taken.on([&] {
      auto started = Gossip::start(with, keys, taken.strand_, taken.clock_, taken.rng_, seen);
      return started ? ErrorClass::kInternal : started.error().code;
    });
  };
  EXPECT_EQ(start(config, ring({1})), ErrorClass::kAlreadyExists);
  EXPECT_EQ(start(config, ring({})), ErrorClass::kInvalidArgument);
  EXPECT_EQ(start(config, ring({1, 1})), ErrorClass::kInvalidArgument);
  Config any = config;
  any.bind = {Ip(), 0};
  any.advertise = {};
  EXPECT_EQ(start(any, ring({1})), ErrorClass::kInvalidArgument);
  Config elsewhere = config;
  elsewhere.bind = {Ip::parse("192.0.2.1").value(), 0};
  EXPECT_EQ(start(elsewhere, ring({1})), ErrorClass::kUnavailable);

  taken.on([&] {
    EXPECT_EQ(taken.gossip_->upsert(kNet, "k", {}).error().code, ErrorClass::kConflict);
    taken.gossip_->join_network(kNet);
    EXPECT_EQ(taken.gossip_->upsert(kNet, "", {}).error().code, ErrorClass::kInvalidArgument);
    EXPECT_EQ(taken.gossip_->upsert(kNet, std::string(65, 'k'), {}).error().code,
              ErrorClass::kInvalidArgument);
    EXPECT_EQ(taken.gossip_->upsert(kNet, "k", Bytes(kMaxValueSize + 1)).error().code,
              ErrorClass::kInvalidArgument);
    return 0;
  });
}

}  // namespace
}  // namespace shoal::gossip
