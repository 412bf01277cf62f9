#include "manager/security/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <mutex>
#include <unordered_map>

#include "manager/security/x509.h"

namespace shoal::manager {
namespace {

using grpc::experimental::CertificateProviderInterface;
using grpc::experimental::FileWatcherCertificateProvider;
using grpc::experimental::HostNameCertificateVerifier;
using grpc::experimental::NoOpCertificateVerifier;
using grpc::experimental::StaticDataCertificateProvider;
using grpc::experimental::TlsChannelCredentialsOptions;
using grpc::experimental::TlsServerCredentialsOptions;

constexpr unsigned kReloadSeconds = 5;      // how soon a renewed certificate is used
constexpr int kMaxMessageBytes = 16 << 20;  // a complete assignment of a large cluster
// A ping when nothing was heard for so long: not between a session's heartbeats. Gossip notices
// earlier that a host is gone (Session::doubt).
constexpr int kKeepaliveMs = 6'000;
constexpr int kKeepaliveAnswerMs = 2'000;
constexpr int kStreamWindowBytes = 1 << 20;
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1'000;
// Certificates that call: the nodes', and their next ones.
constexpr size_t kMaxKnownCertificates = 4096;

// With a thread that looks at the files.
std::shared_ptr<CertificateProviderInterface> provider_of(const IdentityFiles& files) {
  return std::make_shared<FileWatcherCertificateProvider>(files.private_key, files.certificate,
                                                          files.root_certificate, kReloadSeconds);
}

std::shared_ptr<grpc::Channel> channel_with(const TlsChannelCredentialsOptions& options,
                                            const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kManagerServerName);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveAnswerMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  // Who calls tries again itself, and says so (LeaderCalls, SessionClient).
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Channels to one address with different identities must not share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // No pings that measure the bandwidth, one for each burst of messages; windows large enough.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  // A proxy named in the environment is for the web, not for the cluster.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::experimental::TlsCredentials(options), arguments);
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> server_credentials(const IdentityFiles& files) {
  TlsServerCredentialsOptions options(provider_of(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::Channel> manager_channel(const IdentityFiles& files,
                                               const std::string& address) {
  TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider_of(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(std::make_shared<HostNameCertificateVerifier>());
  return channel_with(options, address);
}

std::shared_ptr<grpc::Channel> joining_channel(const std::string& root_certificate,
                                               const std::string& address) {
  TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<StaticDataCertificateProvider>(root_certificate));
  options.watch_root_certs();
  options.set_certificate_verifier(std::make_shared<HostNameCertificateVerifier>());
  return channel_with(options, address);
}

std::shared_ptr<grpc::Channel> unverified_channel(const std::string& address) {
  TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<NoOpCertificateVerifier>());
  return channel_with(options, address);
}

// Parsing one costs more than a call, and a connection shows the same one with every call.
Caller caller_with(const std::string& certificate) {
  static std::mutex mutex;  // guards known
  static std::unordered_map<std::string, Caller> known;
  {
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(certificate); found != known.end()) return found->second;
  }
  Caller caller;
  const auto info = read_certificate(certificate);
  if (info) {  // else: signed by our root, but not a node's: no claims
    caller.authenticated = true;
    caller.node = info->claims.node;
    caller.cluster = info->claims.cluster;
    caller.role = info->claims.role;
  }
  const std::lock_guard lock(mutex);
  if (known.size() >= kMaxKnownCertificates) known.clear();
  known.emplace(certificate, caller);
  return caller;
}

Caller caller_of(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return {};
  const auto values = auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (values.size() != 1) return {};
  return caller_with({values[0].data(), values[0].size()});
}

}  // namespace shoal::manager
