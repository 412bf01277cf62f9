#include "manager/security/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <map>
#include <mutex>

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

constexpr unsigned kReloadSeconds = 1;      // how soon a renewed certificate is used
constexpr int kMaxMessageBytes = 16 << 20;  // a complete assignment of a large cluster
constexpr int kKeepaliveMs = 2'000;         // a silent peer is noticed within two of these
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1'000;

// One watcher (and its thread) per identity, however many channels use it.
std::shared_ptr<CertificateProviderInterface> provider_of(const IdentityFiles& files) {
  static std::mutex mutex;  // guards providers
  static std::map<std::string, std::weak_ptr<CertificateProviderInterface>> providers;
  const std::lock_guard lock(mutex);
  auto& slot =
      providers[files.certificate + '\0' + files.private_key + '\0' + files.root_certificate];
  auto provider = slot.lock();
  if (!provider) {
    provider = std::make_shared<FileWatcherCertificateProvider>(
        files.private_key, files.certificate, files.root_certificate, kReloadSeconds);
    slot = provider;
  }
  return provider;
}

std::shared_ptr<grpc::Channel> channel_with(const TlsChannelCredentialsOptions& options,
                                            const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kManagerServerName);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  // Channels to one address with different identities must not share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
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

Caller caller_of(const grpc::ServerContextBase& context) {
  Caller caller;
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return caller;
  const auto values = auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (values.size() != 1) return caller;
  const auto info = read_certificate({values[0].data(), values[0].size()});
  if (!info) return caller;  // signed by our root, but not a node's: no claims
  caller.authenticated = true;
  caller.node = info->claims.node;
  caller.cluster = info->claims.cluster;
  caller.role = info->claims.role;
  return caller;
}

grpc::Status to_grpc(const Error& error) {
  using grpc::StatusCode;
  StatusCode code = StatusCode::INTERNAL;
  switch (error.code) {
    case ErrorClass::kInvalidArgument:
      code = StatusCode::INVALID_ARGUMENT;
      break;
    case ErrorClass::kNotFound:
      code = StatusCode::NOT_FOUND;
      break;
    case ErrorClass::kAlreadyExists:
      code = StatusCode::ALREADY_EXISTS;
      break;
    case ErrorClass::kConflict:
      code = StatusCode::FAILED_PRECONDITION;
      break;
    case ErrorClass::kUnauthenticated:
      code = StatusCode::UNAUTHENTICATED;
      break;
    case ErrorClass::kPermissionDenied:
      code = StatusCode::PERMISSION_DENIED;
      break;
    case ErrorClass::kResourceExhausted:
      code = StatusCode::RESOURCE_EXHAUSTED;
      break;
    case ErrorClass::kUnavailable:
      code = StatusCode::UNAVAILABLE;
      break;
    case ErrorClass::kDeadlineExceeded:
      code = StatusCode::DEADLINE_EXCEEDED;
      break;
    case ErrorClass::kDataLoss:
      code = StatusCode::DATA_LOSS;
      break;
    case ErrorClass::kUnimplemented:
      code = StatusCode::UNIMPLEMENTED;
      break;
    case ErrorClass::kInternal:
      break;
  }
  return {code, error.message};
}

Error from_grpc(const grpc::Status& status) {
  using grpc::StatusCode;
  const std::string& message = status.error_message();
  switch (status.error_code()) {
    case StatusCode::INVALID_ARGUMENT:
    case StatusCode::OUT_OF_RANGE:
      return invalid_argument(message);
    case StatusCode::NOT_FOUND:
      return not_found(message);
    case StatusCode::ALREADY_EXISTS:
      return already_exists(message);
    case StatusCode::FAILED_PRECONDITION:
    case StatusCode::ABORTED:
      return conflict(message);
    case StatusCode::UNAUTHENTICATED:
      return unauthenticated(message);
    case StatusCode::PERMISSION_DENIED:
      return permission_denied(message);
    case StatusCode::RESOURCE_EXHAUSTED:
      return resource_exhausted(message);
    case StatusCode::UNAVAILABLE:
    case StatusCode::CANCELLED:
      return unavailable(message);
    case StatusCode::DEADLINE_EXCEEDED:
      return deadline_exceeded(message);
    case StatusCode::DATA_LOSS:
      return data_loss(message);
    case StatusCode::UNIMPLEMENTED:
      return unimplemented(message);
    default:
      return internal_error(message);
  }
}

}  // namespace shoal::manager
