// The path between two nodes gets narrower while they talk, in the kernel: behind a router, which
// says so by ICMP, or on the sender's own link, which refuses at once. Packets must become smaller,
// and everything arrive.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>

#include "base/runtime/system_ports.h"
#include "gossip/driver/gossip.h"
#include "gossip/node/path_probe.h"
#include "tests/netns/lab.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::testing {
namespace {

using gossip::Gossip;
using gossip::MemberInfo;
using gossip::MemberState;

constexpr int kMtu = 1500;
constexpr int kNarrow = 1300;
constexpr size_t kEntries = 60;
// Of chance, so that nothing gets shorter by compression; three entries are a wide packet.
constexpr size_t kValue = 380;

// The UDP packets that come into a namespace: the largest, and whether any came in pieces.
class Sniffer {
 public:
  Sniffer(const vxlan::NamespaceFd& space, Family family) : v4_(family == Family::kV4) {
    const Status entered = vxlan::run_in_namespace(space, [this] {
      fd_ = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(v4_ ? ETH_P_IP : ETH_P_IPV6));
      return ok_status();
    });
    EXPECT_TRUE(entered.ok() && fd_ >= 0);
    constexpr int kBuffer = 16 << 20;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
  }
  ~Sniffer() { close(fd_); }
  Sniffer(const Sniffer&) = delete;

  struct Seen {
    size_t largest = 0;
    size_t wide = 0;  // larger than kNarrow
    bool fragments = false;
  };
  // Since the last call.
  Seen take() {
    Seen seen;
    std::array<uint8_t, 64> start;
    for (ssize_t size; (size = recv(fd_, start.data(), start.size(), MSG_TRUNC)) > 0;) {
      const bool fragment = v4_ ? ((start[6] & 0x3f) | start[7]) != 0 : start[6] == 44;
      const uint8_t protocol = v4_ ? start[9] : start[6];
      if (protocol != IPPROTO_UDP && !fragment) continue;
      seen.largest = std::max(seen.largest, static_cast<size_t>(size));
      seen.wide += size > kNarrow ? 1 : 0;
      seen.fragments = seen.fragments || fragment;
    }
    return seen;
  }

 private:
  bool v4_;
  int fd_ = -1;
};

struct Observed : gossip::Observer {
  std::map<std::string, Bytes> entries;
  bool other = false;  // is alive

  void on_entry(const NetworkId&, const std::string& key, const NodeId&,
                const Bytes& value) override {
    entries[key] = value;
  }
  void on_entry_removed(const NetworkId&, const std::string& key, const NodeId&) override {
    entries.erase(key);
  }
  void on_member(const MemberInfo& member) override { other = member.state == MemberState::kAlive; }
};

const NetworkId kNet(id_text("net", 1));

class Node {
 public:
  Node(int number, const Ip& at, const vxlan::NamespaceFd& space) {
    config_.self = NodeId(id_text("n", number));
    config_.cluster = ClusterId(id_text("cluster", 1));
    config_.bind = {at, 7946};
    config_.epoch = 1000;
    config_.link_mtu = kMtu;
    gossip::KeyRing keys;
    keys.keys.push_back({1, {}});
    strand_.start("gossip-mtu");
    on([&] {
      EXPECT_EQ(setns(space.get(), CLONE_NEWNET), 0);
      gossip_ = Gossip::start(config_, keys, strand_, clock_, rng_, observed_).value();
      gossip_->join_network(kNet);
    });
  }
  ~Node() {
    on([&] { gossip_.reset(); });
    strand_.stop();
  }
  void on(const std::function<void()>& work) {
    strand_.call([&] {
      work();
      return 0;
    });
  }
  bool holds(const std::map<std::string, Bytes>& entries) {
    bool equal = false;
    on([&] { equal = observed_.entries == entries; });
    return equal;
  }
  bool sees_other() {
    bool sees = false;
    on([&] { sees = observed_.other; });
    return sees;
  }
  // New values for all entries, said in one turn.
  std::map<std::string, Bytes> announce() {
    std::map<std::string, Bytes> said;
    on([&] {
      for (size_t i = 0; i < kEntries; ++i) {
        Bytes value(kValue);
        rng_.fill(value);
        EXPECT_TRUE(gossip_->upsert(kNet, "key" + std::to_string(i), value).ok());
        said["key" + std::to_string(i)] = value;
      }
    });
    return said;
  }
  gossip::Counters counters() {
    gossip::Counters counters;
    on([&] { counters = gossip_->counters(); });
    return counters;
  }

  gossip::Config config_;
  Strand strand_;
  SystemClock clock_;
  SystemRng rng_;
  Observed observed_;
  std::unique_ptr<Gossip> gossip_;
};

