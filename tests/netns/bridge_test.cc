// Bridges of one host in a real kernel: who reaches whom in both families, what is repaired, what
// is left alone.
#include <algorithm>
#include <future>
#include <mutex>

#include "base/runtime/files.h"
#include "tests/netns/lab.h"
#include "tests/netns/probe.h"
#include "vxlan/netlink/namespace.h"
#include "worker/drivers/driver.h"
#include "worker/hostnet/host_plane.h"

namespace shoal::testing {
namespace {

using worker::HostPass;
using worker::HostPlane;
using worker::HostState;

constexpr std::chrono::milliseconds kNotReached{300};  // a local answer takes well under one

// Host h1 with bridges; h2 is the world outside.
class Bridges : public ::testing::Test {
 protected:
  Bridges() : lab_(2) {
    // As on a fresh machine; the lab's host inherits what the real one has.
    for (const char* key : {"net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"}) {
      lab_.in("h1", std::string("sysctl -qw ") + key);
    }
    start();
  }

  void start() {
    worker::HostPlaneOptions options;
    options.run_dir = lab_.run_dir(1);
    options.host_namespace = lab_.path("h1");
    options.full_pass_interval = std::chrono::milliseconds(500);
    options.on_endpoint_departed = [this](const EndpointId& id) {
      const std::lock_guard lock(mutex_);
      departed_.insert(id);
    };
    auto plane = HostPlane::start(std::move(options));
    ASSERT_TRUE(plane.ok()) << plane.error().message;
    plane_ = std::move(*plane);
  }

  manager::Network& add_network(int number, bool internal = false,
                                std::map<std::string, std::string> options = {}) {
    manager::Network network;
    const std::string digit = std::to_string(number);
    network.id = NetworkId(id_text("net" + digit, number));
    network.spec.name = "n" + digit;
    network.spec.driver = "bridge";
    network.spec.internal = internal;
    network.spec.options = std::move(options);
    const std::string v4 = "172.2" + digit + ".0.";
    const std::string v6 = "fd00:" + digit + "::";
    network.subnets = {{prefix(v4 + "0/16"), ip(v4 + "1"), {}, {}, {}},
                       {prefix(v6 + "/64"), ip(v6 + "1"), {}, {}, {}}};
    return networks_[number] = std::move(network);
  }

  // Endpoint `number` on a network: 172.2<network>.0.<number>, fd00:<network>::<number>.
  void add_endpoint(int number, int network) {
    worker::Placement placement;
    placement.id = EndpointId(id_text("end" + std::to_string(number), network));
    placement.mac = Mac({2, 0, 0, 0, static_cast<uint8_t>(network), static_cast<uint8_t>(number)});
    placement.addresses = {{v4(number, network), 16}, {v6(number, network), 64}};
    const std::string space = "e" + std::to_string(number);
    placement.gateway = !spaces_.contains(space);
    if (!spaces_.contains(space)) spaces_[space] = lab_.add_namespace(space);
    worker::HostEndpoint endpoint;
    endpoint.desired = driver().endpoint(networks_.at(network), placement);
    endpoint.space.path = spaces_.at(space);
    state_.endpoints.push_back(std::make_shared<const worker::HostEndpoint>(endpoint));
    std::sort(state_.endpoints.begin(), state_.endpoints.end(),
              [](const auto& a, const auto& b) { return a->desired.id < b->desired.id; });
  }
  // The only endpoint leaves.
  EndpointId depart() {
    const worker::HostEndpoint left = *state_.endpoints.at(0);
    state_.departed = {{left.desired.id, NetworkId(), left.space}};
    state_.endpoints.clear();
    return left.desired.id;
  }
  bool has_departed(const EndpointId& id) {
    const std::lock_guard lock(mutex_);
    return departed_.contains(id);
  }
  Result<worker::NamespaceRef> check(const std::string& path) {
    worker::NamespaceRef ref;
    ref.path = path;
    std::promise<Result<worker::NamespaceRef>> promise;
    plane_->check_namespace(ref, "", [&](Result<worker::NamespaceRef> checked) {
      promise.set_value(std::move(checked));
    });
    return promise.get_future().get();
  }

