#include "tests/sim/gossip/scenario.h"

#include <algorithm>

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kNetworks = 3;
constexpr uint32_t kKeys = 6;
// Most clusters are of up to so many nodes.
constexpr uint32_t kSmall = 12;

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }
uint32_t draw(World& world, uint32_t bound) {
  return static_cast<uint32_t>(world.rng().below(bound));
}

void partition(World& world) {
  std::vector<uint8_t> side(world.size());
  const bool one_way = draw(world, 3) == 0;
  for (uint8_t& group : side) group = static_cast<uint8_t>(draw(world, one_way ? 2 : 3));
  if (!one_way) return world.net().set_groups(side, world.now());
  for (uint32_t a = 0; a < world.size(); ++a) {
    for (uint32_t b = 0; b < world.size(); ++b) {
      if (side[a] == 0 && side[b] == 1) world.net().block(a, b, world.now());
    }
  }
}

void change_model(World& world) {
  Model model = quiet_model();
  model.loss = static_cast<double>(draw(world, 30)) / 100;
  model.duplicates = static_cast<double>(draw(world, 20)) / 100;
  model.max_delay = milliseconds(1 + draw(world, 100));
  world.net().set_model(model);
}

void one_act(World& world) {
  const uint32_t node = draw(world, world.size());
  const uint32_t network = draw(world, kNetworks);
  const uint32_t key = draw(world, kKeys);
  const uint32_t act = draw(world, 106);
  if (act < 40) {
    world.join(node, network);
    world.put(node, network, key);
  } else if (act < 60) {
    world.remove(node, network, key);
  } else if (act < 66) {
    world.leave_network(node, network);
  } else if (act < 76) {
    world.crash(node);
  } else if (act < 88) {
    // A start finds the node down, or is a quick restart that nobody had time to notice.
    world.stop(node);
    world.start(node);
  } else if (act < 90) {
    world.leave(node);
  } else if (act < 94) {
    partition(world);
  } else if (act < 97) {
    world.net().heal(world.now());
  } else if (act < 100) {
    change_model(world);
  } else if (act < 102) {
    world.starve(node, draw(world, 2) == 0 ? Starvation::kFrozen : Starvation::kSliced,
                 milliseconds(draw(world, 15'000)));
  } else if (act < 104) {
    world.net().flap(static_cast<double>(draw(world, 40)) / 100,
                     milliseconds(200 + draw(world, 8000)), world.now());
  } else {
    world.rotate_keys();
  }
}

}  // namespace

Outcome run_chaos(uint64_t seed, const World::Plant& plant) {
  SeededRng sizes(seed);
  // One in ten is larger than what is told by everybody to everybody.
  const uint64_t most = seed % 10 == 0 ? 38 : kSmall - 2;
  World world(seed, static_cast<uint32_t>(3 + sizes.below(most)), quiet_model());
  // Who is starved says nothing, and some of the losses drawn here leave no path for seconds.
  world.truth().set_rules({.window = seconds(10), .excuse_starved = true});
  world.plant(plant);
  Outcome outcome;
  outcome.nodes = world.size();
  world.run_for(seconds(2));
  const uint32_t acts = 60 + draw(world, 100);
  for (uint32_t i = 0; i < acts && world.truth().violation().empty(); ++i) {
    one_act(world);
    world.run_for(milliseconds(draw(world, 500)));
  }
  world.net().heal(world.now());
  world.net().set_model(quiet_model());
  world.feed();
  for (uint32_t i = 0; i < world.size(); ++i) {
    // The seeds run again; with none, strangers would have no way to find each other.
    if (!world.is_running(i) && (i < World::kManagers || draw(world, 2) == 0)) world.start(i);
  }
  world.refresh_seeds();
  const Instant healed = world.now();
  const bool converged =
      world.run_until([&world] { return world.truth().settled(); }, seconds(20), milliseconds(10));
  outcome.converged_ms = ms(world.now() - healed);
  // And it stays so.
  if (converged) world.run_for(seconds(5));
  outcome.trace = world.trace();
  outcome.withdrawn = world.truth().counts().withdrawn;
  outcome.false_failures = world.truth().counts().false_failures;
  if (!world.truth().violation().empty()) {
    outcome.failure = world.truth().violation();
  } else if (!converged || !world.truth().settled()) {
    outcome.failure =
        (converged ? "diverged again: " : "not converged: ") + world.truth().difference();
  } else if (outcome.false_failures > 0) {
    outcome.failure = world.truth().first_false();
  }
  return outcome;
}

Bounds measure(uint64_t seed, uint32_t nodes) {
  World world(seed, nodes, quiet_model());
  Bounds bounds;
  bounds.nodes = nodes;
  const auto settled = [&world] { return world.truth().settled(); };
  const auto check = [&](const std::string& what, bool held) {
    if (!held && bounds.failure.empty()) {
      bounds.failure = what + ": " + world.truth().violation() + " " + world.truth().difference();
    }
  };
  const Instant begin = world.now();
  check("forming", world.run_until(settled, seconds(60), milliseconds(10)));
  bounds.formed_ms = ms(world.now() - begin);
  for (uint32_t i = 0; i < nodes; ++i) world.join(i, 0);
  world.run_for(seconds(10));

  world.truth().follow_changes(true);
  for (uint32_t i = 0; i < 11; ++i) {
    world.put(draw(world, nodes), 0, i);
    check("announcing", world.run_until(settled, seconds(20), milliseconds(1)));
  }
  std::vector<double> announced = world.truth().take_changes(world.now());
  world.truth().follow_changes(false);
  std::sort(announced.begin(), announced.end());
  if (!announced.empty()) bounds.announce_ms = announced[announced.size() / 2] * 1e3;

  world.run_for(seconds(10));
  const World::Traffic before = world.traffic();
  world.run_for(seconds(10));
  const double node_seconds = 10 * static_cast<double>(nodes);
  const World::Traffic& after = world.traffic();
  bounds.packets_per_node_second =
      static_cast<double>(after.packets - before.packets) / node_seconds;
  bounds.bytes_per_node_second = static_cast<double>(after.bytes - before.bytes) / node_seconds;

  const uint32_t victim = nodes - 1;
  std::vector<uint8_t> groups(nodes);
  groups[victim] = 1;
  world.net().set_groups(groups, world.now());
  const Instant cut = world.now();
  const auto failed_everywhere = [&world, victim] {
    for (uint32_t i = 0; i < victim; ++i) {
      if (world.truth().holds_live(i, victim)) return false;
    }
    return true;
  };
  check("failing", world.run_until(failed_everywhere, seconds(30), milliseconds(10)));
  bounds.failed_ms = ms(world.now() - cut);
  world.run_for(seconds(10));
  world.net().heal(world.now());
  const Instant healed = world.now();
  check("healing", world.run_until(settled, seconds(30), milliseconds(10)));
  bounds.healed_ms = ms(world.now() - healed);
  return bounds;
}

}  // namespace shoal::gossip::sim
