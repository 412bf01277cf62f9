#include "tests/sim/gossip/truth.h"

#include <algorithm>

#include "base/types/check.h"
#include "tests/sim/gossip/engine.h"

namespace shoal::gossip::sim {
namespace {

uint64_t node_print(uint32_t node) { return mix(0x6e6f6465, node); }
uint64_t entry_print(uint32_t entry, uint64_t version) { return mix(0x656e7472, entry, version); }

double seconds_of(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }
std::string name(uint32_t node) { return "n" + std::to_string(node); }
std::string at_ms(Instant now) {
  return " at " + std::to_string(now.nanoseconds / 1'000'000) + " ms";
}

}  // namespace

Truth::Entry Truth::entry(uint32_t network, uint32_t owner, uint32_t key) {
  // 16 bits of network, 24 of owner, 24 of key.
  const uint64_t packed = uint64_t{network} << 48 | uint64_t{owner} << 24 | key;
  const auto [it, fresh] = entries_.try_emplace(packed, static_cast<Entry>(facts_.size()));
  if (fresh) {
    facts_.push_back({network, owner, key, 0, 0, {}});
    nodes_[owner].own.push_back(it->second);
  }
  return it->second;
}

Truth::Shown& Truth::shown_of(uint32_t at, Entry entry) {
  std::vector<Shown>& entries = nodes_[at].entries;
  if (entries.size() <= entry) entries.resize(std::max<size_t>(entry + 1, facts_.size()));
  return entries[entry];
}

void Truth::up(uint32_t node, Instant now) {
  Observed& it = nodes_[node];
  SHOAL_CHECK(!it.up, "a node starts twice");
  it.up = true;
  it.victim = false;
  it.since = it.down_until = now;
  it.networks.clear();
  // A new life of the consumer: it has seen nothing.
  it.entries.clear();
  it.life = static_cast<uint8_t>((it.life + 1) % kLives);
  it.members.assign(nodes_.size(), 0);
  it.met.clear();
  it.shown_print = it.members_print = 0;
  if (it.deaths != 0) deaths_[it.deaths - 1].missing = 0;  // back before all knew: not followed
  it.deaths = 0;
  running_print_ ^= node_print(node);
  ++running_;
}

void Truth::down(uint32_t node, Instant now) {
  Observed& it = nodes_[node];
  if (!it.up) return;
  for (const Entry own : it.own) kill(own, now, false);
  forgive(node, now);
  it.networks.clear();
  for (Observed& other : nodes_) {
    for (Joined& joined : other.networks) {
      if (joined.lacking.empty()) continue;
      for (const Entry own : it.own) lacks_no_more(joined, own, UINT64_MAX, now);
    }
  }
  it.up = it.starved = false;
  running_print_ ^= node_print(node);
  --running_;
  if (!follow_deaths_) return;
  Death death{node, now, 0};
  for (uint32_t other = 0; other < nodes_.size(); ++other) {
    if (nodes_[other].up && holds_live(other, node)) ++death.missing;
  }
  deaths_.push_back(death);
  it.deaths = deaths_.size();
}

// Nobody waits any more for what this node was to show or to notice, nor for its own changes.
void Truth::forgive(uint32_t node, Instant now) {
  for (Entry entry = 0; entry < facts_.size(); ++entry) {
    Fact& fact = facts_[entry];
    if (fact.following.empty()) continue;
    if (fact.owner == node) {
      fact.following.clear();
    } else if (is_joined(node, fact.network)) {
      caught_up(node, entry, UINT32_MAX, now);
    }
  }
  for (Death& death : deaths_) {
    if (death.missing > 0 && holds_live(node, death.node)) --death.missing;
  }
}

void Truth::starve(uint32_t node, bool starved, Instant now) {
  nodes_[node].starved = starved;
  nodes_[node].starved_until = now;
}

void Truth::join(uint32_t node, uint32_t network, Instant now) {
  Joined joined{network, changes_made_, now, {}};
  for (Entry entry = 0; follow_ && entry < facts_.size(); ++entry) {
    const Fact& fact = facts_[entry];
    if (fact.network == network && fact.live()) joined.lacking.emplace(entry, fact.level());
  }
  nodes_[node].networks.push_back(std::move(joined));
}

void Truth::lacks_no_more(Joined& joined, Entry entry, uint64_t level, Instant now) {
  const auto it = joined.lacking.find(entry);
  if (it == joined.lacking.end() || it->second > level) return;
  joined.lacking.erase(it);
  if (joined.lacking.empty()) joinings_.push_back(seconds_of(now - joined.since));
}

void Truth::leave(uint32_t node, uint32_t network, Instant now) {
  SHOAL_CHECK(!follow_, "changes are followed where nobody leaves a network");
  std::erase_if(nodes_[node].networks,
                [network](const Joined& joined) { return joined.network == network; });
  for (const Entry own : nodes_[node].own) {
    if (facts_[own].network == network) kill(own, now, false);
  }
}

bool Truth::is_joined(uint32_t node, uint32_t network) const {
  return joining(nodes_[node], network) != nullptr;
}

uint64_t Truth::put(uint32_t node, uint32_t network, uint32_t key, Instant now) {
  const Entry id = entry(network, node, key);
  Fact& fact = facts_[id];
  uint64_t& print = network_prints_[network];
  if (fact.live()) print ^= entry_print(id, fact.version);
  print ^= entry_print(id, ++fact.version);
  follow(fact, id, now);
  return fact.version;
}

void Truth::erase(uint32_t node, uint32_t network, uint32_t key, Instant now) {
  kill(entry(network, node, key), now, true);
}

void Truth::kill(Entry entry, Instant now, bool follow_it) {
  Fact& fact = facts_[entry];
  if (!fact.live()) return;
  network_prints_[fact.network] ^= entry_print(entry, fact.version);
  fact.dead = fact.version;
  fact.died = now;
  if (follow_it) follow(fact, entry, now);
}

void Truth::follow(Fact& fact, Entry entry, Instant now) {
  if (!follow_) return;
  Change change{fact.level(), now, 0, changes_made_++};
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    if (!nodes_[node].up || !is_joined(node, fact.network)) continue;
    // Who shows nothing is told nothing of the deletion.
    if (!fact.live() && shown_of(node, entry).value == 0) caught_up(node, entry, change.level, now);
    if (shown_of(node, entry).level < change.level) ++change.missing;
  }
  if (change.missing > 0) fact.following.push_back(change);
}

