// What is done to a world, and what must be true afterwards.
#pragma once

#include <string>

#include "tests/sim/gossip/world.h"

namespace shoal::gossip::sim {

struct Outcome {
  std::string failure;  // empty when all held
  size_t nodes = 0;
  double converged_ms = 0;  // from healing to every node right
};

// Chaos of all kinds in a cluster of 3-12 nodes, healing, convergence.
Outcome run_chaos(uint64_t seed);

struct Figures {
  std::string failure;
  size_t nodes = 0;
  double formed_ms = 0;                // from start to everybody knows everybody
  double announce_ms = 0;              // median: from put to shown everywhere
  double failed_ms = 0;                // worst: from a cut to failed everywhere
  double healed_ms = 0;                // worst: from healing to right everywhere
  double packets_per_node_second = 0;  // idle
  double bytes_per_node_second = 0;
};

// A quiet cluster, measured: forming, announcing, a cut host and its return.
Figures measure(uint64_t seed, size_t nodes);

}  // namespace shoal::gossip::sim
