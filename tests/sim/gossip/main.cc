// gossip_sim: runs gossip in virtual time.
//
//   gossip_sim --seeds N     N seeds of chaos; fails with the command that repeats the first
//   failure gossip_sim --seed S      one seed gossip_sim --large       figures for clusters of 3 to
//   250 nodes, against their bounds
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/sim/gossip/scenario.h"

namespace shoal::gossip::sim {
namespace {

int run_seeds(uint64_t first, uint64_t count) {
  double worst = 0;
  double sum = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const Outcome outcome = run_chaos(seed);
    if (!outcome.failure.empty()) {
      std::printf("seed %lu (%zu nodes): %s\nreplay: gossip_sim --seed %lu\n", seed, outcome.nodes,
                  outcome.failure.c_str(), seed);
      return 1;
    }
    worst = std::max(worst, outcome.converged_ms);
    sum += outcome.converged_ms;
  }
  std::printf("%lu seeds: converged after healing in %.0f ms on average, %.0f ms at worst\n", count,
              sum / static_cast<double>(count), worst);
  return 0;
}

int run_figures(const std::vector<size_t>& sizes) {
  int result = 0;
  std::printf("%6s %10s %12s %10s %10s %10s %10s\n", "nodes", "formed ms", "announce ms",
              "failed ms", "healed ms", "packets/s", "bytes/s");
  for (const size_t nodes : sizes) {
    const Figures f = measure(nodes, nodes);
    std::printf("%6zu %10.0f %12.0f %10.0f %10.0f %10.1f %10.0f\n", f.nodes, f.formed_ms,
                f.announce_ms, f.failed_ms, f.healed_ms, f.packets_per_node_second,
                f.bytes_per_node_second);
    std::fflush(stdout);
    const bool small = nodes <= 25;
    const bool good = f.failure.empty() && f.announce_ms < 100 &&
                      f.failed_ms < (small ? 6000 : 12000) && f.healed_ms < (small ? 1000 : 3000);
    if (!good) {
      std::printf("out of bounds %s\nreplay: gossip_sim --nodes %zu\n", f.failure.c_str(), nodes);
      result = 1;
    }
  }
  return result;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "--seeds") {
    return run_seeds(1, std::strtoull(arguments[1].c_str(), nullptr, 10));
  }
  if (arguments.size() == 2 && arguments[0] == "--seed") {
    return run_seeds(std::strtoull(arguments[1].c_str(), nullptr, 10), 1);
  }
  if (arguments.size() == 1 && arguments[0] == "--large") return run_figures({3, 5, 10, 25, 100});
  if (arguments.size() == 2 && arguments[0] == "--nodes") {
    return run_figures({std::strtoull(arguments[1].c_str(), nullptr, 10)});
  }
  std::fprintf(stderr, "usage: gossip_sim --seeds N | --seed S | --large | --nodes N\n");
  return 2;
}

}  // namespace
}  // namespace shoal::gossip::sim

int main(int argc, char** argv) { return shoal::gossip::sim::run({argv + 1, argv + argc}); }
