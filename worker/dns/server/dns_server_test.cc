// The server in real, throw-away namespaces, asked by dig and by a client of our own.
#include "worker/dns/server/dns_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/runtime/system_ports.h"
#include "worker/dns/server/test_net.h"

namespace shoal::worker::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

bool in_namespaces() {
  static const bool entered = enter_fresh_host_namespace();
  return entered;
}

class DnsServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!in_namespaces()) {
      GTEST_SKIP() << "SKIPPED: network namespaces need root (CAP_SYS_ADMIN, CAP_NET_ADMIN)";
    }
    strand_.start("dns-test");
    strand_.call([&] { server_.emplace(strand_, clock_, rng_); });
    upsert("a", "web", {"10.0.0.2", "fd00::2"});
    upsert("b", "web", {"10.0.1.2"});
    one_ = std::make_unique<TestNetns>();
    two_ = std::make_unique<TestNetns>();
  }
  void TearDown() override {
    if (!server_) return;
    strand_.call([&] { server_.reset(); });
    strand_.stop();
  }

  void upsert(const std::string& network, const std::string& name, std::vector<std::string> ips,
              std::vector<std::string> aliases = {}) {
    NameEntry entry{.network = NetworkId(network),
                    .network_name = network + "net",
                    .key = name,
                    .name = name,
                    .aliases = std::move(aliases)};
    for (const std::string& ip : ips) entry.ips.push_back(*Ip::parse(ip));
    strand_.call([&] { server_->names().upsert(entry); });
  }
  uint16_t serve(const SandboxKey& key, const TestNetns& netns, const std::string& network,
                 bool may_forward = true) {
    const Result<uint16_t> port = strand_.call(
        [&] { return server_->serve(key, netns.fd(), {NetworkId(network)}, may_forward); });
    EXPECT_TRUE(port.ok()) << port.error().message;
    return port.ok() ? *port : 0;
  }
  void set_upstreams(std::vector<HostPort> upstreams) {
    strand_.call([&] { server_->set_upstreams(upstreams); });
  }
  DnsCounters counters() {
    return strand_.call([&] { return server_->counters(); });
  }
  std::string dig(const TestNetns& netns, uint16_t port, const std::string& arguments) {
    return shell("nsenter --net=" + netns.path() + " dig @127.0.0.11 -p " + std::to_string(port) +
                 " +tries=3 +time=5 " + arguments);
  }
  // Code and number of answers of a UDP question.
  std::pair<Rcode, size_t> ask(const TestNetns& netns, uint16_t port, const std::string& name,
                               uint16_t type = rr::kA) {
    const Fd fd = netns.connect(SOCK_DGRAM, port);
    const auto reply = ask_udp(fd.get(), query_packet(name, type));
    Response response;
    if (!reply || !parse_response(*reply, response)) return {Rcode::kBadVers, 0};
    return {static_cast<Rcode>(response.rcode), response.records.size()};
  }

  static inline const std::pair<Rcode, size_t> kServFail{Rcode::kServFail, 0};
  static inline const std::pair<Rcode, size_t> kOneAnswer{Rcode::kNoError, 1};

  Strand strand_;
  SystemClock clock_;
  SystemRng rng_;
  std::optional<DnsServer> server_;
  std::unique_ptr<TestNetns> one_;
  std::unique_ptr<TestNetns> two_;
};

std::optional<Bytes> address_answer(const Query& query) {
  return upstream_answer(query, Rcode::kNoError, {"198.51.100.7"});
}

TEST_F(DnsServerTest, DigGetsLocalNames) {
  const uint16_t port = serve("s1", *one_, "a");
  for (const char* mode : {"", "+tcp", "+noedns", "+bufsize=512", "+dnssec", "+nocookie +tcp"}) {
    EXPECT_EQ(dig(*one_, port, std::string("+short web A ") + mode), "10.0.0.2\n") << mode;
    EXPECT_EQ(dig(*one_, port, std::string("+short WEB.anet AAAA ") + mode), "fd00::2\n") << mode;
  }
  EXPECT_EQ(dig(*one_, port, "+short -x 10.0.0.2"), "web.anet.\n");
  EXPECT_EQ(dig(*one_, port, "+short -x fd00::2"), "web.anet.\n");
  const std::string empty = dig(*one_, port, "web MX");
  EXPECT_THAT(empty, HasSubstr("status: NOERROR"));
  EXPECT_THAT(empty, HasSubstr("ANSWER: 0"));
  EXPECT_THAT(dig(*one_, port, "+edns=7 +noednsneg web"), HasSubstr("status: BADVERS"));
  EXPECT_THAT(dig(*one_, port, "+opcode=notify web"), HasSubstr("status: NOTIMP"));
  EXPECT_THAT(dig(*one_, port, "CH TXT version.bind"), HasSubstr("status: REFUSED"));
}

