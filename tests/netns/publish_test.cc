// Published ports in a real kernel: who reaches an endpoint through the host and who does not, in
// both families; what it costs, what is repaired, what is left alone.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <future>

#include "tests/netns/lab.h"
#include "tests/netns/probe.h"
#include "worker/drivers/driver.h"
#include "worker/hostnet/host_plane.h"

namespace shoal::testing {
namespace {

using vxlan::PortForward;
using worker::HostPass;
using worker::HostPlane;

constexpr std::chrono::milliseconds kNotReached{300};  // a local answer takes well under one

socklen_t fill(sockaddr_storage& out, const Ip& ip, uint16_t port) {
  if (ip.is_v6()) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(out);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, ip.bytes().data(), 16);
    return sizeof in6;
  }
  auto& in = reinterpret_cast<sockaddr_in&>(out);
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  std::memcpy(&in.sin_addr, ip.bytes().data(), 4);
  return sizeof in;
}

vxlan::UniqueFd open_in(const vxlan::NamespaceFd& space, int family, int type) {
  vxlan::UniqueFd fd;
  const Status opened = vxlan::run_in_namespace(space, [&]() -> Status {
    fd = vxlan::UniqueFd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return ok_status();
  });
  EXPECT_TRUE(opened.ok() && fd.valid());
  return fd;
}

bool ready(const vxlan::UniqueFd& fd, short events, std::chrono::milliseconds timeout) {
  pollfd waited{fd.get(), events, 0};
  return poll(&waited, 1, static_cast<int>(timeout.count())) == 1 && (waited.revents & events) != 0;
}

// Both families' port of a namespace.
class Server {
 public:
  Server(const vxlan::NamespaceFd& space, uint16_t port)
      : tcp_(open_in(space, AF_INET6, SOCK_STREAM)), udp_(open_in(space, AF_INET6, SOCK_DGRAM)) {
    for (const auto* fd : {&tcp_, &udp_}) {
      sockaddr_storage address{};
      const socklen_t size = fill(address, Ip::v6({}), port);
      const auto* raw = reinterpret_cast<const sockaddr*>(&address);
      EXPECT_EQ(bind(fd->get(), raw, size), 0) << strerror(errno);
    }
    EXPECT_EQ(listen(tcp_.get(), 64), 0);
  }

  // A connection that was made arrives here, and not at another.
  bool answers_tcp(const vxlan::NamespaceFd& from, const Ip& to, uint16_t port,
                   std::chrono::milliseconds timeout = kProbeTimeout) {
    const vxlan::UniqueFd client = open_in(from, to.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM);
    sockaddr_storage address{};
    const socklen_t size = fill(address, to, port);
    const int done = connect(client.get(), reinterpret_cast<const sockaddr*>(&address), size);
    if (done != 0 && errno != EINPROGRESS) return false;
    if (!ready(client, POLLOUT, timeout)) return false;
    int error = 0;
    socklen_t error_size = sizeof error;
    getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0 || !ready(tcp_, POLLIN, timeout)) return false;
    const vxlan::UniqueFd taken(accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return taken.valid();
  }

  bool answers_udp(const vxlan::UniqueFd& client, const Ip& to, uint16_t port,
                   std::chrono::milliseconds timeout = kProbeTimeout) {
    sockaddr_storage address{};
    const socklen_t size = fill(address, to, port);
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    if (sendto(client.get(), "x", 1, 0, raw, size) != 1) return false;
    if (!ready(udp_, POLLIN, timeout)) return false;
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    auto* peer_raw = reinterpret_cast<sockaddr*>(&peer);
    char byte = 0;
    if (recvfrom(udp_.get(), &byte, 1, 0, peer_raw, &peer_size) != 1) return false;
    if (sendto(udp_.get(), "y", 1, 0, peer_raw, peer_size) != 1) return false;
    return ready(client, POLLIN, timeout) && recv(client.get(), &byte, 1, 0) == 1 && byte == 'y';
  }
  bool answers_udp(const vxlan::NamespaceFd& from, const Ip& to, uint16_t port,
                   std::chrono::milliseconds timeout = kProbeTimeout) {
    return answers_udp(open_in(from, to.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM), to, port,
                       timeout);
  }
  bool answers(const vxlan::NamespaceFd& from, const Ip& to, uint16_t port) {
    return answers_tcp(from, to, port) && answers_udp(from, to, port);
  }
  bool is_silent(const vxlan::NamespaceFd& from, const Ip& to, uint16_t port) {
    return !answers_tcp(from, to, port, kNotReached) && !answers_udp(from, to, port, kNotReached);
  }

