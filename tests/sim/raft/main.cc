// raft_sim [--seeds=FIRST-LAST [--until-failure] | --seed=N [--trace]]: runs one cluster per seed.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/raft/cluster.h"

namespace {

volatile uint64_t running_seed = 0;

// A failed SHOAL_CHECK must name its seed too.
void name_seed(int) {
  std::fprintf(stderr, "aborted in seed %llu: replay with --seed=%llu --trace\n",
               static_cast<unsigned long long>(running_seed),
               static_cast<unsigned long long>(running_seed));
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, name_seed);
  uint64_t first = 1;
  uint64_t last = 200;
  bool trace = false;
  bool until_failure = false;
  for (int i = 1; i < argc; ++i) {
    char* rest = nullptr;
    if (std::strncmp(argv[i], "--seeds=", 8) == 0) {
      first = std::strtoull(argv[i] + 8, &rest, 10);
      last = *rest == '-' ? std::strtoull(rest + 1, nullptr, 10) : first;
    } else if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      first = last = std::strtoull(argv[i] + 7, nullptr, 10);
    } else if (std::strcmp(argv[i], "--trace") == 0) {
      trace = true;
    } else if (std::strcmp(argv[i], "--until-failure") == 0) {
      until_failure = true;
    } else {
      std::fprintf(stderr,
                   "usage: %s [--seeds=FIRST-LAST | --seed=N] [--until-failure] [--trace]\n",
                   argv[0]);
      return 2;
    }
  }
  int failed = 0;
  shoal::sim::Totals totals;
  for (uint64_t seed = first; seed <= last; ++seed) {
    running_seed = seed;
    shoal::sim::Cluster cluster(seed, trace);
    const auto violation = cluster.run();
    totals.add(cluster.totals());
    if (!violation) continue;
    ++failed;
    std::printf("seed %llu: %s\n  replay: %s --seed=%llu --trace\n",
                static_cast<unsigned long long>(seed), violation->c_str(), argv[0],
                static_cast<unsigned long long>(seed));
    if (until_failure) break;
  }
  std::printf("%llu seeds, %d failed\n", static_cast<unsigned long long>(last - first + 1), failed);
  bool all_seen = true;
  for (const auto& [what, count] : totals.list()) {
    std::printf("%12llu %s\n", static_cast<unsigned long long>(count), what.c_str());
    all_seen = all_seen && count != 0;
  }
  // A hundred lives that never met one of these no longer test what they are for.
  if (last - first >= 99 && !all_seen) return 1;
  return failed == 0 ? 0 : 1;
}