// Two hosts, and a router between them.
class GossipMtuTest : public ::testing::TestWithParam<Family> {
 protected:
  GossipMtuTest() {
    lab_.in("fabric", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    link("a", "1", "2");
    link("b", "2", "1");
    a_ = std::make_unique<Node>(1, address("1"), lab_.space("a"));
    b_ = std::make_unique<Node>(2, address("2"), lab_.space("b"));
    sniffer_ = std::make_unique<Sniffer>(lab_.space("b"), GetParam());
    a_->on([&] { a_->gossip_->set_seeds({b_->config_.bind}); });
  }
  void link(const std::string& name, const std::string& net, const std::string& other) {
    lab_.add_namespace(name);
    lab_.in("fabric",
            "ip link add r" + name + " type veth peer name eth0 netns " + lab_.path(name));
    lab_.in("fabric", "ip addr add 192.168.9" + net + ".1/24 dev r" + name);
    lab_.in("fabric", "ip addr add fd9" + net + "::1/64 dev r" + name + " nodad");
    lab_.in("fabric", "ip link set r" + name + " up");
    lab_.in(name, "ip addr add 192.168.9" + net + ".2/24 dev eth0");
    lab_.in(name, "ip addr add fd9" + net + "::2/64 dev eth0 nodad");
    lab_.in(name, "ip link set eth0 up");
    lab_.in(name, "ip route add 192.168.9" + other + ".0/24 via 192.168.9" + net + ".1");
    lab_.in(name, "ip route add fd9" + other + "::/64 via fd9" + net + "::1");
  }
  Ip address(const std::string& net) const {
    return ip(v4() ? "192.168.9" + net + ".2" : "fd9" + net + "::2");
  }
  bool v4() const { return GetParam() == Family::kV4; }
  void set_mtu(const std::string& name, int mtu) {
    lab_.in("fabric", "ip link set r" + name + " mtu " + std::to_string(mtu));
    lab_.in(name, "ip link set eth0 mtu " + std::to_string(mtu));
  }
  // All that A says now is at B, and how it came there.
  Sniffer::Seen round() {
    sniffer_->take();
    const auto said = a_->announce();
    EXPECT_TRUE(eventually([&] { return b_->holds(said); }));
    return sniffer_->take();
  }
  // A has found out that packets of the link's size arrive.
  void widen() {
    EXPECT_TRUE(eventually([&] { return a_->sees_other() && b_->sees_other(); }));
    EXPECT_TRUE(eventually([&] { return round().wide > 3; }));  // more than the ping that asks
  }
  void expect_nobody_missed() {
    for (Node* node : {a_.get(), b_.get()}) {
      EXPECT_EQ(node->counters().suspicions, 0U);
      EXPECT_EQ(node->counters().failures, 0U);
      EXPECT_TRUE(node->sees_other());
    }
  }
  // Bytes of a packet of the safe size, with its headers.
  size_t safe() const { return gossip::kSafeDatagram + (v4() ? 28 : 48); }

  Lab lab_{0};
  std::unique_ptr<Node> a_;
  std::unique_ptr<Node> b_;
  std::unique_ptr<Sniffer> sniffer_;
};

TEST_P(GossipMtuTest, ARouterThatSaysSoMakesPacketsSmaller) {
  widen();
  set_mtu("b", kNarrow);
  EXPECT_EQ(round().wide, 0U);
  // The first packet told the kernel, the next one was refused by it, and A knows.
  const Sniffer::Seen seen = round();
  EXPECT_LE(seen.largest, safe());
  EXPECT_GT(seen.largest, 900U) << "packets are still filled";
  EXPECT_FALSE(seen.fragments);
  const uint64_t failed = a_->counters().sends_failed;
  EXPECT_GT(failed, 0U);
  round();
  EXPECT_EQ(a_->counters().sends_failed, failed) << "and asks for no more than the path carries";
  expect_nobody_missed();
}

TEST_P(GossipMtuTest, ALinkThatRefusesMakesPacketsSmaller) {
  widen();
  set_mtu("a", kNarrow);
  const Sniffer::Seen first = round();
  EXPECT_EQ(first.wide, 0U);
  EXPECT_GT(a_->counters().sends_failed, 0U);
  const Sniffer::Seen seen = round();
  EXPECT_LE(seen.largest, safe());
  EXPECT_GT(seen.largest, 900U);
  EXPECT_FALSE(seen.fragments);
  expect_nobody_missed();
}

// Narrower than what every path carries, as no IPv6 path may be: only fragments get through.
using GossipNarrowTest = GossipMtuTest;
TEST_P(GossipNarrowTest, BelowTheSafeSizePacketsAreFragmented) {
  widen();
  set_mtu("b", 1000);
  round();
  const Sniffer::Seen seen = round();
  EXPECT_TRUE(seen.fragments);
  EXPECT_LE(seen.largest, 1000U);
  expect_nobody_missed();
}

INSTANTIATE_TEST_SUITE_P(Narrow, GossipNarrowTest, ::testing::Values(Family::kV4));
INSTANTIATE_TEST_SUITE_P(BothFamilies, GossipMtuTest, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& family) {
                           return family.param == Family::kV4 ? "IPv4" : "IPv6";
                         });

}  // namespace
}  // namespace shoal::testing
