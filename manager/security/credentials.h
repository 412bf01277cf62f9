// mTLS for gRPC: servers and channels of a node, from its identity files, followed when they are
// renewed.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "base/rpc/status.h"
#include "base/types/result.h"
#include "manager/security/policy.h"

namespace shoal::manager {

// Files of one node's identity (PEM). Replaced as a pair on renewal; credentials re-read them
// within seconds.
struct IdentityFiles {
  std::string certificate;
  std::string private_key;
  std::string root_certificate;
};

// Asks clients for a certificate and verifies it if one is shown; calls without one reach only what
// authorize() lets anyone do.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const IdentityFiles& files);

// A channel to a manager (any manager of this cluster: the server must show a manager's
// certificate). `address` is "HOST:PORT".
std::shared_ptr<grpc::Channel> manager_channel(const IdentityFiles& files,
                                               const std::string& address);

// For a host that is not a node yet: the server is verified against `root_certificate` (PEM) only.
std::shared_ptr<grpc::Channel> joining_channel(const std::string& root_certificate,
                                               const std::string& address);
// TLS without verifying the server: only to fetch the root certificate that a token's digest then
// checks.
std::shared_ptr<grpc::Channel> unverified_channel(const std::string& address);

// Who shows this certificate (PEM), whose chain was verified.
Caller caller_with(const std::string& certificate);
// Who is calling, from the TLS peer certificate of a call.
Caller caller_of(const grpc::ServerContextBase& context);

using shoal::from_grpc;
using shoal::to_grpc;

}  // namespace shoal::manager
