// Managers on loopback with real mTLS, raft, RocksDB and gRPC.
#include "manager/manager.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <set>

#include "manager/manager_test_fixture.h"
#include "manager/security/data_key.h"
#include "manager/security/tls_contexts.h"
#include "manager/security/token.h"
#include "manager/state_layout.h"
#include "manager/tables/tables.h"
#include "raft/storage/store.h"
#include "raft/transport/speaker.h"

namespace shoal::manager {
namespace {

using test::eventually;
using test::Host;
using test::ManagerTest;
using test::set_deadline;
using ::testing::HasSubstr;
namespace rpc = shoal::control;

TEST_F(ManagerTest, LeadershipMovesAndNothingIsLostOrGivenTwice) {
  Host& a = *hosts_[0];
  Host& b = add_manager("b", a);
  Host& c = add_manager("c", b);  // let in through a follower
  Host& worker = add_worker("w");
  ASSERT_EQ(c.status().members.size(), 3U);
  EXPECT_TRUE(a.status().is_leader);
  EXPECT_EQ(c.status().leader, a.id);

  const auto made = create_network(b, "web");  // a follower forwards
  ASSERT_TRUE(made.ok()) << made.error_message();
  std::set<std::string> addresses;
  std::map<std::string, std::string> leases;
  const auto attach_one = [&](const std::string& id, Host& first) {
    const auto endpoint = attach(worker, id, first);
    ASSERT_TRUE(endpoint.ok()) << endpoint.error().message;
    EXPECT_TRUE(addresses.insert(endpoint->addresses(0)).second) << endpoint->addresses(0);
    leases[id] = endpoint->addresses(0);
  };
  for (int i = 0; i < 10; ++i) attach_one(endpoint_id(), c);  // c names the leader

  // The leader dies while a client of a follower waits: only slower, no error, no second network.
  auto pending = std::async(std::launch::async, [&] { return create_network(b, "during"); });
  a.stop();
  const auto during = pending.get();
  EXPECT_TRUE(during.ok()) << during.error_message();
  for (int i = 0; i < 10; ++i) attach_one(endpoint_id(), b);
  for (const auto& [id, address] : leases) {
    const auto again = attach(worker, id, b);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->addresses(0), address) << "the same id has the same lease";
  }
  size_t leaders = 0;
  const auto listed = list_nodes(c);
  for (const auto& node : listed.nodes()) {
    if (node.manager().leader()) ++leaders;
    if (node.id() == a.id.str()) {
      EXPECT_FALSE(node.manager().leader());
    }
  }
  EXPECT_EQ(leaders, 1U);

