// What is done to a world, and what must be true afterwards.
#pragma once

#include <string>

#include "tests/sim/gossip/world.h"

namespace shoal::gossip::sim {

struct Outcome {
  std::string failure;  // empty when all held
  uint32_t nodes = 0;
  double converged_ms = 0;  // from healing to every node right
  uint64_t false_failures = 0;
  uint64_t withdrawn = 0;  // of nodes that had just started
  uint64_t trace = 0;
};

// Chaos of all kinds in a cluster of 3-12 nodes, or 3-40 in one seed of ten, healing, convergence.
Outcome run_chaos(uint64_t seed, const World::Plant& plant = {});

struct Bounds {
  std::string failure;
  uint32_t nodes = 0;
  double formed_ms = 0;                // from start to everybody knows everybody
  double announce_ms = 0;              // median: from put to shown everywhere
  double failed_ms = 0;                // worst: from a cut to failed everywhere
  double healed_ms = 0;                // worst: from healing to right everywhere
  double packets_per_node_second = 0;  // idle
  double bytes_per_node_second = 0;
};

// A quiet cluster on a sound network, measured: forming, announcing, a cut host and its return.
Bounds measure(uint64_t seed, uint32_t nodes);

}  // namespace shoal::gossip::sim