TEST_F(DnsServerTest, SandboxesSeeTheirNetworksOnly) {
  const uint16_t port1 = serve("s1", *one_, "a");
  const uint16_t port2 = serve("s2", *two_, "b");
  EXPECT_EQ(dig(*one_, port1, "+short web"), "10.0.0.2\n");
  EXPECT_EQ(dig(*two_, port2, "+short web"), "10.0.1.2\n");
  EXPECT_EQ(ask(*two_, port2, "web.anet"), kServFail) << "no upstream, and not its network";
  const Status updated = strand_.call([&] {
    return server_->update("s2", {NetworkId("a"), NetworkId("b")}, true);
  });
  EXPECT_TRUE(updated.ok());
  EXPECT_EQ(dig(*two_, port2, "+short web"), "10.0.0.2\n");
  EXPECT_EQ(dig(*two_, port2, "+short web.bnet"), "10.0.1.2\n");
}

TEST_F(DnsServerTest, LifeCycleErrors) {
  serve("s1", *one_, "a");
  const auto again = strand_.call([&] { return server_->serve("s1", one_->fd(), {}, true); });
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorClass::kAlreadyExists);
  const auto bad = strand_.call([&] { return server_->serve("s9", -1, {}, true); });
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorClass::kInternal);
  const auto missing = strand_.call([&] { return server_->update("s9", {}, true); });
  EXPECT_EQ(missing.error().code, ErrorClass::kNotFound);
  strand_.call([&] { server_->stop("s9"); });
}

TEST_F(DnsServerTest, ForwardsFromTheHostNamespace) {
  FakeUpstream upstream([](const Query& query) -> std::optional<Bytes> {
    if (query.question.name == *Name::from_text("gone.example")) {
      return negative_answer(query, Rcode::kNxDomain, 60, 60);
    }
    return address_answer(query);
  });
  set_upstreams({upstream.address()});
  const uint16_t port = serve("s1", *one_, "a");
  EXPECT_EQ(dig(*one_, port, "+short foreign.example"), "198.51.100.7\n");
  EXPECT_EQ(dig(*one_, port, "+short +tcp other.example"), "198.51.100.7\n");
  EXPECT_EQ(dig(*one_, port, "+short +tcp +noedns single"), "198.51.100.7\n");
  EXPECT_THAT(dig(*one_, port, "gone.example"), HasSubstr("status: NXDOMAIN"));
  const int asked = upstream.asked();
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(dig(*one_, port, "+short foreign.EXAMPLE +tcp"), "198.51.100.7\n");
  EXPECT_THAT(dig(*one_, port, "gone.example"), HasSubstr("status: NXDOMAIN"));
  EXPECT_EQ(upstream.asked(), asked) << "from the cache";
  EXPECT_EQ(counters().forwarder.cache_hits, 2U);
}

TEST_F(DnsServerTest, InternalNetworksNeverForward) {
  FakeUpstream upstream(address_answer);
  set_upstreams({upstream.address()});
  const uint16_t port = serve("s1", *one_, "a", false);
  EXPECT_EQ(ask(*one_, port, "foreign.example"), kServFail);
  EXPECT_EQ(ask(*one_, port, "web"), kOneAnswer);
  EXPECT_EQ(upstream.asked(), 0);
}

TEST_F(DnsServerTest, ASilentAndADeadUpstreamCostLittle) {
  FakeUpstream silent([](const Query&) { return std::nullopt; });
  FakeUpstream good(address_answer);
  HostPort dead;
  {
    FakeUpstream gone(address_answer);
    dead = gone.address();
  }
  set_upstreams({dead, silent.address(), good.address()});
  const uint16_t port = serve("s1", *one_, "a");
  const auto start = steady_clock::now();
  EXPECT_EQ(ask(*one_, port, "foreign.example"), kOneAnswer);
  EXPECT_LT(steady_clock::now() - start, seconds(2)) << "a hedge, not a timeout";
  EXPECT_EQ(silent.asked(), 1);
  EXPECT_EQ(counters().forwarder.hedged, 2U);
  const Fd tcp = one_->connect(SOCK_STREAM, port);
  ASSERT_TRUE(write_all(tcp.get(), framed(query_packet("another.example"))));
  EXPECT_TRUE(read_framed(tcp.get()));
}

