// raft_sim [--seeds=FIRST-LAST [--until-failure] | --seed=N] [--trace] [--digests]
//          [--marks] [--require-marks]: runs one cluster per seed.
//
//   --trace          everything that happens, messages too
//   --digests        one line for each seed: a digest of what --trace would print
//   --marks          how often each mark in raft (base/types/mark.h) was reached
//   --require-marks  fails when one was not
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "base/types/mark.h"
#include "tests/sim/raft/cluster.h"

namespace {

volatile uint64_t running_seed = 0;

// A failed SHOAL_CHECK must name its seed too.
void name_seed(int) {
  std::fprintf(stderr, "aborted in seed %llu: replay with --seed=%llu --trace\n",
               static_cast<unsigned long long>(running_seed),
               static_cast<unsigned long long>(running_seed));
}

struct Options {
  uint64_t first = 1;
  uint64_t last = 200;
  bool trace = false;
  bool until_failure = false;
  bool digests = false;
  bool marks = false;
  bool require_marks = false;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    char* rest = nullptr;
    const std::string argument = argv[i];
    if (argument.starts_with("--seeds=")) {
      options.first = std::strtoull(argv[i] + 8, &rest, 10);
      options.last = *rest == '-' ? std::strtoull(rest + 1, nullptr, 10) : options.first;
    } else if (argument.starts_with("--seed=")) {
      options.first = options.last = std::strtoull(argv[i] + 7, nullptr, 10);
    } else if (argument == "--trace") {
      options.trace = true;
    } else if (argument == "--until-failure") {
      options.until_failure = true;
    } else if (argument == "--digests") {
      options.digests = true;
    } else if (argument == "--marks") {
      options.marks = true;
    } else if (argument == "--require-marks") {
      options.require_marks = true;
    } else {
      return false;
    }
  }
  return true;
}

// False when one was never reached. A mark in code that was compiled for several types is one.
bool print_marks() {
  std::map<std::string, uint64_t> counts;
  for (const shoal::Mark* mark = shoal_marks_begin; mark != shoal_marks_end; ++mark) {
    counts[mark->name] += mark->count;
  }
  size_t missed = 0;
  for (const auto& [name, count] : counts) {
    std::printf("%12llu %s%s\n", static_cast<unsigned long long>(count), name.c_str(),
                count == 0 ? "   NEVER REACHED" : "");
    missed += count == 0 ? 1 : 0;
  }
  std::printf("%zu marks, %zu never reached\n", counts.size(), missed);
  return missed == 0 && !counts.empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, name_seed);
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: %s [--seeds=FIRST-LAST | --seed=N] [--until-failure] [--trace] "
                 "[--digests] [--marks] [--require-marks]\n",
                 argv[0]);
    return 2;
  }
  int failed = 0;
  shoal::sim::Totals totals;
  for (uint64_t seed = options.first; seed <= options.last; ++seed) {
    running_seed = seed;
    shoal::sim::Cluster cluster(seed, options.trace);
    const auto violation = cluster.run();
    totals.add(cluster.totals());
    if (options.digests) {
      std::printf("seed %llu digest %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(cluster.trace_digest()));
    }
    if (!violation) continue;
    ++failed;
    std::printf("seed %llu: %s\n  replay: %s --seed=%llu --trace\n",
                static_cast<unsigned long long>(seed), violation->c_str(), argv[0],
                static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    if (options.until_failure) break;
  }
  std::printf("%llu seeds, %d failed\n",
              static_cast<unsigned long long>(options.last - options.first + 1), failed);
  bool all_seen = true;
  for (const auto& [what, count] : totals.list()) {
    std::printf("%12llu %s\n", static_cast<unsigned long long>(count), what.c_str());
    all_seen = all_seen && count != 0;
  }
  const bool all_reached = !(options.marks || options.require_marks) || print_marks();
  if (options.require_marks && !all_reached) return 1;
  // A hundred lives that never met one of these no longer test what they are for.
  if (options.last - options.first >= 99 && !all_seen) return 1;
  return failed == 0 ? 0 : 1;
}
