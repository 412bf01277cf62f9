// BridgeDriver: a Linux bridge in the host's namespace, its gateway for a way out, no traffic to or
// from other bridges.
#pragma once

#include "worker/drivers/driver.h"

namespace shoal::worker {

class BridgeDriver final : public Driver {
 public:
  // The kernel's BR_MAX_PORTS is 1024, of which it gives out 1023.
  static constexpr size_t kMostPorts = 1023;

  std::string_view name() const override { return "bridge"; }
  size_t most_endpoints() const override { return kMostPorts; }
  Status validate(const manager::NetworkSpec& spec) const override;
  vxlan::DesiredHostNetwork network(const manager::Network& network) const override;
  vxlan::DesiredEndpoint endpoint(const manager::Network& network,
                                  const Placement& placement) const override;
  Ip publishes_at(const manager::Network& network) const override;
  bool leads_out(const manager::Network& network) const override { return !network.spec.internal; }
  std::vector<std::string> explain(const manager::Network& network) const override;
};

}  // namespace shoal::worker