 private:
  vxlan::UniqueFd tcp_;
  vxlan::UniqueFd udp_;
};

// Host h1 with bridge 1 (endpoints 2 and 3) and bridge 2 (endpoint 4); h2 is the world outside.
class Published : public ::testing::Test {
 protected:
  Published() : lab_(2) {
    lab_.in("h1", "ip link set lo up");
    start();
    for (const auto& [number, network] : {std::pair(2, 1), {3, 1}, {4, 2}}) add(number, network);
    apply();
    // Until then the kernel asks for no neighbour on behalf of what it forwards.
    EXPECT_TRUE(eventually([&] { return lab_.in("h1", "ip -6 -o addr show tentative").empty(); }));
  }

  void start() {
    worker::HostPlaneOptions options;
    options.run_dir = lab_.run_dir(1);
    options.host_namespace = lab_.path("h1");
    options.full_pass_interval = std::chrono::milliseconds(500);
    options.on_problems = [this](std::vector<std::string> problems) {
      const std::lock_guard lock(mutex_);
      problems_ = std::move(problems);
    };
    auto plane = HostPlane::start(std::move(options));
    ASSERT_TRUE(plane.ok()) << plane.error().message;
    plane_ = std::move(*plane);
  }

  void add(int number, int network_number) {
    manager::Network network;
    const std::string digit = std::to_string(network_number);
    network.id = NetworkId(id_text("net" + digit, network_number));
    network.spec.driver = "bridge";
    const std::string v4 = "172.2" + digit + ".0.";
    const std::string v6 = "fd00:" + digit + "::";
    network.subnets = {{prefix(v4 + "0/16"), ip(v4 + "1"), {}, {}, {}},
                       {prefix(v6 + "/64"), ip(v6 + "1"), {}, {}, {}}};
    const worker::Driver& driver = *worker::find_driver("bridge");
    networks_[network_number] = driver.network(network);
    worker::Placement placement;
    placement.id = EndpointId(id_text("end" + std::to_string(number), network_number));
    const auto last = static_cast<uint8_t>(number);
    placement.mac = Mac({2, 0, 0, 0, static_cast<uint8_t>(network_number), last});
    placement.addresses = {{ip(v4 + std::to_string(number)), 16},
                           {ip(v6 + std::to_string(number)), 64}};
    placement.gateway = true;
    placement.published = true;
    worker::HostEndpoint& endpoint = endpoints_[number];
    endpoint.desired = driver.endpoint(network, placement);
    endpoint.space.path = lab_.add_namespace("e" + std::to_string(number));
  }

  // Ports `first` to `last` of `host` lead to endpoint `number`, TCP and UDP.
  void publish(int number, const std::string& host, uint16_t first, uint16_t last,
               uint16_t to_first) {
    worker::HostEndpoint& endpoint = endpoints_.at(number);
    const Ip at = ip(host);
    const Ip to = endpoint.desired.addresses.at(at.is_v4() ? 0 : 1).ip;
    for (const uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
      endpoint.ports.push_back({protocol, at, first, last, to, to_first});
    }
  }
  void publish_everywhere(int number, uint16_t port, uint16_t to) {
    publish(number, "0.0.0.0", port, port, to);
    publish(number, "::", port, port, to);
  }