  // The former leader comes back with its disk and catches up.
  a.open();
  ASSERT_TRUE(a.strand->call([&] { return a.manager->resume(); }).ok());
  const uint64_t commit = b.status().commit_index;
  EXPECT_TRUE(eventually([&] { return a.status().applied_index >= commit; }));
  EXPECT_TRUE(create_network(a, "after").ok());
}

TEST_F(ManagerTest, TokensDecideWhoJoins) {
  Host& a = *hosts_[0];
  Host& joiner = add_host("j");
  const auto expect_refused = [&](const std::string& text, const char* why) {
    const auto status = enrol(joiner, text, a);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_THAT(status.error_message(), HasSubstr(why));
    EXPECT_THAT(status.error_message(), Not(HasSubstr(text)));
  };
  const std::string old = token(Role::kWorker);
  const auto parsed = parse_token(old).value();
  expect_refused(format_token(root_.certificate, std::string(16, 'x')), "invalid join token");
  expect_refused(format_token("another root", parsed.secret), "another cluster");
  EXPECT_EQ(enrol(joiner, "nonsense", a).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const std::string fresh = token(Role::kWorker, true);
  EXPECT_NE(fresh, old);
  expect_refused(old, "rotated");
  ASSERT_TRUE(enrol(joiner, fresh, a).ok());
  const auto info = read_certificate(read_file(joiner.files.certificate).value()).value();
  EXPECT_EQ(info.claims.role, Role::kWorker);
  EXPECT_EQ(info.claims.node, joiner.id);
}

TEST_F(ManagerTest, WorkersMayOnlyDispatch) {
  Host& a = *hosts_[0];
  Host& worker = add_worker("w");
  const auto channel = manager_channel(worker.files, a.port.address().str());
  {
    grpc::ClientContext context;
    set_deadline(context);
    rpc::ListNodesResponse response;
    const auto status = rpc::Cluster::NewStub(channel)->ListNodes(&context, {}, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  {
    grpc::ClientContext context;
    set_deadline(context);
    ca::JoinRaftRequest request;
    request.set_address("127.0.0.1:1");
    ca::JoinRaftResponse response;
    const auto status = ca::Membership::NewStub(channel)->JoinRaft(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  {
    TlsContexts tls(worker.files, worker.clock);
    raft::Speaker speaker(a.port.address().port, tls.client().value());
    EXPECT_EQ(speaker.refusal().error(), "permission_denied");
  }
  {
    grpc::ClientContext context;  // a stranger
    set_deadline(context);
    dispatch::DetachEndpointResponse response;
    const auto stranger = joining_channel(root_.certificate, a.port.address().str());
    const auto status =
        dispatch::Dispatcher::NewStub(stranger)->DetachEndpoint(&context, {}, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
}

TEST_F(ManagerTest, AManagerCannotSpeakForAnother) {
  Host& a = *hosts_[0];
  Host& b = add_manager("b", a);
  Host& c = add_manager("c", a);
  // With the certificate of `as`, in the name of member `from`: a hello, and what nobody may say.
  const auto speak = [&](Host& as, uint64_t from) {
    TlsContexts tls(as.files, as.clock);
    raft::Speaker speaker(a.port.address().port, tls.client().value());
    speaker.hello(from, a.status().raft_id, as.cluster.str());
    speaker.hello(from, a.status().raft_id, as.cluster.str());
    return speaker.refusal();
  };
  const auto impostors = [&] { return a.status().counters.at("raft_streams_impostor_total"); };
  EXPECT_EQ(speak(b, b.status().raft_id).error(), "invalid_argument") << "the second hello only";
  EXPECT_EQ(impostors(), 0U);
  const auto other = speak(b, c.status().raft_id);
  EXPECT_EQ(other.error(), "permission_denied");
  EXPECT_THAT(other.message(), HasSubstr(c.id.str()));
  EXPECT_EQ(impostors(), 1U);
}

TEST_F(ManagerTest, ASessionIsToldOfChangesAndEndsWhenTheNodeIsRemoved) {
  Host& a = *hosts_[0];
  Host& worker = add_worker("w");
  const auto channel = manager_channel(worker.files, a.port.address().str());
  const auto stub = dispatch::Dispatcher::NewStub(channel);
  grpc::ClientContext context;
  set_deadline(context);
  auto stream = stub->Session(&context);
  dispatch::WorkerMessage hello;
  hello.mutable_register_()->mutable_description()->set_hostname("w");
  ASSERT_TRUE(stream->Write(hello));
  dispatch::ManagerMessage message;
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_EQ(message.registered().heartbeat_period_ms(), 5000U);
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_EQ(message.cluster().node().id(), worker.id.str());
  EXPECT_EQ(message.cluster().gossip_keys().keys_size(), 3);
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_TRUE(message.assignments().complete());
  ASSERT_TRUE(create_network(a, "web").ok());
  do {
    ASSERT_TRUE(stream->Read(&message));
  } while (message.assignments().networks_size() == 0);
  EXPECT_EQ(message.assignments().networks(0).spec().name(), "web");

  grpc::ClientContext removal;
  set_deadline(removal);
  rpc::RemoveNodeRequest request;
  request.set_node(worker.id.str());
  request.set_force(true);
  rpc::RemoveNodeResponse response;
  const auto removed = a.stub->RemoveNode(&removal, request, &response);
  ASSERT_TRUE(removed.ok()) << removed.error_message();
  while (stream->Read(&message)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  const auto refused = attach(worker, endpoint_id(), a);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorClass::kPermissionDenied);
}

TEST_F(ManagerTest, DemotionTakesTheMemberOutAlsoWhenItLeads) {
  Host& a = *hosts_[0];
  EXPECT_EQ(set_role(a, a.id, common::ROLE_WORKER).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION)
      << "the last manager";
  Host& b = add_manager("b", a);
  add_manager("c", a);
  ASSERT_TRUE(a.status().is_leader);
  const auto demoted = set_role(b, a.id, common::ROLE_WORKER);
  ASSERT_TRUE(demoted.ok()) << demoted.error_message();
  EXPECT_EQ(b.status().members.size(), 2U);
  EXPECT_TRUE(create_network(b, "after").ok());
  const auto listed = list_nodes(b);
  for (const auto& node : listed.nodes()) {
    if (node.id() == a.id.str()) {
      EXPECT_EQ(node.spec().role(), common::ROLE_WORKER);
    }
  }
  // And in order, by the manager itself; the one that is left serves on.
  Host& c = *hosts_[2];
  const Status left = c.wait_for([&](Manager::Done done) {
    c.manager->leave_and_stop(std::chrono::seconds(20), std::move(done));
  });
  ASSERT_TRUE(left.ok()) << left.error().message;
  EXPECT_TRUE(create_network(b, "alone").ok());
  EXPECT_EQ(b.status().members.size(), 1U);
}

// Without either a member would start anew under its old id, and forget how it voted.
TEST_F(ManagerTest, AMemberWhoseKeyOrLogIsLostIsRefused) {
  Host& a = *hosts_[0];
  a.stop();
  for (const std::string lost : {"data_key", "raft"}) {
    const std::string path = a.dir + "/manager/" + lost;
    const std::string aside = a.dir + "/aside";
    std::filesystem::rename(path, aside);
    Strand strand;
    strand.start("manager");
    const auto opened = Manager::open(
        {a.dir + "/manager", a.id, a.cluster, a.port.address(), a.files}, strand, a.clock, a.rng);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, ErrorClass::kDataLoss);
    EXPECT_THAT(opened.error().message, HasSubstr(path));
    EXPECT_THAT(opened.error().message, HasSubstr("join it again"));
    strand.stop();
    std::filesystem::rename(aside, path);
  }
  a.open();
  EXPECT_TRUE(a.wait_for([&](Manager::Done done) { done(a.manager->resume()); }).ok());
}

// Of a large state the log keeps no copy: its tables are not thrown away when they are damaged.
TEST_F(ManagerTest, DamagedTablesThatAreTheOnlyCopyAreRefusedAndLeft) {
  Host& a = *hosts_[0];
  ASSERT_TRUE(create_network(a, "web").ok());
  a.stop();
  const std::string dir = a.dir + "/manager";
  const auto key = DataKey::load(key_path(dir), "").value();
  Strand strand;
  strand.start("manager");
  const auto open = [&] {
    return Manager::open({dir, a.id, a.cluster, a.port.address(), a.files}, strand, a.clock, a.rng);
  };
  {
    const auto tables = Tables::open(tables_path(dir), key.for_store(kTablesKey)).value();
    const auto log = raft::RocksLogStore::open(raft_path(dir), key.for_store(kRaftKey), strand);
    const auto loaded = (*log)->load().value();
    const raft::Entry& last = loaded.entries.back();
    raft::LogStore::Batch batch;
    batch.snapshot = std::make_shared<raft::Snapshot>(
        raft::Snapshot{{last.index, last.term, {{1, a.port.address().str(), false}}}, nullptr});
    std::promise<Status> saved;
    strand.call([&] { (*log)->save(batch, [&](const Status& s) { saved.set_value(s); }); });
    ASSERT_TRUE(saved.get_future().get().ok());
    ASSERT_TRUE(tables->sync(last.index).ok());
    // What a crash in the midst of replacing them leaves.
    const auto broken = [&](const Tables::Visit& visit) -> Status {
      for (int i = 0; i < 100; ++i) {
        Network network;
        network.id = NetworkId(std::to_string(i) + std::string(kIdLength - 3, 'n'));
        network.spec.labels["large"] = std::string(60'000, 'x');
        visit(network);
      }
      return unavailable("a crash");
    };
    ASSERT_FALSE(tables->replace(broken, last.index + 1, false).ok());
  }
  for (int again = 0; again < 2; ++again) {
    const auto opened = open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, ErrorClass::kDataLoss);
    EXPECT_THAT(opened.error().message, HasSubstr(tables_path(dir)));
    EXPECT_THAT(opened.error().message, HasSubstr("restore a backup"));
  }
  strand.stop();
}

TEST_F(ManagerTest, RandomBytesAtThePortHarmNobody) {
  Host& a = *hosts_[0];
  for (int i = 0; i < 20; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(a.port.address().port);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    std::array<uint8_t, 512> noise;
    rng_.fill(noise);
    EXPECT_GT(send(fd, noise.data(), noise.size(), MSG_NOSIGNAL), 0);
    close(fd);
  }
  EXPECT_TRUE(create_network(a, "web").ok());
}

}  // namespace
}  // namespace shoal::manager
