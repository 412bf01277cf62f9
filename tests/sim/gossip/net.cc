#include "tests/sim/gossip/net.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/gossip/engine.h"

namespace shoal::gossip::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kRemembered = std::chrono::minutes(1);
constexpr Duration kLook = milliseconds(250);
// Fewer common neighbours than this may all be sick: no path by the rule of who may be failed.
constexpr size_t kRelays = 3;

// Salts, so that what a pair has of one kind says nothing of another kind.
constexpr uint64_t kDelaySalt = 1;
constexpr uint64_t kLossSalt = 2;
constexpr uint64_t kFlapSalt = 3;

double unit(uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-53; }
double ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

std::string Model::describe() const {
  char text[160];
  std::snprintf(text, sizeof text,
                "%s: one-way %.1f-%.1f ms (half of the span per link, half per packet), loss %.1f "
                "%%, duplicates %.1f %%",
                name, ms(min_delay), ms(max_delay), loss * 100, duplicates * 100);
  return text;
}

Model quiet_model() { return {"quiet", microseconds(100), microseconds(500), 0, 0}; }
Model lan_model() { return {}; }
Model hard_model() { return {"hard", milliseconds(5), milliseconds(50), 0.05, 0.005}; }

Model lossy_model() { return {"lossy", microseconds(500), milliseconds(5), 0.3, 0.001}; }

bool Net::lost(uint32_t a, uint32_t b, Rng& rng) const {
  const double loss = model_.loss * 2 * unit(mix(seed_ + kLossSalt, a, b));
  return unit(rng.next()) < loss;
}

bool Net::doubled(Rng& rng) const { return unit(rng.next()) < model_.duplicates; }

Duration Net::delay(uint32_t a, uint32_t b, Rng& rng) const {
  const double half = static_cast<double>((model_.max_delay - model_.min_delay).count()) / 2;
  const double share = unit(mix(seed_ + kDelaySalt, a, b)) + unit(rng.next());
  return model_.min_delay + Duration(static_cast<int64_t>(half * share));
}

Net::Topology& Net::change(Instant now) {
  const auto old = std::find_if(history_.begin(), history_.end(), [now](const Topology& topology) {
    return topology.since > now - kRemembered;
  });
  // The one that was in force at the edge of what is remembered stays.
  if (old - history_.begin() > 1) history_.erase(history_.begin(), old - 1);
  Topology next = history_.back();
  next.since = now;
  if (history_.back().since != now) history_.push_back(std::move(next));
  return history_.back();
}

void Net::set_groups(std::vector<uint8_t> groups, Instant now) {
  change(now).groups = std::make_shared<const std::vector<uint8_t>>(std::move(groups));
}

void Net::block(uint32_t a, uint32_t b, Instant now) {
  Topology& topology = change(now);
  using Closed = std::unordered_set<uint64_t>;
  if (!topology.closed) {
    topology.closed = std::make_shared<Closed>();
  } else if (topology.closed.use_count() > 1) {
    topology.closed = std::make_shared<Closed>(*topology.closed);
  }
  topology.closed->insert(pair(a, b));
}

void Net::flap(double share, Duration period, Instant now) {
  Topology& topology = change(now);
  topology.flapping = share;
  topology.period = period;
}

void Net::heal(Instant now) {
  Topology& topology = change(now);
  topology = Topology();
  topology.since = now;
}

const Net::Topology& Net::at(Instant time) const {
  for (size_t i = history_.size(); i-- > 1;) {
    if (history_[i].since <= time) return history_[i];
  }
  return history_.front();
}

uint8_t Net::group_of(const Topology& topology, uint32_t node) {
  return node < topology.groups->size() ? (*topology.groups)[node] : 0;
}

bool Net::open_in(const Topology& topology, uint32_t a, uint32_t b, Instant time) const {
  if (topology.groups && group_of(topology, a) != group_of(topology, b)) return false;
  if (topology.closed && topology.closed->contains(pair(a, b))) return false;
  if (topology.flapping > 0) {
    const uint64_t hash = mix(seed_ + kFlapSalt, a, b);
    const auto half = static_cast<uint64_t>(topology.period.count() / 2);
    const uint64_t phase = (static_cast<uint64_t>(time.nanoseconds) + hash % half) / half;
    if (unit(hash) < topology.flapping && phase % 2 == 1) return false;
  }
  return true;
}

bool Net::open(uint32_t a, uint32_t b, Instant time) const { return open_in(at(time), a, b, time); }

bool Net::path_in(const Topology& topology, uint32_t a, uint32_t b, Instant time,
                  const std::vector<uint32_t>& members) const {
  const auto two_way = [&](uint32_t x, uint32_t y) {
    return open_in(topology, x, y, time) && open_in(topology, y, x, time);
  };
  if (two_way(a, b)) return true;
  if (topology.groups && group_of(topology, a) != group_of(topology, b)) return false;
  size_t relays = 0;
  for (const uint32_t member : members) {
    if (member == a || member == b || !two_way(a, member) || !two_way(member, b)) continue;
    if (++relays == kRelays) return true;
  }
  return false;
}

bool Net::reachable(uint32_t a, uint32_t b, Instant from, Instant to,
                    const std::vector<uint32_t>& members) const {
  const auto end_of = [this](size_t i) {
    return i + 1 < history_.size() ? history_[i + 1].since - Duration(1) : Instant::max();
  };
  for (size_t i = 0; i < history_.size(); ++i) {
    const Topology& topology = history_[i];
    const Instant begin = std::max(from, topology.since);
    const Instant end = std::min(to, end_of(i));
    if (begin > end) continue;
    // Without flapping a topology does not change within itself.
    for (Instant time = begin; time <= end; time = time + kLook) {
      if (!path_in(topology, a, b, time, members)) return false;
      if (topology.flapping == 0) break;
    }
  }
  return true;
}

}  // namespace shoal::gossip::sim
