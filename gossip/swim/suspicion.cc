#include "gossip/swim/suspicion.h"

#include <cmath>

namespace shoal::gossip {

size_t quorum(const SwimConfig& config, size_t others) {
  return std::min(config.quorum, 1 + others);
}

Duration suspicion_time(const SwimConfig& config, size_t nodes, size_t quorum) {
  const double decades = std::log10(static_cast<double>(std::max<size_t>(1, nodes)));
  const double time = static_cast<double>(config.suspicion_base.count()) +
                      static_cast<double>(config.suspicion_per_decade.count()) * decades;
  const double patience = quorum >= 3 ? 1 : quorum == 2 ? 1.5 : 2;
  return Duration(static_cast<int64_t>(time * patience));
}

}  // namespace shoal::gossip
