// Figures: what gossip costs and how fast it is, measured in the simulator under a stated model.
//
//   quiet      changes one at a time, all nodes in one network: until everybody shows them
//   churn      each node changes an entry every second, one in ten restarts every minute
//   death      hosts go silent: until everybody knows
//   starved    one node in ten gets no CPU, or little, for 30 s at a time: who is declared failed
//   partition  halves, one host, thirds, parts at random, halves with a node in both, one way,
//              flapping links: until the tables are equal again
//   idle       nothing happens: bytes and packets
//
// Every figure also says how many nodes were falsely declared failed (the rule is in truth.h), and
// is void when an observer found a broken rule.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/gossip/world.h"

namespace shoal::gossip::sim {

struct FigureOptions {
  std::vector<std::string> figures;  // one after the other in the same world
  uint32_t nodes = 25;
  uint64_t seed = 1;
  Model model = lan_model();
  // How long it is watched, or a partition lasts; 0: the figure's own.
  Duration duration{0};
  Shell shell = Shell::kBatches;
  std::function<void()> formed;                          // called when the cluster is ready
  std::function<void(const struct FigureResult&)> done;  // called after each figure
};

struct FigureResult {
  std::string figure;
  std::string failure;                                 // empty: nothing was broken
  std::vector<std::pair<std::string, double>> values;  // names end in their unit
  std::string slowest;                                 // of the changes, in words
  double virtual_s = 0;                                // without the forming, as the events
  uint64_t events = 0;
  uint64_t trace = 0;
};

// In the order asked for. kInvalidArgument for a figure that is not known.
Result<std::vector<FigureResult>> run_figures(const FigureOptions& options);

// {"figure": ..., "nodes": ..., "seed": ..., "model": {...}, "values": {...}, ...}
std::string to_json(const FigureOptions& options, const FigureResult& result, double wall_s,
                    double rss_mb);

}  // namespace shoal::gossip::sim
