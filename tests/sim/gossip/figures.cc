#include "tests/sim/gossip/figures.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint32_t kNetwork = 0;
constexpr uint32_t kEntriesPerNode = 4;
constexpr Duration kForming = minutes(5);
// More nodes than this are born formed.
constexpr uint32_t kTogether = 64;
// And more are born with their joinings only: each telling its consumer of each other's entry is
// most of the time that it takes.
constexpr uint32_t kWithEntries = 2000;

double seconds_of(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

// One run of one figure: a formed cluster, and what is collected.
class Run {
 public:
  explicit Run(const FigureOptions& options)
      : options_(options),
        world_(options.seed, options.nodes, options.model, birth(options.nodes)) {
    world_.set_shell(options.shell);
  }

  void form();
  void begin();
  FigureResult finish();
  void quiet();
  void churn();
  void death();
  void starved();
  void partition();
  void idle();

 private:
  static World::Birth birth(uint32_t nodes) {
    if (nodes <= kTogether) return {};
    return {.formed = true, .networks = 1, .keys = nodes <= kWithEntries ? 1U : 0U};
  }
  uint32_t nodes() const { return options_.nodes; }
  uint32_t draw(uint32_t bound) { return static_cast<uint32_t>(world_.rng().below(bound)); }
  Duration lasts(Duration usual) const {
    return options_.duration.count() > 0 ? options_.duration : usual;
  }
  void add(const std::string& name, double value) { result_.values.emplace_back(name, value); }
  void add_quantiles(const std::string& name, std::vector<double> values);
  void add_changes();
  void add_traffic(const World::Traffic& before, Duration during);
  void settle(const std::string& what, Duration patience);
  void churn_act(uint32_t what, Instant until);
  void watch_partition(const std::string& name, Duration lasts);

  FigureOptions options_;
  World world_;
  FigureResult result_;
  double formed_s_ = 0;
  Truth::Counts before_;  // of the part that runs
  uint64_t events_before_ = 0;
  Instant began_;
};

void Run::settle(const std::string& what, Duration patience) {
  const bool held =
      world_.run_until([this] { return world_.truth().settled(); }, patience, milliseconds(10));
  if (held || !result_.failure.empty()) return;
  result_.failure = what + " did not settle: " + world_.truth().difference();
}

void Run::form() {
  const Instant begin = world_.now();
  if (nodes() <= kTogether) {
    settle("meeting", kForming);
    for (uint32_t node = 0; node < nodes(); ++node) world_.join(node, kNetwork);
    settle("joining", kForming);
    for (uint32_t key = 0; key < kEntriesPerNode; ++key) {
      for (uint32_t node = 0; node < nodes(); ++node) world_.put(node, kNetwork, key);
      world_.run_for(milliseconds(100));
    }
  }
  settle("forming", kForming);
  formed_s_ = seconds_of(world_.now() - begin);
  world_.run_for(seconds(15));  // repeats and digests of all that have ended
}

void Run::begin() {
  result_ = FigureResult();
  before_ = world_.truth().counts();
  events_before_ = world_.events();
  began_ = world_.now();
  if (nodes() <= kTogether) add("formed_s", formed_s_);
}

FigureResult Run::finish() {
  Truth::Counts counts = world_.truth().counts();
  counts.false_failures -= before_.false_failures;
  counts.false_victims -= before_.false_victims;
  counts.withdrawn -= before_.withdrawn;
  counts.suspicions -= before_.suspicions;
  add("false_failures_count", static_cast<double>(counts.false_failures));
  if (!world_.truth().first_false().empty()) {
    std::printf("  %s\n", world_.truth().first_false().c_str());
  }
  add("false_failed_nodes_count", static_cast<double>(counts.false_victims));
  add("withdrawn_count", static_cast<double>(counts.withdrawn));
  add("false_suspicions_count", static_cast<double>(counts.suspicions));
  if (!world_.truth().violation().empty()) result_.failure = world_.truth().violation();
  result_.virtual_s = seconds_of(world_.now() - began_);
  result_.events = world_.events() - events_before_;
  result_.trace = world_.trace();
  return result_;
}

void Run::add_quantiles(const std::string& name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  add(name + "_samples_count", static_cast<double>(values.size()));
  add(name + "_median_s", quantile(values, 0.5));
  add(name + "_p90_s", quantile(values, 0.9));
  add(name + "_p99_s", quantile(values, 0.99));
  add(name + "_max_s", values.empty() ? 0 : values.back());
}

void Run::add_changes() {
  const uint64_t before = world_.truth().counts().unfinished;
  add_quantiles("everywhere", world_.truth().take_changes(world_.now()));
  add("unfinished_count", static_cast<double>(world_.truth().counts().unfinished - before));
  world_.truth().follow_changes(false);
  result_.slowest = world_.truth().slowest();
}

void Run::add_traffic(const World::Traffic& before, Duration during) {
  const World::Traffic& after = world_.traffic();
  const double node_seconds = seconds_of(during) * nodes();
  const auto rate = [node_seconds](uint64_t from, uint64_t to) {
    return static_cast<double>(to - from) / node_seconds;
  };
  add("sent_bytes_per_node_s", rate(before.bytes, after.bytes));
  add("stream_bytes_per_node_s", rate(before.stream_bytes, after.stream_bytes));
  add("packets_per_node_s", rate(before.packets, after.packets));
  add("streams_per_node_s", rate(before.streams, after.streams));
}

// Puts, changes and deletions by nodes at random, half a second apart.
void Run::quiet() {
  const Duration watched = lasts(nodes() > 500 ? seconds(20) : seconds(100));
  world_.truth().follow_changes(true);
  const World::Traffic before = world_.traffic();
  const Instant begin = world_.now();
  while (world_.now() - begin < watched && world_.truth().violation().empty()) {
    const uint32_t owner = draw(nodes());
    const auto held = world_.truth().announced(owner);
    if (!held.empty() && draw(3) == 0) {
      world_.remove(owner, kNetwork, held.front().second);
    } else {
      world_.put(owner, kNetwork, draw(kEntriesPerNode));
    }
    world_.run_for(milliseconds(500));
  }
  add_traffic(before, world_.now() - begin);
  settle("the last change", minutes(1));
  add_changes();
}

// Acts: below nodes() that node changes an entry; then it restarts; then it is back.
void Run::churn_act(uint32_t what, Instant until) {
  const uint32_t node = what % nodes();
  const uint32_t kind = what / nodes();
  if (kind == 0) {
    if (draw(4) == 0) {
      world_.remove(node, kNetwork, draw(kEntriesPerNode));
    } else {
      world_.put(node, kNetwork, draw(kEntriesPerNode));
    }
    if (world_.now() + seconds(1) < until) world_.act_at(world_.now() + seconds(1), what);
  } else if (kind == 1) {
    world_.stop(node);
    world_.act_at(world_.now() + seconds(2), 2 * nodes() + node);
  } else {
    world_.start(node);
    world_.join(node, kNetwork);
    for (uint32_t key = 0; key < kEntriesPerNode; ++key) world_.put(node, kNetwork, key);
  }
}

void Run::churn() {
  const Duration watched = lasts(nodes() > 100 ? minutes(1) : minutes(3));
  const Instant begin = world_.now();
  const Instant until = begin + watched;
  world_.set_act([this, until](uint32_t what) { churn_act(what, until); });
  for (uint32_t node = 0; node < nodes(); ++node) {
    world_.act_at(begin + milliseconds(draw(1000)), node);
  }
  // One node in ten per minute, and at least one in all.
  const double wanted = nodes() * seconds_of(watched) / 600;
  const auto restarts = std::max<uint32_t>(1, static_cast<uint32_t>(wanted));
  for (uint32_t i = 0; i < restarts; ++i) {
    const auto when = static_cast<int64_t>(world_.rng().below(
        static_cast<uint64_t>(std::max<int64_t>(1, (watched - seconds(3)).count()))));
    world_.act_at(begin + Duration(when), nodes() + draw(nodes()));
  }
  world_.truth().follow_changes(true);
  const World::Traffic before = world_.traffic();
  world_.run_for(watched);
  add_traffic(before, watched);
  const Instant ended = world_.now();
  settle("after the churn", minutes(2));
  add("settled_after_s", seconds_of(world_.now() - ended));
  add_changes();
  add_quantiles("joined", world_.truth().take_joinings(world_.now()));
}

// One after the other, three seconds apart, up to a fifth of the nodes; then all come back. At
// 1,000 nodes two hundred deaths, of which the slowest two are beyond the 99th percentile.
void Run::death() {
  const uint32_t rounds = nodes() <= 50 ? 8 : nodes() >= 1000 ? 4 : 1;
  const uint32_t per_round = std::min<uint32_t>(50, std::max<uint32_t>(1, nodes() / 5));
  std::vector<double> everywhere;
  const World::Traffic before = world_.traffic();
  const Instant begin = world_.now();
  for (uint32_t round = 0; round < rounds && result_.failure.empty(); ++round) {
    world_.truth().follow_deaths(true);
    for (uint32_t i = 0; i < per_round; ++i) {
      uint32_t victim = draw(nodes());
      while (!world_.is_running(victim)) victim = draw(nodes());
      world_.crash(victim);
      world_.run_for(seconds(3));
    }
    world_.run_for(seconds(30));
    const std::vector<double> some = world_.truth().take_deaths(world_.now());
    everywhere.insert(everywhere.end(), some.begin(), some.end());
    world_.truth().follow_deaths(false);
    for (uint32_t node = 0; node < nodes(); ++node) {
      if (world_.is_running(node)) continue;
      world_.start(node);
      world_.join(node, kNetwork);
    }
    world_.refresh_seeds();
    settle("the return", minutes(1));
  }
  add_traffic(before, world_.now() - begin);
  add_quantiles("known_everywhere", std::move(everywhere));
  add_quantiles("known_by_one", world_.truth().take_single_deaths());
}

// A tenth of the nodes, drawn anew every 30 s; half of them frozen, half of them sliced.
void Run::starved() {
  constexpr Duration kTurn = seconds(30);
  const Duration watched = lasts(minutes(10));
  const Instant begin = world_.now();
  const World::Traffic before = world_.traffic();
  double events = 0;
  while (world_.now() - begin < watched && world_.truth().violation().empty()) {
    for (uint32_t i = 0; i < std::max<uint32_t>(1, nodes() / 10); ++i) {
      world_.starve(draw(nodes()), i % 2 == 0 ? Starvation::kFrozen : Starvation::kSliced, kTurn);
      ++events;
    }
    world_.run_for(kTurn);
  }
  add_traffic(before, world_.now() - begin);
  add("watched_s", seconds_of(world_.now() - begin));
  add("starvations_count", events);
  add("buffers_full_count", static_cast<double>(world_.traffic().buffers_full));
  world_.run_for(kTurn);
  settle("after the starvation", minutes(2));
}

void Run::watch_partition(const std::string& name, Duration lasts) {
  if (!result_.failure.empty()) return;
  const Instant begin = world_.now();
  const World::Traffic before = world_.traffic();
  bool rotated = false;
  while (world_.now() - begin < lasts && world_.truth().violation().empty()) {
    world_.put(draw(nodes()), kNetwork, draw(kEntriesPerNode));
    if (!rotated && world_.now() - begin >= lasts / 2) {
      rotated = true;
      world_.rotate_keys();
    }
    world_.run_for(milliseconds(500));
  }
  add_traffic(before, world_.now() - begin);
  for (size_t i = result_.values.size() - 4; i < result_.values.size(); ++i) {
    result_.values[i].first = name + "_" + result_.values[i].first;
  }
  world_.net().heal(world_.now());
  const Instant healed = world_.now();
  settle(name, minutes(2));
  add(name + "_healed_s", seconds_of(world_.now() - healed));
  world_.run_for(seconds(20));
}

void Run::partition() {
  const Duration each = lasts(minutes(10));
  std::vector<uint8_t> groups(nodes());
  const auto cut = [&](const char* name, const auto& group_of) {
    for (uint32_t node = 0; node < nodes(); ++node) {
      groups[node] = static_cast<uint8_t>(group_of(node));
    }
    world_.net().set_groups(groups, world_.now());
    watch_partition(name, each);
  };
  cut("halves", [](uint32_t node) { return node % 2; });
  cut("one_host", [this](uint32_t node) { return node == nodes() - 1 ? 1U : 0U; });
  cut("thirds", [](uint32_t node) { return node % 3; });
  const auto parts = 2 + draw(6);
  cut("random", [this, parts](uint32_t) { return draw(parts); });
  // One node stands in both halves.
  for (uint32_t a = 1; a < nodes(); ++a) {
    for (uint32_t b = 1; b < nodes(); ++b) {
      if (a % 2 != b % 2) world_.net().block(a, b, world_.now());
    }
  }
  watch_partition("bridge", each);
  for (uint32_t deaf = nodes() - nodes() / 10 - 1; deaf < nodes(); ++deaf) {
    for (uint32_t node = 0; node < nodes() - nodes() / 10 - 1; ++node) {
      world_.net().block(node, deaf, world_.now());
    }
  }
  watch_partition("one_way", each);
  world_.net().flap(0.3, seconds(4), world_.now());
  watch_partition("flapping", each);
  add("unknown_key_packets_count", static_cast<double>(world_.traffic().unknown_key));
}

void Run::idle() {
  const Duration watched = lasts(minutes(1));
  const World::Traffic before = world_.traffic();
  world_.run_for(watched);
  add_traffic(before, watched);
}

}  // namespace