// A node that shows a change shows all before it.
void Truth::caught_up(uint32_t at, Entry entry, uint64_t level, Instant now) {
  Shown& shown = shown_of(at, entry);
  if (level <= shown.level) return;
  const uint64_t before = shown.level;
  shown.level = static_cast<uint32_t>(level);
  Joined* joined = joining(nodes_[at], facts_[entry].network);
  if (joined != nullptr && !joined->lacking.empty()) lacks_no_more(*joined, entry, level, now);
  std::vector<Change>& following = facts_[entry].following;
  if (following.empty()) return;
  for (Change& change : following) {
    const bool asked = change.only == kEverybody
                           ? joined != nullptr && change.number >= joined->from
                           : change.only == at;
    if (!asked || change.level <= before || change.level > level) continue;
    if (--change.missing == 0) finished(at, entry, change, now);
  }
  std::erase_if(following, [](const Change& change) { return change.missing == 0; });
}

void Truth::finished(uint32_t at, Entry entry, const Change& change, Instant now) {
  changes_.push_back(seconds_of(now - change.since));
  if (changes_.back() <= slowest_s_) return;
  slowest_s_ = changes_.back();
  const auto ago = [&](Instant then) { return std::to_string(seconds_of(change.since - then)); };
  slowest_ =
      in_words(at, change.level % 2 == 0 ? "was last to show" : "was last to hide", entry, now) +
      "; changed" + at_ms(change.since) + ", its owner up " +
      ago(nodes_[facts_[entry].owner].since) + " s and it " + ago(nodes_[at].since) + " s before";
}

std::string Truth::in_words(uint32_t at, const std::string& what, Entry entry, Instant now) const {
  const Fact& fact = facts_[entry];
  return name(at) + " " + what + " " + name(fact.owner) + "/k" + std::to_string(fact.key) +
         " of net" + std::to_string(fact.network) + at_ms(now);
}

