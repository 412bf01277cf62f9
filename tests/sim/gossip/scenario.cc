#include "tests/sim/gossip/scenario.h"

#include <algorithm>

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kNetworks = 3;
constexpr size_t kKeys = 6;

NetworkId network(uint64_t number) {
  const std::string text = "net" + std::to_string(number) + "x";
  return NetworkId(text + std::string(kIdLength - text.size(), '0'));
}

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

void partition(World& world) {
  Rng& rng = world.rng();
  const bool one_way = rng.below(3) == 0;
  std::vector<bool> side;
  for (size_t i = 0; i < world.nodes().size(); ++i) side.push_back(rng.below(2) == 0);
  for (size_t a = 0; a < side.size(); ++a) {
    for (size_t b = 0; b < side.size(); ++b) {
      if (side[a] != side[b] && (!one_way || side[a])) world.block(a, b);
    }
  }
}

void one_act(World& world) {
  Rng& rng = world.rng();
  const size_t node = rng.below(world.nodes().size());
  const NetworkId net = network(rng.below(kNetworks));
  const std::string key = "k" + std::to_string(rng.below(kKeys));
  const uint64_t act = rng.below(100);
  if (act < 40) {
    world.join(node, net);
    world.put(node, net, key);
  } else if (act < 60) {
    world.remove(node, net, key);
  } else if (act < 66) {
    world.leave_network(node, net);
  } else if (act < 76) {
    world.crash(node);
  } else if (act < 88) {
    // A start finds the node down, or is a quick restart that nobody had time to notice.
    world.crash(node);
    world.start(node);
  } else if (act < 90) {
    world.leave(node);
  } else if (act < 94) {
    partition(world);
  } else if (act < 97) {
    world.heal();
  } else {
    world.conditions().loss = static_cast<double>(rng.below(30)) / 100;
    world.conditions().duplicates = static_cast<double>(rng.below(20)) / 100;
    world.conditions().max_delay = milliseconds(1 + static_cast<int64_t>(rng.below(100)));
  }
}

}  // namespace

Outcome run_chaos(uint64_t seed) {
  SeededRng sizes(seed);
  World world(seed, 3 + sizes.below(10));
  Outcome outcome;
  outcome.nodes = world.nodes().size();
  world.run_for(seconds(2));
  const size_t acts = 60 + world.rng().below(100);
  for (size_t i = 0; i < acts && world.violation().empty(); ++i) {
    one_act(world);
    world.run_for(milliseconds(static_cast<int64_t>(world.rng().below(500))));
  }
  world.heal();
  world.conditions() = Conditions();
  for (size_t i = 0; i < world.nodes().size(); ++i) {
    // The seeds run again; with none, strangers would have no way to find each other.
    if (!world.nodes()[i].core && (i < 3 || world.rng().below(2) == 0)) world.start(i);
  }
  world.refresh_seeds();
  const Instant healed = world.now();
  const bool converged =
      world.run_until([&world] { return world.difference().empty(); }, seconds(40));
  outcome.converged_ms = ms(world.now() - healed);
  if (!world.violation().empty()) {
    outcome.failure = world.violation();
    return outcome;
  }
  if (!converged) {
    outcome.failure = "not converged: " + world.difference();
    return outcome;
  }
  // And it stays so: nobody is suspected into failure in a sound network.
  for (Node& node : world.nodes()) node.failures_seen = 0;
  world.run_for(seconds(5));
  if (!world.violation().empty()) outcome.failure = world.violation();
  if (!world.difference().empty()) outcome.failure = "diverged again: " + world.difference();
  for (const Node& node : world.nodes()) {
    if (node.failures_seen > 0) outcome.failure = node.id.str() + " declared a live node failed";
  }
  return outcome;
}

Figures measure(uint64_t seed, size_t nodes) {
  World world(seed, nodes);
  Figures figures;
  figures.nodes = nodes;
  const auto settled = [&world] { return world.difference().empty(); };
  const auto check = [&](const std::string& what, bool held) {
    if (!held && figures.failure.empty()) {
      figures.failure = what + ": " + world.violation() + " " + world.difference();
    }
  };
  const Instant begin = world.now();
  check("forming", world.run_until(settled, seconds(60)));
  figures.formed_ms = ms(world.now() - begin);
  for (size_t i = 0; i < nodes; ++i) world.join(i, network(0));
  world.run_for(seconds(10));

  std::vector<double> announced;
  for (int i = 0; i < 11; ++i) {
    const Instant put = world.now();
    const size_t owner = world.rng().below(nodes);
    const Name name{network(0), world.nodes()[owner].id, "k" + std::to_string(i)};
    world.put(owner, name.network, name.key);
    const auto shown_everywhere = [&] {
      return std::all_of(world.nodes().begin(), world.nodes().end(),
                         [&name](const Node& node) { return node.shown.contains(name); });
    };
    while (!shown_everywhere() && world.now() - put < seconds(20)) world.run_for(milliseconds(1));
    announced.push_back(ms(world.now() - put));
    check("announcing", shown_everywhere());
  }
  std::sort(announced.begin(), announced.end());
  figures.announce_ms = announced[announced.size() / 2];

  world.run_for(seconds(10));
  const uint64_t packets = world.packets();
  const uint64_t bytes = world.bytes();
  world.run_for(seconds(10));
  const double node_seconds = 10 * static_cast<double>(nodes);
  figures.packets_per_node_second = static_cast<double>(world.packets() - packets) / node_seconds;
  figures.bytes_per_node_second = static_cast<double>(world.bytes() - bytes) / node_seconds;

  const size_t victim = nodes - 1;
  for (size_t i = 0; i < victim; ++i) {
    world.block(i, victim);
    world.block(victim, i);
  }
  const Instant cut = world.now();
  const auto failed_everywhere = [&world, victim] {
    for (size_t i = 0; i < victim; ++i) {
      if (world.nodes()[i].members[world.nodes()[victim].id] != MemberState::kFailed) return false;
    }
    return true;
  };
  check("failing", world.run_until(failed_everywhere, seconds(30)));
  figures.failed_ms = ms(world.now() - cut);
  world.run_for(seconds(10));
  world.heal();
  const Instant healed = world.now();
  check("healing", world.run_until(settled, seconds(30)));
  figures.healed_ms = ms(world.now() - healed);
  return figures;
}

}  // namespace shoal::gossip::sim