Result<std::vector<FigureResult>> run_figures(const FigureOptions& options) {
  using Part = void (Run::*)();
  static const std::map<std::string, Part> kParts = {
      {"quiet", &Run::quiet},     {"churn", &Run::churn},         {"death", &Run::death},
      {"starved", &Run::starved}, {"partition", &Run::partition}, {"idle", &Run::idle}};
  for (const std::string& figure : options.figures) {
    if (kParts.contains(figure)) continue;
    return invalid_argument("no figure \"" + figure +
                            "\": quiet, churn, death, starved, partition or idle");
  }
  Run run(options);
  run.form();
  if (options.formed) options.formed();
  std::vector<FigureResult> results;
  for (const std::string& figure : options.figures) {
    run.begin();
    (run.*kParts.at(figure))();
    results.push_back(run.finish());
    results.back().figure = figure;
    if (options.done) options.done(results.back());
  }
  return results;
}

std::string to_json(const FigureOptions& options, const FigureResult& result, double wall_s,
                    double rss_mb) {
  const auto number = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return std::string(text);
  };
  const auto quoted = [](const std::string& text) { return "\"" + text + "\""; };
  const Model& model = options.model;
  std::string out =
      "{\"figure\": " + quoted(result.figure) + ", \"nodes\": " + std::to_string(options.nodes) +
      ", \"seed\": " + std::to_string(options.seed) +
      ", \"model\": {\"name\": " + quoted(model.name) +
      ", \"min_delay_ms\": " + number(seconds_of(model.min_delay) * 1e3) +
      ", \"max_delay_ms\": " + number(seconds_of(model.max_delay) * 1e3) +
      ", \"loss\": " + number(model.loss) + ", \"duplicates\": " + number(model.duplicates) +
      "}, \"failure\": " + quoted(result.failure) + ", \"virtual_s\": " + number(result.virtual_s) +
      ", \"events\": " + std::to_string(result.events) + ", \"wall_s\": " + number(wall_s) +
      ", \"rss_mb\": " + number(rss_mb) + ", \"values\": {";
  for (size_t i = 0; i < result.values.size(); ++i) {
    const auto& [name, value] = result.values[i];
    out += (i == 0 ? "" : ", ") + quoted(name) + ": " + number(value);
  }
  return out + "}}\n";
}

}  // namespace shoal::gossip::sim
