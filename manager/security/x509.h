// X.509 for a cluster: root CA, node certificates, what a certificate says. With tls_contexts.h the
// one user of OpenSSL.
//
// ECDSA P-256. Root: CN "shoal-ca", 20 years. Node: O = cluster id, OU = "shoal-worker" |
// "shoal-manager", CN = node id, subject alternative names DNS:<node id> and DNS:<OU>; valid from
// one hour before issue. Thread-safe: no shared state.
#pragma once

#include <string>

#include "base/types/id.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "manager/model/objects.h"

namespace shoal::manager {

struct KeyPair {
  std::string certificate;  // PEM
  std::string private_key;  // PEM, PKCS #8
};

struct SigningRequest {
  std::string csr;          // PEM
  std::string private_key;  // PEM
};

struct NodeCertificateClaims {
  NodeId node;
  ClusterId cluster;
  Role role = Role::kWorker;
};

struct CertificateInfo {
  NodeCertificateClaims claims;
  WallTime not_before;
  WallTime issued_at;  // not_before without the allowance for clocks that differ
  WallTime not_after;
};

// The DNS name every manager's certificate carries: what clients verify when they do not care which
// manager.
inline constexpr char kManagerServerName[] = "shoal-manager";

Result<KeyPair> make_root_ca(WallTime now);
Result<SigningRequest> make_signing_request();
// Takes only the public key of `csr`; kInvalidArgument when it is not one or its signature is
// wrong.
Result<std::string> sign_node_certificate(const KeyPair& root, std::string_view csr,
                                          const NodeCertificateClaims& claims, Duration validity,
                                          WallTime now);
// kInvalidArgument when the PEM is not a node certificate of a Shoal cluster.
Result<CertificateInfo> read_certificate(std::string_view certificate);
// kUnauthenticated when `certificate` was not signed by `root_certificate` or is not valid at
// `now`.
Status verify_certificate(std::string_view certificate, std::string_view root_certificate,
                          WallTime now);
// kInvalidArgument when the key does not belong to the certificate.
Status check_key_matches(std::string_view certificate, std::string_view private_key);

}  // namespace shoal::manager
