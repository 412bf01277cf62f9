// How this host gets and renews its certificate: the calls of proto/ca.proto. Blocking; not on the
// strand.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "manager/model/objects.h"
#include "manager/security/credentials.h"

namespace shoal::node {

// For all tries together: an election, and a slow link.
inline constexpr Duration kCertificateDeadline = std::chrono::seconds(20);
// One manager's answer.
inline constexpr Duration kCaTryDeadline = std::chrono::seconds(5);

struct Issued {
  NodeId node;
  ClusterId cluster;
  manager::Role role = manager::Role::kWorker;
  std::string certificate;
  std::string private_key;
  std::string root_certificate;
  std::vector<HostPort> managers;
  uint16_t data_path_port = 0;
};

// `token` as `shoal join-token` prints it. It names the cluster, so the root certificate is fetched
// from a stranger, compared, and only then is the secret shown. kUnavailable when nobody listens;
// kUnauthenticated when the root is another one or the secret is not (any more) the cluster's;
// kInvalidArgument for a bad token. `stop` ends it with kUnavailable.
Result<Issued> request_certificate(const std::string& token, const std::vector<HostPort>& remotes,
                                   const manager::NodeDescription& description,
                                   manager::Availability availability, Clock& clock,
                                   const std::stop_token& stop);

struct Renewed {
  std::string certificate;
  std::string private_key;
  std::string root_certificate;
  manager::Role role = manager::Role::kWorker;
};

// A certificate with the role that the managers want this node to have.
Result<Renewed> renew_certificate(const manager::IdentityFiles& files,
                                  std::vector<HostPort> managers, Clock& clock,
                                  const std::stop_token& stop);

}  // namespace shoal::node
