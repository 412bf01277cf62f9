// mTLS over loopback with a real server: who gets in as whom.
#include "manager/security/credentials.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/runtime/files.h"
#include "base/runtime/system_ports.h"
#include "manager/security/x509.h"
#include "proto/ca.grpc.pb.h"

namespace shoal::manager {
namespace {

// Answers with what it knows of its caller.
class EchoCaller final : public ca::Ca::Service {
  grpc::Status GetRootCertificate(grpc::ServerContext* context,
                                  const ca::GetRootCertificateRequest*,
                                  ca::GetRootCertificateResponse* response) override {
    const Caller caller = caller_of(*context);
    response->set_root_certificate(!caller.authenticated           ? "stranger"
                                   : caller.role == Role::kManager ? "manager " + caller.node.str()
                                                                   : "worker " + caller.node.str());
    return grpc::Status::OK;
  }
};

class Credentials : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shoal-credentials-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    server_ = serve(identity("server", root_, kServer, Role::kManager));
  }
  void TearDown() override {
    server_->Shutdown();
    std::filesystem::remove_all(directory_);
  }

  IdentityFiles identity(const std::string& name, const KeyPair& root, const NodeId& node,
                         Role role, WallTime now = SystemClock().wall()) {
    const SigningRequest request = make_signing_request().value();
    const IdentityFiles files{directory_ + "/" + name + ".crt", directory_ + "/" + name + ".key",
                              directory_ + "/" + name + ".root"};
    const auto certificate = sign_node_certificate(root, request.csr, {node, kCluster, role},
                                                   std::chrono::hours(1), now);
    EXPECT_TRUE(write_file_atomic(files.private_key, request.private_key).ok());
    EXPECT_TRUE(write_file_atomic(files.certificate, *certificate).ok());
    EXPECT_TRUE(write_file_atomic(files.root_certificate, root.certificate).ok());
    return files;
  }
  std::unique_ptr<grpc::Server> serve(const IdentityFiles& files) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", server_credentials(files), &port);
    builder.RegisterService(&service_);
    auto server = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    return server;
  }
  std::string ask(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    ca::GetRootCertificateResponse response;
    const auto status = ca::Ca::NewStub(channel)->GetRootCertificate(&context, {}, &response);
    return status.ok() ? response.root_certificate() : "refused";
  }

  const NodeId kServer{"0000000000000000000000001"};
  const NodeId kClient{"0000000000000000000000002"};
  const ClusterId kCluster{"00000000000000000000000a1"};
  std::string directory_;
  std::string address_;
  KeyPair root_ = make_root_ca(SystemClock().wall()).value();
  EchoCaller service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(Credentials, ServerKnowsItsCaller) {
  EXPECT_EQ(ask(manager_channel(identity("w", root_, kClient, Role::kWorker), address_)),
            "worker " + kClient.str());
  EXPECT_EQ(ask(manager_channel(identity("m", root_, kClient, Role::kManager), address_)),
            "manager " + kClient.str());
  EXPECT_EQ(ask(joining_channel(root_.certificate, address_)), "stranger");
  EXPECT_EQ(ask(unverified_channel(address_)), "stranger");
}

TEST_F(Credentials, OtherClustersAreRefusedBothWays) {
  const KeyPair other = make_root_ca(SystemClock().wall()).value();
  EXPECT_EQ(ask(joining_channel(other.certificate, address_)), "refused");
  IdentityFiles forged = identity("f", other, kClient, Role::kManager);
  ASSERT_TRUE(write_file_atomic(forged.root_certificate, root_.certificate).ok());
  EXPECT_EQ(ask(manager_channel(forged, address_)), "refused")
      << "a certificate of another root does not pass as a stranger either";
}

TEST_F(Credentials, AnExpiredCertificateIsRefused) {
  const WallTime now = SystemClock().wall();
  const WallTime past{now.nanoseconds - std::chrono::nanoseconds(std::chrono::hours(3)).count()};
  EXPECT_EQ(ask(manager_channel(identity("x", root_, kClient, Role::kManager, past), address_)),
            "refused")
      << "it does not pass as a stranger either";
}

TEST_F(Credentials, AWorkerCannotPoseAsAManager) {
  server_->Shutdown();
  server_ = serve(identity("fake", root_, kClient, Role::kWorker));
  EXPECT_EQ(ask(joining_channel(root_.certificate, address_)), "refused");
}

TEST(GrpcStatus, RoundTrip) {
  for (int code = 0; code <= static_cast<int>(ErrorClass::kInternal); ++code) {
    const Error error{static_cast<ErrorClass>(code), "why"};
    EXPECT_EQ(from_grpc(to_grpc(error)), error);
  }
}

}  // namespace
}  // namespace shoal::manager