void Truth::broken(uint32_t at, const std::string& what, Entry entry, Instant now) {
  if (violation_.empty()) violation_ = in_words(at, what, entry, now);
}

void Truth::shown(uint32_t at, uint32_t network, uint32_t owner, uint32_t key, uint64_t value,
                  Instant now) {
  const Entry id = entry(network, owner, key);
  Shown& shown = shown_of(at, id);
  if (value == 0 || value > facts_[id].version) return broken(at, "invented", id, now);
  if (value <= shown.gone) return broken(at, "resurrected", id, now);
  if (value < shown.floor) return broken(at, "went back to an old value of", id, now);
  Observed& node = nodes_[at];
  if (shown.value != 0) node.shown_print ^= entry_print(id, shown.value);
  node.shown_print ^= entry_print(id, value);
  shown.value = shown.floor = static_cast<uint32_t>(value);
  Fact& fact = facts_[id];
  if (follow_ && !fact.live() && shown.level >= fact.level()) {
    // Nothing was shown there when it was deleted, and now it is, after the deletion.
    shown.level = static_cast<uint32_t>(2 * value);
    fact.following.push_back({fact.level(), fact.died, 1, changes_made_++, at});
  }
  caught_up(at, id, 2 * value, now);
}

void Truth::removed(uint32_t at, uint32_t network, uint32_t owner, uint32_t key, Instant now) {
  const Entry id = entry(network, owner, key);
  Shown& shown = shown_of(at, id);
  if (shown.value == 0) return broken(at, "was told the removal of unseen", id, now);
  const uint64_t value = shown.value;
  nodes_[at].shown_print ^= entry_print(id, value);
  shown.value = 0;
  const Fact& fact = facts_[id];
  // A node's own removals follow its own doings.
  if (at != owner && (!is_joined(at, network) || !holds_live(at, owner))) return;
  if (value <= fact.dead) {
    shown.gone = static_cast<uint32_t>(value);
    caught_up(at, id, fact.live() ? 2 * value + 1 : fact.level(), now);
  } else {
    ++counts_.withdrawn;
    if (!is_new(at, owner, now)) broken(at, "withdrew the live", id, now);
  }
}

bool Truth::is_new(uint32_t at, uint32_t owner, Instant now) const {
  if (now - nodes_[owner].since <= rules_.news) return true;
  const auto met = nodes_[at].met.find(owner);
  return met != nodes_[at].met.end() && now - met->second <= rules_.news;
}

bool Truth::holds_live(uint32_t at, uint32_t other) const {
  if (at == other) return true;
  const std::vector<uint8_t>& members = nodes_[at].members;
  if (other >= members.size()) return false;
  const int state = members[other] & kStateMask;
  return state == 1 + static_cast<int>(MemberState::kAlive) ||
         state == 1 + static_cast<int>(MemberState::kSuspect);
}

void Truth::member(uint32_t at, uint32_t other, MemberState state, Instant now) {
  Observed& node = nodes_[at];
  const bool was_live = holds_live(at, other);
  const uint8_t known = node.members[other];
  const bool was_suspect = (known & kStateMask) == 1 + static_cast<int>(MemberState::kSuspect);
  const int told = known & ~kStateMask;
  const int life = nodes_[other].life << kStateBits;
  // Of which life a suspect is, or who is none any more, is not said: it may be no news.
  const bool says_life = state == MemberState::kAlive && !was_suspect;
  node.members[other] =
      static_cast<uint8_t>((1 + static_cast<int>(state)) | (says_life ? life : told));
  if (state == MemberState::kAlive && known != 0 && told != life) node.met[other] = now;
  const bool live = holds_live(at, other);
  if (live != was_live) node.members_print ^= node_print(other);
  if (state == MemberState::kSuspect && nodes_[other].up) ++counts_.suspicions;
  if (state == MemberState::kFailed && was_live && nodes_[other].up) failed(at, other, now);
  if (!was_live || live || nodes_[other].up || nodes_[other].deaths == 0) return;
  Death& death = deaths_[nodes_[other].deaths - 1];
  if (death.missing == 0) return;
  single_deaths_.push_back(seconds_of(now - death.since));
  if (--death.missing == 0) done_deaths_.push_back(seconds_of(now - death.since));
}

