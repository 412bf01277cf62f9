// Managers on loopback with real mTLS, raft, RocksDB and gRPC.
#include "manager/manager.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "manager/backup/backup.h"
#include "manager/manager_test_host.h"
#include "manager/security/token.h"
#include "manager/wire/store_wire.h"
#include "proto/raft.grpc.pb.h"

namespace shoal::manager {
namespace {

using test::eventually;
using test::Host;
using test::set_deadline;
using ::testing::HasSubstr;
namespace rpc = shoal::control;

class ManagerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shoal-manager-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    root_ = make_root_ca(clock_.wall()).value();
    found(add_host("a"));
  }
  void TearDown() override {
    hosts_.clear();
    std::filesystem::remove_all(directory_);
  }

  Host& add_host(const std::string& name) {
    hosts_.push_back(std::make_unique<Host>(directory_, name));
    return *hosts_.back();
  }

  // `shoal init`.
  void found(Host& host) {
    std::array<uint8_t, 16> random;
    rng_.fill(random);
    host.id = NodeId::from_random(random);
    rng_.fill(random);
    host.cluster = ClusterId::from_random(random);
    const auto request = make_signing_request().value();
    const auto certificate =
        sign_node_certificate(root_, request.csr, {host.id, host.cluster, Role::kManager},
                              std::chrono::hours(1), clock_.wall());
    host.write_identity(*certificate, request.private_key, root_.certificate);
    host.open();
    InitCluster init;
    init.cluster.id = host.cluster;
    init.cluster.root_certificate = root_.certificate;
    init.cluster.root_key = root_.private_key;
    init.node.id = host.id;
    init.node.spec.role = init.node.certified_role = Role::kManager;
    init.node.description.hostname = "a";
    const Status status =
        host.wait_for([&](Manager::Done done) { host.manager->bootstrap(init, std::move(done)); });
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  std::string token(Role role, bool rotate = false) {
    grpc::ClientContext context;
    set_deadline(context);
    rpc::GetJoinTokenRequest request;
    request.set_role(role == Role::kManager ? common::ROLE_MANAGER : common::ROLE_WORKER);
    request.set_rotate(rotate);
    rpc::GetJoinTokenResponse response;
    const auto status = hosts_[0]->stub->GetJoinToken(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.token();
  }

  // The first half of `shoal join`: a certificate for the token, from `at`.
  grpc::Status enrol(Host& host, const std::string& join_token, Host& at) {
    const auto key = make_signing_request().value();
    ca::IssueCertificateRequest request;
    request.set_csr(key.csr);
    request.set_token(join_token);
    request.mutable_description()->set_hostname(std::filesystem::path(host.dir).filename());
    ca::IssueCertificateResponse response;
    grpc::ClientContext context;
    set_deadline(context);
    const auto channel = joining_channel(root_.certificate, at.port.address().str());
    const auto status = ca::Ca::NewStub(channel)->IssueCertificate(&context, request, &response);
    if (!status.ok()) return status;
    host.id = NodeId::parse(response.node_id()).value();
    host.cluster = ClusterId::parse(response.cluster_id()).value();
    host.write_identity(response.certificate(), key.private_key, response.root_certificate());
    return status;
  }
  Host& add_manager(const std::string& name, Host& at) {
    Host& host = add_host(name);
    const auto status = enrol(host, token(Role::kManager), at);
    EXPECT_TRUE(status.ok()) << status.error_message();
    host.open();
    const Status joined = host.wait_for([&](Manager::Done done) {
      host.manager->join({at.port.address()}, std::chrono::seconds(20), std::move(done));
    });
    EXPECT_TRUE(joined.ok()) << joined.error().message;
    return host;
  }
  Host& add_worker(const std::string& name) {
    Host& host = add_host(name);
    const auto status = enrol(host, token(Role::kWorker), *hosts_[0]);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return host;
  }

  grpc::Status create_network(Host& at, const std::string& name) {
    grpc::ClientContext context;
    set_deadline(context);
    rpc::CreateNetworkRequest request;
    request.mutable_spec()->set_name(name);
    request.mutable_spec()->set_attachable(true);
    rpc::CreateNetworkResponse response;
    return at.stub->CreateNetwork(&context, request, &response);
  }
  // As a worker does: asks, follows the named leader, until an answer or 20 s.
  Result<common::Endpoint> attach(Host& worker, const std::string& id, Host& first) {
    std::string address = first.port.address().str();
    grpc::Status status;
    dispatch::AttachEndpointResponse response;
    eventually([&] {
      grpc::ClientContext context;
      set_deadline(context, 5);
      dispatch::AttachEndpointRequest request;
      request.set_endpoint_id(id);
      request.set_network("web");
      status = dispatch::Dispatcher::NewStub(manager_channel(worker.files, address))
                   ->AttachEndpoint(&context, request, &response);
      const auto& trailing = context.GetServerTrailingMetadata();
      if (const auto leader = trailing.find("shoal-leader"); leader != trailing.end()) {
        address = std::string(leader->second.data(), leader->second.size());
      }
      return status.error_code() != grpc::StatusCode::UNAVAILABLE;
    });
    if (!status.ok()) return from_grpc(status);
    return response.endpoint();
  }
  std::string endpoint_id() {
    std::array<uint8_t, 16> random;
    rng_.fill(random);
    return id_from_random(random);
  }
  grpc::Status set_role(Host& at, const NodeId& node, common::Role role) {
    grpc::ClientContext context;
    set_deadline(context);
    rpc::UpdateNodeRequest request;
    request.set_node(node.str());
    request.mutable_spec()->set_role(role);
    request.add_fields("role");
    rpc::UpdateNodeResponse response;
    return at.stub->UpdateNode(&context, request, &response);
  }
  rpc::ListNodesResponse list_nodes(Host& at) {
    grpc::ClientContext context;
    set_deadline(context);
    rpc::ListNodesResponse response;
    const auto status = at.stub->ListNodes(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  SystemClock clock_;
  SystemRng rng_;
  std::string directory_;
  KeyPair root_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

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
    grpc::ClientContext context;
    set_deadline(context);
    raft::wire::StreamAck ack;
    auto stream = raft::wire::Raft::NewStub(channel)->Stream(&context, &ack);
    raft::wire::Envelope hello;
    stream->Write(hello);
    EXPECT_FALSE(stream->Finish().ok());
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
  // A hello with the certificate of `as`, in the name of member `from`.
  const auto speak = [&](Host& as, uint64_t from) {
    grpc::ClientContext context;
    set_deadline(context);
    raft::wire::StreamAck ack;
    auto stream = raft::wire::Raft::NewStub(manager_channel(as.files, a.port.address().str()))
                      ->Stream(&context, &ack);
    raft::wire::Envelope envelope;
    raft::wire::Hello& hello = *envelope.mutable_hello();
    hello.set_protocol_version(1);
    hello.set_cluster_id(as.cluster.str());
    hello.set_from(from);
    hello.set_to(a.status().raft_id);
    stream->Write(envelope);
    stream->WritesDone();
    return stream->Finish();
  };
  const auto impostors = [&] { return a.status().counters.at("raft_streams_impostor_total"); };
  const auto own = speak(b, b.status().raft_id);
  EXPECT_TRUE(own.ok()) << own.error_message();
  EXPECT_EQ(impostors(), 0U);
  const auto other = speak(b, c.status().raft_id);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(other.error_message(), HasSubstr(c.id.str()));
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

TEST_F(ManagerTest, ASurvivorGoesOnAloneAndTheOthersAreTold) {
  Host& a = *hosts_[0];
  Host& b = add_manager("b", a);
  Host& c = add_manager("c", a);
  ASSERT_TRUE(create_network(a, "web").ok());
  ASSERT_TRUE(eventually([&] { return b.status().applied_index == a.status().applied_index; }));
  const auto before = b.status().members.size();
  EXPECT_EQ(before, 3U);
  const auto may_go_on_alone = [&] {
    return b.wait_for([&](Manager::Done done) { b.manager->require_no_quorum(std::move(done)); });
  };
  const Status healthy = may_go_on_alone();
  ASSERT_FALSE(healthy.ok());
  EXPECT_EQ(healthy.error().code, ErrorClass::kConflict);
  EXPECT_THAT(healthy.error().message, HasSubstr("have their quorum (3 voters)"));
  a.stop();
  c.stop();
  ASSERT_TRUE(eventually([&] { return !b.status().quorum_lost.empty(); }));
  EXPECT_THAT(b.status().quorum_lost, HasSubstr("2 of 3 do not answer"));
  const grpc::Status refused = create_network(b, "lost");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), HasSubstr("--force-new-cluster"));
  EXPECT_TRUE(may_go_on_alone().ok());

  b.stop();
  b.open();
  const Status alone =
      b.wait_for([&](Manager::Done done) { b.manager->refound(std::nullopt, std::move(done)); });
  ASSERT_TRUE(alone.ok()) << alone.error().message;
  EXPECT_TRUE(b.status().is_leader);
  EXPECT_EQ(b.status().members.size(), 1U);
  EXPECT_TRUE(create_network(b, "later").ok());
  EXPECT_EQ(create_network(b, "web").error_code(), grpc::StatusCode::ALREADY_EXISTS);

  // It is that way after a restart too.
  b.stop();
  b.open();
  ASSERT_TRUE(b.strand->call([&] { return b.manager->resume(); }).ok());
  ASSERT_TRUE(eventually([&] { return b.status().is_leader; }));
  EXPECT_EQ(b.status().members.size(), 1U);

  // Both others come back, a majority of the group they knew.
  std::atomic<int> told = 0;
  for (Host* former : {&a, &c}) {
    former->open();
    const Status resumed = former->strand->call([&] {
      former->manager->on_removed([&told] { ++told; });
      return former->manager->resume();
    });
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  }
  EXPECT_TRUE(eventually([&] { return told == 2; }));
}

TEST_F(ManagerTest, ABackupIsTheWholeStateAndBecomesAClusterOfItsOwn) {
  Host& a = *hosts_[0];
  ASSERT_TRUE(create_network(a, "web").ok());
  std::promise<Result<Manager::Copy>> promise;
  a.strand->post(
      [&] { a.manager->backup([&](auto copy) { promise.set_value(std::move(copy)); }); });
  const auto copy = promise.get_future().get();
  ASSERT_TRUE(copy.ok()) << copy.error().message;
  EXPECT_EQ(copy->notice, "");
  EXPECT_FALSE(copy->locked);
  const auto backup = decode_backup(copy->file, "");
  ASSERT_TRUE(backup.ok()) << backup.error().message;
  EXPECT_EQ(backup->header.networks, 1U);
  Restoration restoration{wire::decode_snapshot(backup->state).value(), backup->header.index,
                          backup->header.term, Node{}};
  Host& other = add_host("other");
  std::array<uint8_t, 16> random;
  rng_.fill(random);
  other.id = restoration.self.id = NodeId::from_random(random);
  other.cluster = a.cluster;
  const auto request = make_signing_request().value();
  other.write_identity(
      *sign_node_certificate(root_, request.csr, {other.id, other.cluster, Role::kManager},
                             std::chrono::hours(1), clock_.wall()),
      request.private_key, root_.certificate);
  a.stop();
  other.open();
  const Status restored = other.wait_for(
      [&](Manager::Done done) { other.manager->refound(restoration, std::move(done)); });
  ASSERT_TRUE(restored.ok()) << restored.error().message;
  EXPECT_EQ(create_network(other, "web").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(create_network(other, "later").ok());
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
