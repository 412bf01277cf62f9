// Three members as the daemon runs them: Driver, RocksDB and gRPC, on loopback and in real time.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/runtime/system_ports.h"
#include "raft/driver/driver.h"
#include "raft/storage/store.h"
#include "raft/transport/test_tls.h"
#include "raft/transport/transport.h"
#include "tests/fakes/raft_fakes.h"

namespace shoal::raft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Daemon final : public Observer {
 public:
  Daemon(RaftId id, std::string directory, fakes::FakeTables& tables)
      : id_(id), directory_(std::move(directory)), machine_(tables) {
    strand_.start("node");
    timer_ = strand_.make_timer();
  }
  ~Daemon() {
    strand_.call([this] {
      driver_->stop();
      transport_->stop();
      return 0;
    });
    server_.stop();
    strand_.call([] {});  // what was posted has run
    transport_.reset();
    store_.reset();
    strand_.call([this] {
      driver_.reset();
      return 0;
    });
    strand_.stop();
  }

  // Listens on `port`, or on one the kernel gives (0), which is returned. `peers` as a join tells.
  int start(bool first, int port, const std::vector<Member>& peers) {
    auto store = RocksLogStore::open(directory_, crypto::Key{1}, strand_);
    SHOAL_CHECK(store.ok(), "store does not open");
    store_ = std::move(*store);
    transport_ = std::make_unique<NetTransport>(
        NetTransport::Config{id_, "c", "", store_->inbox()}, strand_, clock_, rng_, test_contexts(),
        test_channel,
        NetTransport::Admission{[](const auto&) { return NodeId("n"); },
                                [](SSL&) { return NodeId("n"); },
                                [](const NodeId&, RaftId) { return ok_status(); }});
    server_ = TestServer::start(*transport_, static_cast<uint16_t>(port));
    port = server_.port;
    DriverConfig config;
    config.core.id = id_;
    config.initial_peers = peers;
    config.snapshot_entries = 50;
    config.keep_entries = 5;
    const Status started = strand_.call([&] {
      driver_ = std::make_unique<Driver>(config, *store_, *transport_, machine_, clock_, *timer_,
                                         rng_, *this);
      transport_->set_handlers(
          {[this](Message message) { driver_->receive(std::move(message)); },
           [this](RaftId to, bool delivered) { driver_->report_snapshot(to, delivered); }});
      return first ? driver_->bootstrap({id_, "127.0.0.1:" + std::to_string(port), false})
                   : driver_->start();
    });
    EXPECT_TRUE(started) << started.error().message;
    return port;
  }

  bool is_leader() {
    return strand_.call([this] { return driver_->is_leader(); });
  }
  size_t commands() {
    return strand_.call([this] { return machine_.snapshot(0)->size_hint(); });
  }
  Status add(const Member& member) {
    return wait<Status>([&](auto done) { driver_->add_member(member, done); });
  }
  Result<std::string> propose(const std::string& command) {
    return wait<Result<std::string>>([&](auto done) { driver_->propose(command, done); });
  }
  Status read() {
    return wait<Status>([&](auto done) { driver_->read_index(done); });
  }
  void on_leader_change(RaftId, Term, bool) override {}
  void on_members(const std::vector<Member>&) override {}

 private:
  template <typename R, typename F>
  R wait(F ask) {
    auto promise = std::make_shared<std::promise<R>>();
    strand_.post([ask, promise] { ask([promise](R result) { promise->set_value(result); }); });
    return promise->get_future().get();
  }

  const RaftId id_;
  const std::string directory_;
  SystemClock clock_;
  SystemRng rng_;
  Strand strand_;
  std::unique_ptr<Timer> timer_;
  fakes::FakeStateMachine machine_;
  std::unique_ptr<RocksLogStore> store_;
  std::unique_ptr<NetTransport> transport_;
  TestServer server_;
  std::unique_ptr<Driver> driver_;
};

template <typename F>
bool within(std::chrono::steady_clock::duration patience, F condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

TEST(Group, GrowsLosesItsLeaderAndGoesOn) {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "shoal-raft-group-XXXXXX").string();
  const std::string directory = mkdtemp(pattern.data());
  std::map<RaftId, fakes::FakeTables> tables;
  std::map<RaftId, int> ports;
  std::map<RaftId, std::unique_ptr<Daemon>> daemons;
  const auto start = [&](RaftId id, bool first) {
    daemons[id] = std::make_unique<Daemon>(id, directory + "/" + std::to_string(id), tables[id]);
    std::vector<Member> peers;
    for (const auto& [peer, port] : ports) {
      peers.push_back({peer, "127.0.0.1:" + std::to_string(port), false});
    }
    ports[id] = daemons[id]->start(first, ports[id], peers);
  };
  const auto address = [&](RaftId id) { return "127.0.0.1:" + std::to_string(ports[id]); };
  start(1, true);
  ASSERT_TRUE(within(seconds(10), [&] { return daemons[1]->is_leader(); }));
  // Beyond a snapshot, so that the others begin with one.
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(daemons[1]->propose("before" + std::to_string(i)));
  for (RaftId id = 2; id <= 3; ++id) {
    start(id, false);
    ASSERT_TRUE(within(seconds(20), [&] { return daemons[1]->add({id, address(id), true}).ok(); }));
    ASSERT_TRUE(within(seconds(20), [&] {
      return daemons[1]->add({id, address(id), false}).ok();
    }));
  }
  ASSERT_TRUE(daemons[1]->propose("together"));
  ASSERT_TRUE(within(seconds(20), [&] { return daemons[3]->read().ok(); }));
  EXPECT_EQ(daemons[3]->commands(), daemons[1]->commands());

  daemons[1].reset();
  ASSERT_TRUE(within(seconds(20), [&] {
    return daemons[2]->propose("after").ok() || daemons[3]->propose("after").ok();
  }));
  start(1, false);
  ASSERT_TRUE(within(seconds(20), [&] {
    return daemons[1]->read().ok() && daemons[1]->commands() == daemons[2]->commands() &&
           daemons[1]->commands() == daemons[3]->commands();
  }));
  daemons.clear();
  EXPECT_EQ(tables[1].commands, tables[2].commands);
  EXPECT_EQ(tables[1].commands, tables[3].commands);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace shoal::raft