TEST_F(DnsServerTest, FollowsResolvConf) {
  // Upstreams of a resolv.conf are on port 53, where nobody listens in this namespace: what is
  // asserted is that the list is taken, dropped and taken again.
  char directory[] = "/tmp/shoalt-dns-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/resolv.conf";
  std::ofstream(path) << "nameserver 127.0.0.11\n";
  strand_.call([&] { server_->follow_resolv_conf(path); });
  const uint16_t port = serve("s1", *one_, "a");
  EXPECT_EQ(ask(*one_, port, "foreign.example"), kServFail);
  EXPECT_EQ(counters().forwarder.hedged, 0U);
  std::ofstream(path) << "nameserver 127.0.0.53\nnameserver 127.0.0.54\n";
  const auto deadline = steady_clock::now() + seconds(10);
  while (counters().forwarder.hedged == 0 && steady_clock::now() < deadline) {
    EXPECT_EQ(ask(*one_, port, "foreign.example"), kServFail);
  }
  EXPECT_GT(counters().forwarder.hedged, 0U) << "the second of two refusing upstreams was asked";
  std::filesystem::remove_all(directory);
}

TEST_F(DnsServerTest, GarbageChangesNothing) {
  FakeUpstream upstream(address_answer);
  set_upstreams({upstream.address()});
  const uint16_t port = serve("s1", *one_, "a");
  const Fd fd = one_->connect(SOCK_DGRAM, port);
  SeededRng rng(11);
  const Bytes good = query_packet("web", rr::kA, true);
  for (int i = 0; i < 20000; ++i) {
    Bytes packet = good;
    if (rng.below(2) == 0) {
      packet.resize(rng.below(2000));
      rng.fill(packet);
    }
    for (uint64_t n = rng.below(4); n > 0 && !packet.empty(); --n) {
      packet[rng.below(packet.size())] = static_cast<uint8_t>(rng.next());
    }
    send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
  }
  EXPECT_EQ(ask(*one_, port, "web"), kOneAnswer);
  const DnsCounters seen = counters();
  EXPECT_GT(seen.resolver.dropped_not_a_query, 100U);
  EXPECT_GT(seen.resolver.refused, 100U);
}

TEST_F(DnsServerTest, AForeignFloodHurtsNobody) {
  FakeUpstream silent([](const Query&) { return std::nullopt; });
  set_upstreams({silent.address()});
  const uint16_t port1 = serve("s1", *one_, "a");
  const uint16_t port2 = serve("s2", *two_, "b");
  const Fd flood = one_->connect(SOCK_DGRAM, port1);
  for (int i = 0; i < 3000; ++i) {
    const Bytes query = query_packet("n" + std::to_string(i) + ".example");
    send(flood.get(), query.data(), query.size(), MSG_NOSIGNAL);
  }
  EXPECT_EQ(ask(*one_, port1, "web"), kOneAnswer);
  EXPECT_EQ(ask(*two_, port2, "web"), kOneAnswer);
  const DnsCounters seen = counters();
  EXPECT_GT(seen.forwarder.refused_sandbox_bound, 1000U);
  EXPECT_EQ(seen.forwarder.refused_total_bound, 0U);
}

TEST_F(DnsServerTest, TcpPipelinesAndAnswersAfterHalfClose) {
  FakeUpstream upstream(address_answer);
  set_upstreams({upstream.address()});
  const uint16_t port = serve("s1", *one_, "a");
  const Fd fd = one_->connect(SOCK_STREAM, port);
  Bytes all;
  constexpr int kQueries = 100;
  for (int i = 0; i < kQueries; ++i) {
    // Every tenth is foreign and answered later.
    const std::string name = i % 10 == 0 ? "n" + std::to_string(i) + ".example" : "web";
    const Bytes one = framed(query_packet(name, rr::kA, false, static_cast<uint16_t>(i)));
    all.insert(all.end(), one.begin(), one.end());
  }
  // Cut in the middle of a message.
  ASSERT_TRUE(write_all(fd.get(), Bytes(all.begin(), all.begin() + 31)));
  ASSERT_TRUE(write_all(fd.get(), Bytes(all.begin() + 31, all.end())));
  shutdown(fd.get(), SHUT_WR);
  std::set<uint16_t> ids;
  while (const auto reply = read_framed(fd.get())) {
    Response response;
    ASSERT_TRUE(parse_response(*reply, response));
    EXPECT_EQ(response.records.size(), 1U);
    ids.insert(response.id);
  }
  EXPECT_EQ(ids.size(), static_cast<size_t>(kQueries));
}

