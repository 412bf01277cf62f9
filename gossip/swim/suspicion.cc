#include "gossip/swim/suspicion.h"

#include <cmath>

namespace shoal::gossip {

namespace {

double decades(size_t nodes) { return std::log10(static_cast<double>(std::max<size_t>(1, nodes))); }

Duration times(Duration duration, double factor) {
  return Duration(static_cast<int64_t>(static_cast<double>(duration.count()) * factor));
}

}  // namespace

Duration probe_interval(const SwimConfig& config, size_t nodes) {
  const Duration shorter = times(config.probe_interval_decade, decades(nodes));
  return std::max(config.probe_interval, config.probe_interval_alone - shorter);
}

size_t quorum(const SwimConfig& config, size_t others) {
  return std::min(config.quorum, 1 + others);
}

Duration suspicion_time(const SwimConfig& config, size_t nodes, size_t quorum) {
  const Duration time = config.suspicion_base + times(config.suspicion_per_decade, decades(nodes));
  return times(time, quorum >= 3 ? 1 : quorum == 2 ? 1.5 : 2);
}

}  // namespace shoal::gossip
