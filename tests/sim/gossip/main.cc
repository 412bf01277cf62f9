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
  uint64_t trace = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const Outcome outcome = run_chaos(seed);
    trace = mix(trace, outcome.trace);
    if (!outcome.failure.empty()) {
      std::printf("seed %lu (%u nodes): %s\nreplay: gossip_sim --seed %lu\n", seed, outcome.nodes,
                  outcome.failure.c_str(), seed);
      return 1;
    }
    worst = std::max(worst, outcome.converged_ms);
    sum += outcome.converged_ms;
  }
  std::printf("%lu seeds: converged after healing in %.0f ms on average, %.0f ms at worst\n", count,
              sum / static_cast<double>(count), worst);
  std::printf("trace %016lx\n", trace);
  return 0;
}

int run_bounds(const std::vector<uint32_t>& sizes) {
  int result = 0;
  std::printf("%6s %10s %12s %10s %10s %10s %10s\n", "nodes", "formed ms", "announce ms",
              "failed ms", "healed ms", "packets/s", "bytes/s");
  for (const uint32_t nodes : sizes) {
    const Bounds f = measure(nodes, nodes);
    std::printf("%6u %10.0f %12.0f %10.0f %10.0f %10.1f %10.0f\n", f.nodes, f.formed_ms,
                f.announce_ms, f.failed_ms, f.healed_ms, f.packets_per_node_second,
                f.bytes_per_node_second);
    std::fflush(stdout);
    const bool small = nodes <= 25;
    const bool good = f.failure.empty() && f.announce_ms < 100 &&
                      f.failed_ms < (small ? 6000 : 12000) && f.healed_ms < (small ? 1000 : 3000);
    if (!good) {
      std::printf("out of bounds %s\nreplay: gossip_sim --nodes %u\n", f.failure.c_str(), nodes);
      result = 1;
    }
  }
  return result;
}

}  // namespace
}  // namespace shoal::gossip::sim

int main(int argc, char** argv) {
  using namespace shoal::gossip::sim;
  std::string a = argc > 1 ? argv[1] : "";
  uint64_t n = argc > 2 ? strtoull(argv[2], nullptr, 10) : 0;
  if (a == "--seeds") return run_seeds(1, n);
  if (a == "--seed") return run_seeds(n, 1);
  if (a == "--large") return run_bounds({3, 5, 10, 25, 100});
  return run_bounds({static_cast<uint32_t>(n)});
}
