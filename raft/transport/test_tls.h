// TLS for tests: every member has the one certificate, which signed itself.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>

#include "base/rpc/listener.h"
#include "base/types/check.h"
#include "raft/transport/transport.h"

namespace shoal::raft {

inline constexpr std::string_view kTestKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3MVV9lAfSws9/6LY\n"
    "MMwD00hOyVuUqwIn+5IFv+PmMsOhRANCAAQXqExRmiH0XfWMmAOiipuZSb9I80JO\n"
    "7hQCv3pCswjtPiOwGMDU3Z1s8WBWE1FewDvXEuiYJ5zIpwbxLHN9XxbP\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view kTestCertificate =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjDCCATKgAwIBAgIUTiHE401ZSS6DbhXMLknpKL8hnuUwCgYIKoZIzj0EAwIw\n"
    "ETEPMA0GA1UEAwwGbWVtYmVyMCAXDTI2MTEyMTE4MzcwNVoYDzIxMjYxMDI4MTgz\n"
    "NzA1WjARMQ8wDQYDVQQDDAZtZW1iZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
    "AAQXqExRmiH0XfWMmAOiipuZSb9I80JO7hQCv3pCswjtPiOwGMDU3Z1s8WBWE1Fe\n"
    "wDvXEuiYJ5zIpwbxLHN9XxbPo2YwZDAdBgNVHQ4EFgQUtOpPoGIsiLTi3bXrgp3e\n"
    "1hqsOt8wHwYDVR0jBBgwFoAUtOpPoGIsiLTi3bXrgp3e1hqsOt8wDwYDVR0TAQH/\n"
    "BAUwAwEB/zARBgNVHREECjAIggZtZW1iZXIwCgYIKoZIzj0EAwIDSAAwRQIhALBm\n"
    "KLEk32GZkUME58ZBxu3qVDqAF1M3IH3dodLpKoJ1AiAQwKYZnKt55ufMSg1uHO7P\n"
    "EtHCxf2RJ0IcKooNHr1tWg==\n"
    "-----END CERTIFICATE-----\n";

inline TlsContext test_tls() {
  namespace ssl = boost::asio::ssl;
  const auto context = std::make_shared<ssl::context>(ssl::context::tlsv13);
  context->use_certificate_chain(boost::asio::buffer(kTestCertificate));
  context->use_private_key(boost::asio::buffer(kTestKey), ssl::context::pem);
  context->add_certificate_authority(boost::asio::buffer(kTestCertificate));
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  return context;
}

inline NetTransport::Tls test_contexts() {
  return {[] { return Result<TlsContext>(test_tls()); },
          [] { return Result<TlsContext>(test_tls()); }};
}

// For snapshots; a new channel is a new connection.
inline std::shared_ptr<grpc::Channel> test_channel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// A gRPC server with `transport` as the daemon's is, on a port of its own.
struct TestServer {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<grpc::Server> server;
  uint16_t port = 0;

  // `at`: 0, or the port to listen on.
  static TestServer start(NetTransport& transport, uint16_t at) {
    TestServer out;
    auto opened = Listener::open({Ip::v4(INADDR_LOOPBACK), at});
    SHOAL_CHECK(opened.ok(), "the port is taken");
    out.listener = std::move(*opened);
    out.port = out.listener->address()->port;
    grpc::ServerBuilder builder;
    auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
    builder.RegisterService(&transport.service());
    out.server = builder.BuildAndStart();
    out.listener->start(std::move(acceptor), {.first_byte = static_cast<uint8_t>(kPreface.front()),
                                              .per_second = 1000,
                                              .take = [&transport](UniqueFd link) {
                                                transport.accept(std::move(link));
                                              }});
    return out;
  }
  void stop() {
    listener->stop();
    server->Shutdown(std::chrono::system_clock::now());
    server.reset();
  }
};

}  // namespace shoal::raft
