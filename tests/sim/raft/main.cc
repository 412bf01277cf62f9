// raft_sim [--seeds=FIRST-LAST | --seed=N [--trace]]: runs one cluster per seed.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/raft/cluster.h"

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t last = 200;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    char* rest = nullptr;
    if (std::strncmp(argv[i], "--seeds=", 8) == 0) {
      first = std::strtoull(argv[i] + 8, &rest, 10);
      last = *rest == '-' ? std::strtoull(rest + 1, nullptr, 10) : first;
    } else if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      first = last = std::strtoull(argv[i] + 7, nullptr, 10);
    } else if (std::strcmp(argv[i], "--trace") == 0) {
      trace = true;
    } else {
      std::fprintf(stderr, "usage: %s [--seeds=FIRST-LAST | --seed=N] [--trace]\n", argv[0]);
      return 2;
    }
  }
  int failed = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const auto violation = shoal::sim::Cluster(seed, trace).run();
    if (!violation) continue;
    ++failed;
    std::printf("seed %llu: %s\n  replay: %s --seed=%llu --trace\n",
                static_cast<unsigned long long>(seed), violation->c_str(), argv[0],
                static_cast<unsigned long long>(seed));
  }
  std::printf("%llu seeds, %d failed\n", static_cast<unsigned long long>(last - first + 1), failed);
  return failed == 0 ? 0 : 1;
}