  HostPass apply() {
    worker::HostNetworks networks;
    for (const auto& [number, network] : networks_) networks.push_back(driver().network(network));
    state_.networks = std::make_shared<const worker::HostNetworks>(std::move(networks));
    auto promise = std::make_shared<std::promise<HostPass>>();
    plane_->set_state(state_, [promise](HostPass pass) { promise->set_value(std::move(pass)); });
    HostPass pass = promise->get_future().get();
    for (const Error& error : pass.problems) ADD_FAILURE() << error.message;
    for (const auto& [id, error] : pass.endpoint_errors) ADD_FAILURE() << error.message;
    return pass;
  }

  bool reaches(int from, const Ip& to, std::chrono::milliseconds timeout = kProbeTimeout) {
    return ping(lab_.space("e" + std::to_string(from)), to, 84, timeout);
  }
  bool reaches_both(int from, int to, int network) {
    return reaches(from, v4(to, network)) && reaches(from, v6(to, network));
  }
  bool reaches_neither(int from, int to, int network) {
    return !reaches(from, v4(to, network), kNotReached) &&
           !reaches(from, v6(to, network), kNotReached);
  }
  std::string picture() {
    std::string text;
    for (const char* command :
         {"ip -o link", "ip -o addr", "ip route", "ip -6 route", "nft list ruleset",
          "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding"}) {
      text += lab_.in("h1", command);
    }
    // An address that the kernel still tests for others who have it.
    for (size_t at = 0; (at = text.find(" tentative", at)) != std::string::npos;)
      text.erase(at, 10);
    return text;
  }

  static const worker::Driver& driver() { return *worker::find_driver("bridge"); }
  static Ip v4(int number, int network) {
    return ip("172.2" + std::to_string(network) + ".0." + std::to_string(number));
  }
  static Ip v6(int number, int network) {
    return ip("fd00:" + std::to_string(network) + "::" + std::to_string(number));
  }
  std::string bridge(int network) { return vxlan::bridge_name(networks_.at(network).id); }

