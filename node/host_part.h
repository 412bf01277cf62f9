// HostPart: what this daemon does for its host alone, with or without a cluster: the host's own
// networks, their plane, and the resolver of every namespace, overlays' too.
//
// Thread rule: start() and the destructor block and are not called on the strand; the rest is on
// the strand. The kernel keeps what it has when this goes.
#pragma once

#include <memory>

#include "node/config/config.h"
#include "node/paths.h"
#include "worker/adapters.h"
#include "worker/local/adapters.h"
#include "worker/local/local_networks.h"
#include "worker/shared_resolvers.h"

namespace shoal::node {

class HostPart {
 public:
  // What the cluster knows, while this node is in one; null when it is not. Asked on the strand.
  using CatalogueView = std::function<const worker::Catalogue*()>;

  static Result<std::unique_ptr<HostPart>> start(const Paths& paths, const Config& config,
                                                 Strand& strand, Clock& clock, Rng& rng,
                                                 CatalogueView catalogue);
  ~HostPart();
  HostPart(const HostPart&) = delete;
  HostPart& operator=(const HostPart&) = delete;

  // What may change while it runs: upstreams, and what new networks get.
  void configure(const Config& config);

  worker::LocalNetworks& networks() { return *networks_; }
  worker::SharedResolvers& resolvers() { return *shared_; }
  // Whether a network of this host needs the namespace's resolver. From any thread.
  bool dns_needed(const worker::NamespaceRef& space) const {
    return shared_->served(worker::SharedResolvers::Part::kLocal, space);
  }

 private:
  HostPart(Strand& strand, std::string resolv_conf)
      : strand_(strand), resolv_conf_(std::move(resolv_conf)) {}

  Strand& strand_;
  const std::string resolv_conf_;
  std::unique_ptr<worker::dns::DnsServer> dns_;
  std::unique_ptr<worker::ResolversAdapter> resolvers_;
  std::unique_ptr<worker::SharedResolvers> shared_;
  std::unique_ptr<worker::LocalDirectory> disk_;
  std::unique_ptr<worker::HostKernelAdapter> kernel_;
  std::unique_ptr<worker::HostPortsAdapter> host_ports_;
  std::unique_ptr<worker::LocalNetworks> networks_;
};

}  // namespace shoal::node