TEST_F(DnsServerTest, TcpIsBounded) {
  const uint16_t port = serve("s1", *one_, "a");
  std::vector<Fd> held;
  for (size_t i = 0; i < DnsServer::kMaxTcpConnections; ++i) {
    held.push_back(one_->connect(SOCK_STREAM, port));
    ASSERT_TRUE(write_all(held.back().get(), framed(query_packet("web"))));
    ASSERT_TRUE(read_framed(held.back().get()));
  }
  const Fd more = one_->connect(SOCK_STREAM, port);
  write_all(more.get(), framed(query_packet("web")));
  EXPECT_FALSE(read_framed(more.get()));
  EXPECT_EQ(counters().listeners.tcp_connections_refused, 1U);

  ASSERT_TRUE(write_all(held[0].get(), {0, 3, 1, 2, 3}));
  EXPECT_FALSE(read_framed(held[0].get())) << "a message shorter than a header ends it";
  ASSERT_TRUE(write_all(held[1].get(), {0xff, 0xff}));
  EXPECT_FALSE(read_framed(held[1].get())) << "nor is 64 KiB a query";
  EXPECT_EQ(counters().listeners.tcp_protocol_errors, 2U);
  EXPECT_TRUE(write_all(held[2].get(), framed(query_packet("web"))));
  EXPECT_TRUE(read_framed(held[2].get()));

  // Half a message is idleness as well; the byte does not renew the time.
  ASSERT_TRUE(write_all(held[3].get(), {0}));
  pollfd wanted{held[3].get(), POLLIN, 0};
  ASSERT_EQ(poll(&wanted, 1, 20000), 1);
  EXPECT_TRUE(receive(held[3].get(), milliseconds(100)).empty());
  EXPECT_GT(counters().listeners.tcp_idle_closed, 0U);
}

TEST_F(DnsServerTest, AnAliasTooLargeForUdpIsTruncatedAndWholeOverTcp) {
  for (int i = 0; i < 100; ++i) {
    upsert("a", "w" + std::to_string(i), {"10.0.2." + std::to_string(i)}, {"many"});
  }
  const uint16_t port = serve("s1", *one_, "a");
  const std::string ignored_tc = dig(*one_, port, "+noedns +ignore many");
  EXPECT_THAT(ignored_tc, HasSubstr(" tc "));
  EXPECT_THAT(ignored_tc, HasSubstr("ANSWER: 30"));
  EXPECT_THAT(dig(*one_, port, "+noedns many"), HasSubstr("ANSWER: 100"));
  EXPECT_THAT(dig(*one_, port, "+bufsize=4096 many"), Not(HasSubstr(" tc ")));
}

TEST_F(DnsServerTest, StopLetsTheNamespaceGo) {
  const uint16_t port = serve("s1", *one_, "a");
  Fd open = one_->connect(SOCK_STREAM, port);
  ASSERT_TRUE(write_all(open.get(), framed(query_packet("web"))));
  ASSERT_TRUE(read_framed(open.get()));
  FakeUpstream silent([](const Query&) { return std::nullopt; });
  set_upstreams({silent.address()});
  ASSERT_TRUE(write_all(open.get(), framed(query_packet("foreign.example"))));
  // A device of the namespace disappears from its peer's with it.
  const std::string made =
      shell("ip link add shoalt0 type veth peer name eth0 netns " + one_->path());
  ASSERT_EQ(made, "");
  strand_.call([&] { server_->stop("s1"); });
  EXPECT_TRUE(receive(open.get(), milliseconds(5000)).empty()) << "closed";
  one_->run([&] {
    const Fd udp(socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(0x7f00000b);
    EXPECT_EQ(bind(udp.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  });
  open = Fd();
  one_->close();
  const auto deadline = steady_clock::now() + seconds(10);
  while (shell("ip link show shoalt0").find("exit") != 0 && steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_THAT(shell("ip link show shoalt0"), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace shoal::worker::dns