  Lab lab_;
  std::unique_ptr<HostPlane> plane_;
  std::map<int, manager::Network> networks_;
  std::map<std::string, std::string> spaces_;
  HostState state_;
  std::mutex mutex_;  // guards departed_
  std::set<EndpointId> departed_;
};

TEST_F(Bridges, EndpointsReachEachOtherTheGatewayAndTheWorld) {
  add_network(1);
  add_endpoint(2, 1);
  add_endpoint(3, 1);
  const HostPass pass = apply();
  EXPECT_EQ(pass.attached.size(), 2U);
  EXPECT_TRUE(reaches_both(2, 3, 1));
  EXPECT_TRUE(reaches_both(2, 1, 1)) << "the gateway";
  // The other host has no way back: it answers because it is asked under the host's own address.
  EXPECT_TRUE(reaches(2, ip("192.168.90.12")));
  EXPECT_TRUE(reaches(2, ip("fd90::12")));
}

TEST_F(Bridges, AnotherBridgeIsNotReachedUntilOneIsOnBoth) {
  add_network(1);
  add_network(2);
  add_endpoint(2, 1);
  add_endpoint(3, 2);
  apply();
  EXPECT_TRUE(reaches_neither(2, 3, 2));
  EXPECT_TRUE(reaches_neither(3, 2, 1));
  add_endpoint(3, 1);
  apply();
  EXPECT_TRUE(reaches_both(2, 3, 1));
  EXPECT_TRUE(reaches_neither(2, 3, 2));
}

TEST_F(Bridges, OutsideDoesNotReachWhatIsNotPublished) {
  add_network(1);
  add_endpoint(2, 1);
  apply();
  lab_.in("h2", "ip route add 172.21.0.0/16 via 192.168.90.11");
  lab_.in("h2", "ip -6 route add fd00:1::/64 via fd90::11");
  EXPECT_FALSE(ping(lab_.space("h2"), v4(2, 1), 84, kNotReached));
  EXPECT_FALSE(ping(lab_.space("h2"), v6(2, 1), 84, kNotReached));
  EXPECT_TRUE(ping(lab_.space("h1"), v4(2, 1))) << "the host itself does";
}

TEST_F(Bridges, InternalHasNoWayOutAndIccOffKeepsPortsApart) {
  add_network(1, true);
  add_network(2, false, {{"com.docker.network.bridge.enable_icc", "false"}});
  add_endpoint(2, 1);
  add_endpoint(3, 1);
  add_endpoint(4, 2);
  add_endpoint(5, 2);
  apply();
  EXPECT_TRUE(reaches_both(2, 3, 1));
  EXPECT_TRUE(reaches_both(2, 1, 1)) << "the host";
  lab_.in("e2", "ip route add default via 172.21.0.1");
  lab_.in("e2", "ip -6 route add default via fd00:1::1");
  EXPECT_FALSE(reaches(2, ip("192.168.90.12"), kNotReached));
  EXPECT_FALSE(reaches(2, ip("fd90::12"), kNotReached));
  EXPECT_TRUE(reaches_neither(4, 5, 2));
  EXPECT_TRUE(reaches(4, ip("192.168.90.12")));
}

TEST_F(Bridges, TheHostForwardsNothingItDidNotForwardBefore) {
  lab_.add_namespace("x");
  lab_.in("x", "ip link add eth0 type veth peer name tox netns " + lab_.path("h1"));
  lab_.in("x", "ip addr add 203.0.113.2/24 dev eth0");
  lab_.in("x", "ip link set eth0 up");
  lab_.in("x", "ip route add default via 203.0.113.1");
  lab_.in("h1", "ip addr add 203.0.113.1/24 dev tox");
  lab_.in("h1", "ip link set tox up");
  lab_.in("h2", "ip route add 203.0.113.0/24 via 192.168.90.11");
  add_network(1);
  add_endpoint(2, 1);
  apply();
  EXPECT_TRUE(reaches(2, ip("192.168.90.12")));
  EXPECT_FALSE(ping(lab_.space("x"), ip("192.168.90.12"), 84, kNotReached));
  // Where the host is a router already, it stays one.
  networks_.clear();
  state_.endpoints.clear();
  apply();
  EXPECT_EQ(lab_.in("h1", "sysctl -n net.ipv4.ip_forward"), "0\n");
  lab_.in("h1", "sysctl -qw net.ipv4.ip_forward=1");
  add_network(1);
  apply();
  EXPECT_TRUE(ping(lab_.space("x"), ip("192.168.90.12")));
  networks_.clear();
  apply();
  EXPECT_EQ(lab_.in("h1", "sysctl -n net.ipv4.ip_forward"), "1\n");
}

TEST_F(Bridges, DamageIsRepaired) {
  add_network(1);
  add_network(2);
  add_endpoint(2, 1);
  add_endpoint(3, 1);
  add_endpoint(4, 2);
  apply();
  const std::string port = vxlan::port_name(state_.endpoints[0]->desired.id);
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"h1", "ip link del " + bridge(1)},
      {"h1", "ip link set " + bridge(1) + " down"},
      {"h1", "ip addr flush dev " + bridge(1)},
      {"h1", "ip link set " + port + " nomaster"},
      {"h1", "ip link del " + port},
      {"h1", "nft delete table inet shoal"},
      {"h1", "nft flush chain inet shoal postrouting"},
      {"h1", "sysctl -qw net.ipv4.ip_forward=0"},
      {"e2", "ip route del default"},
      {"e2", "ip addr flush dev eth0"}};
  const Ip outside4 = ip("192.168.90.12");
  const Ip outside6 = ip("fd90::12");
  for (const auto& [space, damage] : damages) {
    SCOPED_TRACE(damage);
    lab_.in(space, damage);
    EXPECT_TRUE(eventually([&] {
      return reaches_both(2, 3, 1) && reaches(2, outside4) && reaches(2, outside6) &&
             reaches_neither(2, 4, 2) &&
             try_sh("nsenter --net=" + lab_.path("h1") + " nft list table inet shoal");
    }));
  }
}