void Truth::failed(uint32_t at, uint32_t other, Instant now) {
  if (may_fail(at, other, now)) return;
  ++counts_.false_failures;
  if (!nodes_[other].victim) ++counts_.false_victims;
  nodes_[other].victim = true;
  if (first_false_.empty()) {
    first_false_ = name(at) + " declared " + name(other) + " failed, which was not" + at_ms(now);
  }
}

bool Truth::may_fail(uint32_t at, uint32_t other, Instant now) const {
  const Instant from = now - rules_.window;
  for (const uint32_t node : {at, other}) {
    const Observed& it = nodes_[node];
    if (!it.up || it.down_until > from) return true;
    if (rules_.excuse_starved && (it.starved || it.starved_until > from)) return true;
  }
  return !net_.reachable(at, other, from, now, running_nodes());
}

std::vector<uint32_t> Truth::running_nodes() const {
  std::vector<uint32_t> all;
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    if (nodes_[node].up) all.push_back(node);
  }
  return all;
}

uint64_t Truth::expected_print(const Observed& node) const {
  uint64_t print = 0;
  for (const Joined& joined : node.networks) {
    const auto it = network_prints_.find(joined.network);
    if (it != network_prints_.end()) print ^= it->second;
  }
  return print;
}

bool Truth::settled() const {
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const Observed& node = nodes_[i];
    if (!node.up) continue;
    if (node.members_print != (running_print_ ^ node_print(i))) return false;
    if (node.shown_print != expected_print(node)) return false;
  }
  return true;
}

std::string Truth::difference() const {
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const Observed& node = nodes_[i];
    if (!node.up) continue;
    for (uint32_t other = 0; other < nodes_.size(); ++other) {
      if (other == i || holds_live(i, other) == nodes_[other].up) continue;
      return name(i) + (nodes_[other].up ? " misses " : " still believes in ") + name(other);
    }
    for (Entry entry = 0; entry < facts_.size(); ++entry) {
      const Fact& fact = facts_[entry];
      const uint64_t expected = fact.live() && is_joined(i, fact.network) ? fact.version : 0;
      const uint64_t shown = entry < node.entries.size() ? node.entries[entry].value : 0;
      if (shown == expected) continue;
      return name(i) + " shows " + std::to_string(shown) + ", not " + std::to_string(expected) +
             ", of " + name(fact.owner) + "/k" + std::to_string(fact.key) + " of net" +
             std::to_string(fact.network);
    }
  }
  return {};
}

std::vector<std::pair<uint32_t, uint32_t>> Truth::announced(uint32_t node) const {
  std::vector<std::pair<uint32_t, uint32_t>> all;
  for (const Entry own : nodes_[node].own) {
    if (facts_[own].live()) all.emplace_back(facts_[own].network, facts_[own].key);
  }
  return all;
}

std::vector<double> Truth::take_changes(Instant now) {
  for (Fact& fact : facts_) {
    for (const Change& change : fact.following) {
      ++counts_.unfinished;
      changes_.push_back(seconds_of(now - change.since));
    }
    fact.following.clear();
  }
  slowest_s_ = 0;
  return std::exchange(changes_, {});
}

std::vector<double> Truth::take_joinings(Instant now) {
  for (Observed& node : nodes_) {
    for (Joined& joined : node.networks) {
      if (!joined.lacking.empty()) joinings_.push_back(seconds_of(now - joined.since));
      joined.lacking.clear();
    }
  }
  return std::exchange(joinings_, {});
}

std::vector<double> Truth::take_deaths(Instant now) {
  for (Death& death : deaths_) {
    if (death.missing > 0) done_deaths_.push_back(seconds_of(now - death.since));
  }
  for (Observed& node : nodes_) node.deaths = 0;
  deaths_.clear();
  return std::exchange(done_deaths_, {});
}

}  // namespace shoal::gossip::sim
