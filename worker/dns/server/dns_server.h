// DnsServer: the resolver at 127.0.0.11 of every attached network namespace.
//
//   namespace of a sandbox            this process                        host namespace
//   client -> 127.0.0.11:53
//     (nft DNAT) -> :port  ------->  Resolver (names, at once)
//                                    Forwarder (cache, hedging)  ------->  upstreams
//
// One UDP and one TCP socket per sandbox live inside its namespace, on one port that the caller
// redirects port 53 to. They keep the namespace alive, so stop() closes them before it returns.
// Upstreams are asked from the namespace of the daemon, so its loopback resolvers can be used.
//
// Thread rule: everything here runs on the strand, also the destructor, or while it is not running.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "base/types/id.h"
#include "worker/dns/names/name_table.h"
#include "worker/dns/policy/forwarder.h"
#include "worker/dns/policy/resolver.h"
#include "worker/dns/server/query_handler.h"

namespace shoal::worker::dns {

using SandboxKey = std::string;  // the caller's name of a namespace

struct DnsCounters {
  ResolverCounters resolver;
  ForwarderCounters forwarder;
  ListenerCounters listeners;
};

class DnsServer {
 public:
  // Per sandbox: what a parallel build in a container has been seen to open, doubled.
  static constexpr size_t kMaxTcpConnections = 32;

  DnsServer(Strand& strand, const Clock& clock, Rng& rng);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  // Opens 127.0.0.11 in the namespace of `netns_fd` (not kept; `lo` is brought up when it is down)
  // and returns the port, the same for UDP and TCP. `networks` in attach order. `may_forward` is
  // false when all of them are internal: foreign names are then answered SERVFAIL.
  // kAlreadyExists: the sandbox is served; kResourceExhausted, kInternal: the system refused.
  Result<uint16_t> serve(const SandboxKey& sandbox, int netns_fd, std::vector<NetworkId> networks,
                         bool may_forward);
  // kNotFound when the sandbox is not served.
  Status update(const SandboxKey& sandbox, std::vector<NetworkId> networks, bool may_forward);
  // Closes its sockets, before it returns. Unknown sandboxes are ignored.
  void stop(const SandboxKey& sandbox);

  NameTable& names();

  // Uses these upstreams, the best first, and no resolv.conf.
  void set_upstreams(std::vector<HostPort> upstreams);
  // Takes upstreams from this resolv.conf and follows its changes (looked for at most once a
  // second, when a query is to be forwarded).
  void follow_resolv_conf(std::string path);

  DnsCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace shoal::worker::dns