  HostPass apply() {
    worker::HostState state;
    worker::HostNetworks networks;
    for (const auto& [number, network] : networks_) networks.push_back(network);
    state.networks = std::make_shared<const worker::HostNetworks>(std::move(networks));
    std::map<EndpointId, std::shared_ptr<const worker::HostEndpoint>> sorted;
    for (const auto& [number, endpoint] : endpoints_) {
      auto& kept = shared_[number];
      if (!kept || *kept != endpoint) kept = std::make_shared<const worker::HostEndpoint>(endpoint);
      sorted[endpoint.desired.id] = kept;
    }
    for (const auto& [id, endpoint] : sorted) state.endpoints.push_back(endpoint);
    auto promise = std::make_shared<std::promise<HostPass>>();
    plane_->set_state(std::move(state),
                      [promise](HostPass pass) { promise->set_value(std::move(pass)); });
    HostPass pass = promise->get_future().get();
    for (const std::string& failure : pass.failures()) ADD_FAILURE() << failure;
    return pass;
  }

  const vxlan::NamespaceFd& space(const std::string& name) { return lab_.space(name); }
  std::string picture() {
    return lab_.in("h1", "nft list ruleset") +
           lab_.in("h1", "sysctl -a -r route_localnet 2>/dev/null");
  }
  std::vector<std::string> problems() {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

  Lab lab_;
  std::mutex mutex_;
  std::vector<std::string> problems_;
  std::map<int, vxlan::DesiredHostNetwork> networks_;
  std::map<int, worker::HostEndpoint> endpoints_;
  std::map<int, std::shared_ptr<const worker::HostEndpoint>> shared_;
  std::unique_ptr<HostPlane> plane_;
};

const std::vector<std::string> kHostAddresses = {"192.168.90.11", "fd90::11", "172.21.0.1",
                                                 "fd00:1::1"};

TEST_F(Published, EverybodyReachesIt) {
  Server web(space("e2"), 80);
  publish_everywhere(2, 8080, 80);
  apply();
  for (const char* from : {"h1", "h2", "e2", "e3", "e4"}) {
    for (const std::string& to : kHostAddresses) {
      // What is another's bridge to a host outside, it does not route.
      if (std::string(from) == "h2" && to.find("90") == to.npos) continue;
      EXPECT_TRUE(web.answers_tcp(space(from), ip(to), 8080)) << from << " tcp " << to;
      EXPECT_TRUE(web.answers_udp(space(from), ip(to), 8080)) << from << " udp " << to;
    }
  }
  EXPECT_TRUE(web.answers(space("h1"), ip("127.0.0.1"), 8080));
  EXPECT_TRUE(web.is_silent(space("h2"), ip("192.168.90.11"), 80)) << "the endpoint's own port";
}

TEST_F(Published, WhatIsNoLongerPublishedStopsAnswering) {
  Server web(space("e2"), 80);
  publish_everywhere(2, 8080, 80);
  apply();
  // A flow of UDP that goes on is no reason to go on.
  const vxlan::UniqueFd flow = open_in(space("h2"), AF_INET, SOCK_DGRAM);
  EXPECT_TRUE(web.answers_udp(flow, ip("192.168.90.11"), 8080));
  endpoints_.at(2).ports.clear();
  apply();
  EXPECT_FALSE(web.answers_udp(flow, ip("192.168.90.11"), 8080, kNotReached));
  for (const std::string& to : kHostAddresses) {
    EXPECT_TRUE(web.is_silent(space("h1"), ip(to), 8080)) << to;
  }
  EXPECT_TRUE(web.is_silent(space("h2"), ip("192.168.90.11"), 8080));
  EXPECT_EQ(lab_.in("h1", "nft list tables").find("shoal-ports"), std::string::npos);
  // The next that is published there is the one that answers.
  Server other(space("e3"), 80);
  publish_everywhere(3, 8080, 80);
  apply();
  EXPECT_TRUE(other.answers_udp(flow, ip("192.168.90.11"), 8080));
}

TEST_F(Published, AnAddressIsThatAddressAlone) {
  Server here(space("e2"), 80);
  Server there(space("e3"), 80);
  publish(2, "127.0.0.1", 8080, 8080, 80);
  publish(3, "192.168.90.11", 8080, 8080, 80);
  publish(3, "fd90::11", 8080, 8080, 80);
  apply();
  EXPECT_TRUE(here.answers(space("h1"), ip("127.0.0.1"), 8080));
  EXPECT_TRUE(there.answers(space("h1"), ip("192.168.90.11"), 8080));
  EXPECT_TRUE(there.answers(space("h2"), ip("192.168.90.11"), 8080));
  EXPECT_TRUE(there.answers(space("h2"), ip("fd90::11"), 8080));
  EXPECT_TRUE(here.is_silent(space("h1"), ip("172.21.0.1"), 8080));
  EXPECT_TRUE(there.is_silent(space("h1"), ip("fd00:1::1"), 8080));
}

TEST_F(Published, NeighboursDoNotReachTheHostsLoopback) {
  Server web(space("e2"), 80);
  Server secret(space("h1"), 9999);
  publish(2, "127.0.0.1", 8080, 8080, 80);
  apply();
  ASSERT_TRUE(web.answers_tcp(space("h1"), ip("127.0.0.1"), 8080));
  // A neighbour that sends what is addressed to 127.0.0.1 to this host; endpoints too.
  lab_.in("h2", "ip route add 127.0.0.0/8 via 192.168.90.11");
  EXPECT_TRUE(web.is_silent(space("h2"), ip("127.0.0.1"), 8080));
  EXPECT_TRUE(secret.is_silent(space("h2"), ip("127.0.0.1"), 9999));
  for (const char* from : {"e2", "e3", "e4"}) {
    EXPECT_TRUE(secret.is_silent(space(from), ip("127.0.0.1"), 9999)) << from;
    EXPECT_TRUE(web.is_silent(space(from), ip("127.0.0.1"), 8080)) << from;
  }
  EXPECT_EQ(lab_.in("h1", "sysctl -n net.ipv4.conf.eth0.route_localnet"), "0\n");
  const std::string bridge2 = networks_.at(2).bridge.name;
  EXPECT_EQ(lab_.in("h1", "cat /proc/sys/net/ipv4/conf/" + bridge2 + "/route_localnet"), "0\n");
}

TEST_F(Published, ARangeIsOneElement) {
  Server low(space("e2"), 9000);
  Server high(space("e2"), 9999);
  Server shifted(space("e3"), 7009);
  publish(2, "0.0.0.0", 9000, 9999, 9000);
  publish(2, "::", 9000, 9999, 9000);
  publish(3, "192.168.90.11", 8000, 8009, 7000);
  apply();
  for (const char* to : {"192.168.90.11", "fd90::11"}) {
    EXPECT_TRUE(low.answers(space("h2"), ip(to), 9000)) << to;
    EXPECT_TRUE(high.answers(space("h2"), ip(to), 9999)) << to;
    EXPECT_TRUE(high.is_silent(space("h2"), ip(to), 10000)) << to;
  }
  EXPECT_TRUE(high.answers(space("h1"), ip("127.0.0.1"), 9999));
  EXPECT_TRUE(high.answers(space("e3"), ip("192.168.90.11"), 9999));
  EXPECT_TRUE(shifted.answers(space("h2"), ip("192.168.90.11"), 8009));
  const std::string listed = lab_.in("h1", "nft list map inet shoal-ports range4");
  EXPECT_NE(listed.find("tcp . 9000-9999"), std::string::npos) << listed;
  EXPECT_EQ(std::count(listed.begin(), listed.end(), '-'), 3) << listed;  // and the table's name
}

TEST_F(Published, OneMoreBesideAThousandCostsTheSame) {
  const auto cost = [&](int number, uint16_t first) {
    Duration best = std::chrono::hours(1);
    for (uint16_t i = 0; i < 20; ++i) {
      publish_everywhere(number, static_cast<uint16_t>(first + i), 80);
      const auto start = std::chrono::steady_clock::now();
      apply();
      best = std::min<Duration>(best, std::chrono::steady_clock::now() - start);
    }
    return best;
  };
  Server web(space("e4"), 80);
  publish_everywhere(3, 1, 80);
  apply();
  const Duration few = cost(4, 20000);
  // Each endpoint has its own: what is told of one is that one's.
  for (uint16_t port = 1000; port < 2000; ++port) publish_everywhere(2, port, 80);
  apply();
  endpoints_.at(4).ports.clear();
  const Duration many = cost(4, 30000);
  RecordProperty("few_us", static_cast<int>(few.count() / 1000));
  RecordProperty("many_us", static_cast<int>(many.count() / 1000));
  EXPECT_LE(static_cast<double>(many.count()), 1.5 * static_cast<double>(few.count()) + 5e5)
      << few.count() / 1000 << " us, and " << many.count() / 1000;
  EXPECT_TRUE(web.answers(space("h2"), ip("192.168.90.11"), 30019));
}

TEST_F(Published, TheUsersOwnDropStands) {
  Server web(space("e2"), 80);
  publish_everywhere(2, 8080, 80);
  apply();
  lab_.in("h1", "nft add rule inet shoal-user forward ip saddr 192.168.90.12 drop");
  EXPECT_TRUE(web.is_silent(space("h2"), ip("192.168.90.11"), 8080));
  EXPECT_TRUE(web.answers(space("e3"), ip("192.168.90.11"), 8080));
  endpoints_.at(2).ports.clear();
  publish_everywhere(2, 8081, 80);
  apply();
  EXPECT_TRUE(web.is_silent(space("h2"), ip("192.168.90.11"), 8081));
  networks_.clear();
  endpoints_.clear();
  apply();
  EXPECT_NE(lab_.in("h1", "nft list ruleset").find("drop"), std::string::npos) << "it stays";
}

TEST_F(Published, DamageIsRepaired) {
  Server web(space("e2"), 80);
  publish_everywhere(2, 8080, 80);
  publish(2, "0.0.0.0", 9000, 9099, 9000);
  apply();
  for (const char* damage :
       {"nft delete table inet shoal-ports", "nft flush map inet shoal-ports port4",
        "nft flush chain inet shoal-ports prerouting", "nft delete table inet shoal",
        "nft add element inet shoal-ports port4 '{ tcp . 99 : 172.21.0.2 . 80 }'"}) {
    SCOPED_TRACE(damage);
    lab_.in("h1", damage);
    EXPECT_TRUE(eventually([&] {
      return web.answers_tcp(space("h2"), ip("192.168.90.11"), 8080) &&
             lab_.in("h1", "nft list table inet shoal-ports").find(". 99 :") == std::string::npos;
    }));
  }
}

TEST_F(Published, ANewPlaneGoesOnWhileTrafficFlows) {
  publish_everywhere(2, 7, 7);
  apply();
  plane_.reset();
  Server web(space("e2"), 80);
  start();
  publish_everywhere(2, 8080, 80);
  apply();
  EXPECT_TRUE(web.answers(space("h2"), ip("192.168.90.11"), 8080));
  EXPECT_TRUE(web.answers(space("h1"), ip("127.0.0.1"), 8080));
}

TEST_F(Published, NothingOfOthersIsTouchedAndNothingIsLeft) {
  networks_.clear();
  auto endpoints = std::exchange(endpoints_, {});
  apply();
  lab_.in("h1", "nft add table inet firewalld");
  lab_.in("h1", "nft add chain inet firewalld forward '{ type filter hook forward priority 10; }'");
  lab_.in("h1", "nft add table ip nat");
  lab_.in("h1", "nft add chain ip nat PREROUTING '{ type nat hook prerouting priority -100; }'");
  const std::string before = picture();
  endpoints_ = std::move(endpoints);
  for (const auto& [number, network] : {std::pair(2, 1), {4, 2}}) {
    lab_.remove_namespace("e" + std::to_string(number));
    add(number, network);
  }
  publish_everywhere(2, 8080, 80);
  publish(2, "127.0.0.1", 8081, 8089, 8081);
  apply();
  EXPECT_NE(picture(), before);
  networks_.clear();
  endpoints_.clear();
  apply();
  EXPECT_EQ(picture(), before);
}

}  // namespace
}  // namespace shoal::testing
