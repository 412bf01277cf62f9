#include "manager/security/tls_contexts.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>

#include "base/runtime/files.h"
#include "manager/security/x509.h"

namespace shoal::manager {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::chrono::seconds kLook{1};

struct Identity {
  std::string certificate;
  std::string private_key;
  std::string root;
};

Result<Identity> read(const IdentityFiles& files) {
  Identity out;
  out.certificate = SHOAL_TRY(read_file(files.certificate));
  out.private_key = SHOAL_TRY(read_file(files.private_key));
  out.root = SHOAL_TRY(read_file(files.root_certificate));
  // They are replaced one after the other.
  SHOAL_TRY(check_key_matches(out.certificate, out.private_key));
  return out;
}

Result<TlsContexts::Context> make(const Identity& identity, bool client) {
  const auto context =
      std::make_shared<ssl::context>(client ? ssl::context::tls_client : ssl::context::tls_server);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION);
  // A connection lasts for weeks: nothing is to be resumed.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  // Many connections of a cluster wait: their buffers are given back.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  boost::system::error_code code;
  const auto failed = [&](const char* what) {
    return invalid_argument(std::string("this node's ") + what + ": " + code.message());
  };
  context->use_certificate_chain(boost::asio::buffer(identity.certificate), code);
  if (code) return failed("certificate");
  context->use_private_key(boost::asio::buffer(identity.private_key), ssl::context::pem, code);
  if (code) return failed("private key");
  context->add_certificate_authority(boost::asio::buffer(identity.root), code);
  if (code) return failed("root certificate");
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, code);
  if (code) return failed("certificate");
  if (client && X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(raw), kManagerServerName, 0) != 1) {
    return internal_error("no memory for a TLS context");
  }
  return TlsContexts::Context(context);
}

}  // namespace

Status TlsContexts::follow() {
  const Instant now = clock_.now();
  if (client_ && now - looked_ < kLook) return ok_status();
  looked_ = now;
  const auto renew = [this]() -> Status {
    const Identity identity = SHOAL_TRY(read(files_));
    const std::string all = identity.certificate + identity.private_key + identity.root;
    if (all == identity_) return ok_status();
    Context client = SHOAL_TRY(make(identity, true));
    server_ = SHOAL_TRY(make(identity, false));
    client_ = std::move(client);
    identity_ = all;
    return ok_status();
  };
  const Status renewed = renew();
  return client_ ? ok_status() : renewed;
}

Result<TlsContexts::Context> TlsContexts::client() {
  SHOAL_TRY(follow());
  return client_;
}

Result<TlsContexts::Context> TlsContexts::server() {
  SHOAL_TRY(follow());
  return server_;
}

Caller caller_of(SSL& tls) {
  const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(&tls),
                                                         X509_free);
  if (!peer || SSL_get_verify_result(&tls) != X509_V_OK) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (!out || PEM_write_bio_X509(out.get(), peer.get()) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return caller_with(std::string(text, static_cast<size_t>(size)));
}

}  // namespace shoal::manager