TEST_F(Bridges, ANewPlaneAdoptsWhatItFindsWhileTrafficFlows) {
  add_network(1);
  add_endpoint(2, 1);
  add_endpoint(3, 1);
  apply();
  TcpFlow v4_flow(lab_.space("e2"), lab_.space("e3"), v4(3, 1));
  TcpFlow v6_flow(lab_.space("e2"), lab_.space("e3"), v6(3, 1), 8);
  TcpFlow out(lab_.space("e2"), lab_.space("h2"), ip("192.168.90.12"), 9);
  EXPECT_TRUE(out.carry(1000));
  plane_.reset();
  EXPECT_TRUE(v4_flow.carry(100'000));
  start();
  const HostPass pass = apply();
  EXPECT_LE(pass.ops, 1U) << "the table is replaced by its like";
  EXPECT_TRUE(v4_flow.carry(100'000));
  EXPECT_TRUE(v6_flow.carry(100'000));
  EXPECT_TRUE(out.carry(100'000)) << "also through the replaced table";
}

TEST_F(Bridges, NothingOfOthersIsTouchedAndNothingIsLeft) {
  lab_.in("h1", "ip link add docker0 type bridge");
  lab_.in("h1", "ip link add br-0123456789ab type bridge");
  lab_.in("h1", "nft add table inet firewalld");
  lab_.in("h1", "nft add chain inet firewalld forward '{ type filter hook forward priority 10; }'");
  lab_.add_namespace("e2");
  spaces_["e2"] = lab_.path("e2");
  const std::string before = picture();
  add_network(1);
  add_network(2, true);
  add_endpoint(2, 1);
  apply();
  EXPECT_NE(picture(), before);
  // As a process does that knows of it only from its file.
  plane_.reset();
  start();
  networks_.clear();
  const EndpointId left = depart();
  apply();
  EXPECT_TRUE(eventually([&] { return has_departed(left); }));
  EXPECT_EQ(picture(), before);
  EXPECT_EQ(lab_.in("e2", "ip -o link show type veth"), "");
}

// The answer does not wait for it, and who comes meanwhile keeps its rules.
TEST_F(Bridges, TheRulesForDnsGoAfterwardsUnlessTheyAreNeededAgain) {
  const auto has_rules = [&] {
    return try_sh("nsenter --net=" + spaces_.at("e2") + " nft list table ip shoal-dns");
  };
  add_network(1);
  const auto add = [&](uint16_t dns_port) {
    add_endpoint(2, 1);
    worker::HostEndpoint endpoint = *state_.endpoints[0];
    endpoint.dns_port = dns_port;
    state_.endpoints[0] = std::make_shared<const worker::HostEndpoint>(endpoint);
    state_.departed.clear();
    apply();
  };
  add(5301);
  EXPECT_TRUE(has_rules());
  EndpointId left = depart();
  apply();
  EXPECT_TRUE(eventually([&] { return has_departed(left) && !has_rules(); }));
  for (uint16_t round = 0; round < 5; ++round) {
    add(static_cast<uint16_t>(5302 + round));
    const std::string rules = lab_.in("e2", "nft list table ip shoal-dns");
    EXPECT_NE(rules.find(std::to_string(5302 + round)), std::string::npos) << rules;
    left = depart();
    apply();
  }
  EXPECT_TRUE(eventually([&] { return has_departed(left) && !has_rules(); }));
  // As after a crash between the answer and the clean-up.
  add(5310);
  plane_.reset();
  departed_.clear();
  start();
  left = depart();
  apply();
  EXPECT_TRUE(eventually([&] { return has_departed(left) && !has_rules(); }));
}

TEST_F(Bridges, AnOverlaysOwnNamespaceIsRefused) {
  const std::string path = lab_.run_dir(1) + "/netns/shoal-0123456789ab";
  ASSERT_TRUE(make_directories(lab_.run_dir(1) + "/netns").ok());
  ASSERT_TRUE(vxlan::create_namespace(path).ok());
  const auto checked = check(path);
  EXPECT_TRUE(vxlan::delete_namespace(path).ok());
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code, ErrorClass::kInvalidArgument);
  lab_.add_namespace("e2");
  EXPECT_TRUE(check(lab_.path("e2")).ok());
}

TEST_F(Bridges, ANameThatIsTakenIsTheNetworksErrorAndNobodyElses) {
  lab_.in("h1", "ip link add front0 type bridge");
  add_network(1, false, {{"com.docker.network.bridge.name", "front0"}});
  add_network(2);
  add_endpoint(4, 2);
  const HostPass pass = apply();
  ASSERT_EQ(pass.network_errors.size(), 1U);
  EXPECT_EQ(pass.network_errors.begin()->second.code, ErrorClass::kAlreadyExists);
  EXPECT_TRUE(reaches_both(4, 1, 2));
}

}  // namespace
}  // namespace shoal::testing
