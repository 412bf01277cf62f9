// Handshakes of two nodes' contexts over loopback: who is let in, and as whom.
#include "manager/security/tls_contexts.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <thread>

#include "base/runtime/files.h"
#include "base/runtime/system_ports.h"
#include "manager/security/x509.h"
#include "tests/fakes/virtual_time.h"

namespace shoal::manager {
namespace {

class TlsContextsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shoal-tls-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const IdentityFiles& files, const KeyPair& root, const NodeId& node, Role role,
             Duration validity = std::chrono::hours(1), WallTime now = SystemClock().wall()) {
    const SigningRequest request = make_signing_request().value();
    const auto certificate =
        sign_node_certificate(root, request.csr, {node, kCluster, role}, validity, now);
    ASSERT_TRUE(write_file_atomic(files.private_key, request.private_key).ok());
    ASSERT_TRUE(write_file_atomic(files.certificate, *certificate).ok());
    ASSERT_TRUE(write_file_atomic(files.root_certificate, root.certificate).ok());
  }
  IdentityFiles files(const std::string& name) {
    return {directory_ + "/" + name + ".crt", directory_ + "/" + name + ".key",
            directory_ + "/" + name + ".root"};
  }
  IdentityFiles identity(const std::string& name, const KeyPair& root, const NodeId& node,
                         Role role) {
    write(files(name), root, node, role);
    return files(name);
  }

  struct Met {
    bool client = false;  // it let the server be
    bool server = false;
    Caller caller;  // as the server sees the client
  };
  Met meet(TlsContexts& client, TlsContexts& server) {
    return meet(*client.client().value(), *server.server().value());
  }
  // In TLS 1.3 a client is done before the server has looked at it: a byte each way says more.
  Met meet(boost::asio::ssl::context& client, boost::asio::ssl::context& server) {
    namespace asio = boost::asio;
    using Socket = asio::local::stream_protocol::socket;
    asio::io_context io;
    Socket near(io);
    Socket far(io);
    asio::local::connect_pair(near, far);
    asio::ssl::stream<Socket> from(std::move(near), client);
    asio::ssl::stream<Socket> to(std::move(far), server);
    Met met;
    std::thread other([&] {
      boost::system::error_code code;
      to.handshake(asio::ssl::stream_base::server, code);
      char byte = 0;
      if (!code) asio::write(to, asio::buffer("y", 1), code);
      if (!code) to.read_some(asio::buffer(&byte, 1), code);
      met.server = !code;
      if (met.server) met.caller = caller_of(*to.native_handle());
      to.lowest_layer().close();
    });
    boost::system::error_code code;
    from.handshake(asio::ssl::stream_base::client, code);
    char byte = 0;
    if (!code) from.read_some(asio::buffer(&byte, 1), code);
    met.client = !code;
    if (!code) asio::write(from, asio::buffer("x", 1), code);
    if (code) from.lowest_layer().close();
    other.join();
    return met;
  }

  const NodeId kA{"0000000000000000000000001"};
  const NodeId kB{"0000000000000000000000002"};
  const ClusterId kCluster{"00000000000000000000000a1"};
  std::string directory_;
  SystemClock clock_;
  KeyPair root_ = make_root_ca(SystemClock().wall()).value();
  KeyPair other_root_ = make_root_ca(SystemClock().wall()).value();
};

TEST_F(TlsContextsTest, ManagersKnowEachOther) {
  TlsContexts a(identity("a", root_, kA, Role::kManager), clock_);
  TlsContexts b(identity("b", root_, kB, Role::kManager), clock_);
  const Met met = meet(a, b);
  EXPECT_TRUE(met.client);
  ASSERT_TRUE(met.server);
  EXPECT_TRUE(met.caller.authenticated);
  EXPECT_EQ(met.caller.node, kA);
  EXPECT_EQ(met.caller.cluster, kCluster);
  EXPECT_EQ(met.caller.role, Role::kManager);
}

TEST_F(TlsContextsTest, WhoIsNoManagerOfThisClusterIsNotTalkedTo) {
  TlsContexts a(identity("a", root_, kA, Role::kManager), clock_);
  TlsContexts worker(identity("w", root_, kB, Role::kWorker), clock_);
  TlsContexts foreign(identity("f", other_root_, kB, Role::kManager), clock_);
  EXPECT_FALSE(meet(a, worker).client) << "a worker in a manager's place";
  EXPECT_EQ(meet(worker, a).caller.role, Role::kWorker) << "it is let in as what it is";
  EXPECT_FALSE(meet(a, foreign).client);
  EXPECT_FALSE(meet(foreign, a).server);
  boost::asio::ssl::context nameless(boost::asio::ssl::context::tlsv13_client);
  EXPECT_FALSE(meet(nameless, *a.server().value()).server);
  boost::asio::ssl::context old(boost::asio::ssl::context::tlsv12_client);
  EXPECT_FALSE(meet(old, *a.server().value()).server);
}

TEST_F(TlsContextsTest, ACertificateThatHasExpiredIsRefused) {
  TlsContexts a(identity("a", root_, kA, Role::kManager), clock_);
  write(files("b"), root_, kB, Role::kManager, std::chrono::hours(1),
        SystemClock().wall() + -std::chrono::hours(3));
  TlsContexts late(files("b"), clock_);
  EXPECT_FALSE(meet(late, a).server);
  EXPECT_FALSE(meet(a, late).client);
}

TEST_F(TlsContextsTest, ARenewedIdentityIsUsedAndAHalfWrittenOneIsNot) {
  fakes::VirtualTime time;
  const fakes::VirtualClock clock(time);
  TlsContexts a(identity("a", root_, kA, Role::kManager), clock);
  TlsContexts server(identity("s", root_, kB, Role::kManager), clock_);
  EXPECT_EQ(meet(a, server).caller.node, kA);
  const std::string key = read_file(files("a").private_key).value();
  write(files("a"), root_, kB, Role::kManager);
  EXPECT_EQ(meet(a, server).caller.node, kA) << "not looked at again yet";
  const std::string new_key = read_file(files("a").private_key).value();
  ASSERT_TRUE(write_file_atomic(files("a").private_key, key).ok());
  time.run_until(time.now() + std::chrono::seconds(2));
  EXPECT_EQ(meet(a, server).caller.node, kA) << "the new certificate with the old key";
  ASSERT_TRUE(write_file_atomic(files("a").private_key, new_key).ok());
  time.run_until(time.now() + std::chrono::seconds(2));
  EXPECT_EQ(meet(a, server).caller.node, kB);
}

TEST_F(TlsContextsTest, WithoutFilesThereIsAnError) {
  TlsContexts none(files("none"), clock_);
  EXPECT_FALSE(none.client());
  EXPECT_FALSE(none.server());
  write(files("none"), root_, kA, Role::kManager);
  EXPECT_TRUE(none.client()) << "looked for again at once";
}

}  // namespace
}  // namespace shoal::manager
