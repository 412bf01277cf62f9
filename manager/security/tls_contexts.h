// TlsContexts: mTLS for connections that gRPC does not make: OpenSSL contexts from a node's
// identity files, made anew when these are renewed (looked at once a second at most).
//
// Thread rule: one thread at a time.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "manager/security/credentials.h"

namespace boost::asio::ssl {
class context;
}

namespace shoal::manager {

class TlsContexts {
 public:
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  TlsContexts(IdentityFiles files, const Clock& clock) : files_(std::move(files)), clock_(clock) {}

  // TLS 1.3. To a manager of this cluster, whichever: the other side must show a manager's
  // certificate. An error of the files only when there were never good ones.
  Result<Context> client();
  // From a node of this cluster: it must show a certificate; caller_of() says whose.
  Result<Context> server();

 private:
  Status follow();

  const IdentityFiles files_;
  const Clock& clock_;
  Instant looked_;
  std::string identity_;  // what the contexts are made of
  Context client_;
  Context server_;
};

// Who is at the other end of a connection whose handshake is done.
Caller caller_of(SSL& tls);

}  // namespace shoal::manager
