// Clusters of managers in one process, for the tests of the Manager: founded, joined, written to.
#pragma once

#include <gmock/gmock.h>

#include "manager/manager_test_host.h"

namespace shoal::manager::test {

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

}  // namespace shoal::manager::test
