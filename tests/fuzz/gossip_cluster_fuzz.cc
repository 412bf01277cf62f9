// Two to five whole cores behind their guards, and everything between them under control of the
// input: which packet arrives, when, in what order, how often; who is cut off, stopped, frozen.
//
//   input = nodes u8 | (what u8 | which u8)*     what: see act(), modulo the end
//
// Of what a node shows to its consumer:
//   old value    never an older value of an entry than it has shown
//   resurrected  never again what was deleted and is known to be
//   (both: in one life, from joining the network until leaving it)
//   invented     only what the owner said
//   equal        once all run and hear each other: exactly what is announced, everywhere
#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>

#include "base/types/check.h"
#include "gossip/node/core.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}

const NetworkId kNet = named<NetworkId>("net");
constexpr size_t kMaxNodes = 5;
constexpr size_t kMaxQueue = 256;
// What an input may ask for; the rest of it passes no time.
constexpr Duration kMaxTime = seconds(60);
constexpr Duration kStreamTimeout = seconds(10);  // the daemon's, of an exchange
constexpr Duration kHealing = seconds(40);

using EntryName = std::pair<size_t, std::string>;  // owner, key

// Of an entry, what the world did: versions count up, over restarts of its owner too.
struct Fact {
  uint64_t said = 0;  // the last version announced
  uint64_t dead = 0;  // versions up to this one are deleted
};
struct Shown {
  uint64_t value = 0;  // 0: not shown
  uint64_t floor = 0;  // nothing below may be shown
};

struct Node {
  NodeId id;
  HostPort address;
  uint64_t life = 0;
  bool up = false;
  bool frozen = false;
  bool joined = false;
  int group = 0;
  std::unique_ptr<SeededRng> rng;
  std::unique_ptr<Guard> guard;
  std::unique_ptr<Core> core;
  std::map<EntryName, Shown> shown;
  std::map<NodeId, MemberState> members;
};

enum class Kind : uint8_t { kDatagram, kExchange, kProbe };
struct Item {
  Kind kind;
  size_t from;
  uint64_t life;  // of the sender
  HostPort to;
  Bytes sealed;
  QuestionName asked;
  uint64_t id;
  Instant until;  // a stream is given up
};

class World {
 public:
  explicit World(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Node node;
      node.id = named<NodeId>(std::string(1, static_cast<char>('a' + i)));
      node.address = {Ip::v4(0xc0000201U + static_cast<uint32_t>(i)), 7946};
      nodes_.push_back(std::move(node));
    }
    for (size_t i = 0; i < count; ++i) start(i);
    pass(seconds(1), true);
  }

  void act(uint8_t what, uint8_t which) {
    const size_t at = which % nodes_.size();
    const std::string key = "k" + std::to_string(which / nodes_.size() % 4);
    switch (what % 18) {
      case 0:
      case 1:
      case 2:
        return put(at, key);
      case 3:
      case 4:
        return erase(at, key);
      case 5:
        return stop(at);
      case 6:
        return start(at);
      case 7:
        return join(at, !nodes_[at].joined);
      case 8:
        for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].group = which >> i & 1;
        return;
      case 9:
        for (Node& node : nodes_) node.group = 0;
        return;
      case 10:
        return thaw(at, !nodes_[at].frozen);
      case 11:
        if (!queue_.empty()) deliver(take(which % queue_.size()));
        return;
      case 12:
        if (!queue_.empty()) duplicate(which % queue_.size());
        return;
      case 13:
        if (!queue_.empty()) give_up(take(which % queue_.size()));
        return;
      case 14:
        return deliver_some(which);
      case 15:
        return pass(milliseconds(10) * which, false);
      case 16:
        return pass(milliseconds(20) * which, true);
      default:
        return leave(at);
    }
  }

  void heal() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].group = 0;
      thaw(i, false);
      if (!nodes_[i].up) start(i);
    }
    passed_ = {};
    const Instant end = now_ + kHealing;
    while (!equal() && now_ < end) pass(milliseconds(100), true);
    if (!equal()) tell();
    SHOAL_CHECK(equal(), "all that live show what is announced");
    pass(seconds(2), true);
    SHOAL_CHECK(equal(), "and go on to");
  }

 private:
  // What the world does.
  void start(size_t at) {
    Node& node = nodes_[at];
    if (node.up) return;
    node.life = ++lives_;
    node.up = true;
    node.frozen = false;
    node.shown.clear();
    node.members.clear();
    node.rng = std::make_unique<SeededRng>(node.life);
    KeyRing ring;
    ring.keys.push_back({1, {}});
    node.guard =
        std::make_unique<Guard>(named<ClusterId>("c"), node.id, node.life, ring, *node.rng);
    CoreConfig config;
    config.self = node.id;
    config.address = node.address;
    config.epoch = node.life;
    node.core = std::make_unique<Core>(config, *node.rng, now_);
    std::vector<HostPort> seeds;
    for (const Node& other : nodes_) {
      if (other.id != node.id) seeds.push_back(other.address);
    }
    node.core->set_seeds(seeds, now_);
    node.joined = false;
    join(at, true);
  }
  void stop(size_t at) {
    Node& node = nodes_[at];
    if (!node.up) return;
    node.up = false;
    node.core.reset();
    kill_all(at);
  }
  void leave(size_t at) {
    if (!runs(at)) return;
    nodes_[at].core->leave(now_);
    for (int i = 0; i < 5; ++i) pass(milliseconds(100), true);
    stop(at);
  }
  void join(size_t at, bool join) {
    Node& node = nodes_[at];
    if (!runs(at)) return;
    node.joined = join;
    if (join) {
      node.core->join_network(kNet, now_);
    } else {
      node.core->leave_network(kNet);
      kill_all(at);
    }
    settle(at);
    // Who comes back has forgotten, and may first meet somebody who has not heard yet.
    if (!join) node.shown.clear();
  }
  void put(size_t at, const std::string& key) {
    if (!runs(at) || !nodes_[at].joined) return;
    const uint64_t version = ++facts_[{at, key}].said;
    ByteWriter value;
    value.u64(version);
    SHOAL_CHECK(nodes_[at].core->upsert(kNet, key, value.take()).ok(), "an own entry");
    settle(at);
  }
  void erase(size_t at, const std::string& key) {
    if (!runs(at) || !nodes_[at].joined) return;
    Fact& fact = facts_[{at, key}];
    fact.dead = fact.said;
    nodes_[at].core->remove(kNet, key);
    settle(at);
  }
  void kill_all(size_t at) {
    for (auto& [name, fact] : facts_) {
      if (name.first == at) fact.dead = fact.said;
    }
  }
  void thaw(size_t at, bool freeze) {
    if (!nodes_[at].up) return;
    nodes_[at].frozen = freeze;
    if (!freeze) settle(at);
  }
  bool runs(size_t at) const { return nodes_[at].up && !nodes_[at].frozen; }

  // The wire.
  void settle(size_t at) {
    if (!runs(at)) return;
    Node& node = nodes_[at];
    node.core->tick(now_);
    const Effects effects = node.core->take_effects(now_);
    for (const MemberInfo& member : effects.members) node.members[member.id] = member.state;
    for (const Tables::Event& event : effects.entries) observe(at, event);
    for (const Effects::Datagram& datagram : effects.datagrams) {
      enqueue({Kind::kDatagram,
               at,
               node.life,
               datagram.to,
               node.guard->seal(PacketKind::kDatagram, datagram.peer, datagram.plain),
               {},
               0,
               Instant::max()});
    }
    for (const Effects::Exchange& exchange : effects.exchanges) {
      Bytes sealed = node.guard->seal(PacketKind::kQuestion, exchange.peer, exchange.plain);
      enqueue({Kind::kExchange, at, node.life, exchange.to, std::move(sealed), node.guard->asked(),
               exchange.id, now_ + kStreamTimeout});
    }
    for (const Effects::TcpProbe& probe : effects.tcp_probes) {
      Bytes sealed = node.guard->seal(PacketKind::kQuestion, probe.peer, probe.plain);
      enqueue({Kind::kProbe, at, node.life, probe.to, std::move(sealed), node.guard->asked(),
               probe.id, now_ + SwimConfig().tcp_timeout});
    }
  }
  void enqueue(Item item) {
    queue_.push_back(std::move(item));
    if (queue_.size() > kMaxQueue) give_up(take(0));
  }
  Item take(size_t at) {
    Item item = std::move(queue_[at]);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(at));
    return item;
  }
  void duplicate(size_t at) {
    // The network can repeat packets; a connection is one.
    if (queue_[at].kind == Kind::kDatagram) enqueue(Item(queue_[at]));
  }
  void deliver_some(size_t most) {
    for (size_t i = std::min(most, queue_.size()); i > 0 && !queue_.empty(); --i) deliver(take(0));
  }
  // Who listens there, for who sent it.
  size_t receiver(const Item& item) const {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      if (node.address == item.to && node.group == nodes_[item.from].group) return i;
    }
    return kMaxNodes;
  }
  void deliver(Item item) {
    const size_t at = receiver(item);
    if (at == kMaxNodes || !nodes_[at].up) return give_up(item);
    Node& node = nodes_[at];
    if (node.frozen)
      return queue_.size() < kMaxQueue ? queue_.push_back(std::move(item)) : give_up(item);
    if (item.kind == Kind::kDatagram) {
      receive(node, nodes_[item.from].address, item.sealed);
    } else {
      answer(node, item);
    }
    settle(at);
  }
  void receive(Node& node, const HostPort& from, Bytes& sealed) {
    const Guard::Opened opened = node.guard->open(PacketKind::kDatagram, sealed);
    if (opened.drop == DropReason::kUnknownSession || opened.drop == DropReason::kOtherReceiver) {
      node.core->call(from, now_);
    }
    SHOAL_CHECK(opened.drop != DropReason::kForged && opened.drop != DropReason::kMalformed,
                "what is sent can be read");
    if (opened.drop != DropReason::kNone) return;
    if (opened.open) {
      node.core->receive_open(from, opened.plain, now_);
    } else {
      node.core->receive_packet(from, opened.plain, now_);
    }
    node.guard->set_epoch(node.core->epoch());
  }
  void answer(Node& node, Item& item) {
    const Guard::Opened opened = node.guard->open(PacketKind::kQuestion, item.sealed);
    Bytes said;
    if (opened.drop == DropReason::kNone) said = node.core->answer_exchange(opened.plain, now_);
    node.guard->set_epoch(node.core->epoch());
    if (said.empty()) return finish(item, Reach::kRefused, std::nullopt);
    Bytes sealed = node.guard->seal(PacketKind::kAnswer, opened.sender(), said, opened.question);
    Node& asker = nodes_[item.from];
    if (!asker.up || asker.life != item.life) return;
    const Guard::Opened got = asker.guard->open(PacketKind::kAnswer, sealed, item.asked);
    if (got.drop != DropReason::kNone) return finish(item, Reach::kRefused, std::nullopt);
    finish(item, Reach::kAnswers, Bytes(got.plain.begin(), got.plain.end()));
  }
  void give_up(const Item& item) {
    const size_t at = receiver(item);
    Reach reach = Reach::kSilent;
    if (at != kMaxNodes) reach = nodes_[at].up ? Reach::kStalled : Reach::kRefused;
    finish(item, reach, std::nullopt);
  }
  void finish(const Item& item, Reach reach, const std::optional<Bytes>& answer) {
    Node& node = nodes_[item.from];
    if (item.kind == Kind::kDatagram || !node.up || node.life != item.life) return;
    std::optional<ByteView> view;
    if (answer) view = *answer;
    if (item.kind == Kind::kExchange) {
      node.core->finish_exchange(item.id, view, now_);
    } else {
      node.core->finish_tcp_probe(item.id, reach, view, now_);
    }
    node.guard->set_epoch(node.core->epoch());
    settle(item.from);
  }

  void pass(Duration duration, bool delivering) {
    passed_ += duration;
    if (passed_ > kMaxTime) return;
    const Instant end = now_ + duration;
    while (now_ < end) {
      if (delivering) deliver_some(queue_.size());
      Instant next = end;
      for (const Node& node : nodes_) {
        if (node.up && !node.frozen) next = std::min(next, node.core->next_deadline());
      }
      if (delivering && !queue_.empty()) next = now_;
      now_ = std::max(now_ + milliseconds(1), next);
      expire();
      for (size_t i = 0; i < nodes_.size(); ++i) settle(i);
    }
  }
  void expire() {
    for (size_t i = 0; i < queue_.size();) {
      if (queue_[i].until > now_) {
        ++i;
      } else {
        give_up(take(i));
      }
    }
  }

  // What a node tells its consumer.
  size_t index_of(const NodeId& id) const {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].id == id) return i;
    }
    SHOAL_CHECK(false, "invented: an owner");
    return kMaxNodes;
  }
  bool holds_live(const Node& node, size_t owner) const {
    if (nodes_[owner].id == node.id) return true;
    const auto it = node.members.find(nodes_[owner].id);
    return it != node.members.end() &&
           (it->second == MemberState::kAlive || it->second == MemberState::kSuspect);
  }
  void observe(size_t at, const Tables::Event& event) {
    Node& node = nodes_[at];
    SHOAL_CHECK(event.network == kNet, "only what was joined is shown");
    const EntryName name{index_of(event.owner), event.key};
    const Fact& fact = facts_[name];
    Shown& shown = node.shown[name];
    if (event.removed) {
      SHOAL_CHECK(shown.value != 0, "unseen: what is removed was shown");
      const bool deleted = shown.value <= fact.dead && node.joined && holds_live(node, name.first);
      if (deleted) shown.floor = shown.value + 1;
      shown.value = 0;
      return;
    }
    const uint64_t value = ByteReader(event.value).u64();
    SHOAL_CHECK(value > 0 && value <= fact.said, "invented: a value");
    SHOAL_CHECK(value >= shown.floor, "old value, or resurrected");
    shown.value = shown.floor = value;
  }
  std::map<EntryName, uint64_t> announced() const {
    std::map<EntryName, uint64_t> all;
    for (const auto& [name, fact] : facts_) {
      if (fact.said > fact.dead) all[name] = fact.said;
    }
    return all;
  }
  static std::map<EntryName, uint64_t> shown_by(const Node& node) {
    std::map<EntryName, uint64_t> all;
    for (const auto& [name, shown] : node.shown) {
      if (shown.value != 0) all[name] = shown.value;
    }
    return all;
  }
  bool equal() const {
    const auto all = announced();
    for (const Node& node : nodes_) {
      if (shown_by(node) != (node.joined ? all : std::map<EntryName, uint64_t>())) return false;
      for (size_t other = 0; other < nodes_.size(); ++other) {
        if (!holds_live(node, other)) return false;
      }
    }
    return true;
  }
  void tell() const {
    const auto print = [](const char* who, const std::map<EntryName, uint64_t>& entries) {
      std::fprintf(stderr, "%s:", who);
      for (const auto& [name, value] : entries) {
        std::fprintf(stderr, " %zu/%s=%lu", name.first, name.second.c_str(), value);
      }
      std::fprintf(stderr, "\n");
    };
    print("announced", announced());
    for (const Node& node : nodes_) {
      print(node.id.str().substr(0, 1).c_str(), shown_by(node));
      for (size_t other = 0; other < nodes_.size(); ++other) {
        if (!holds_live(node, other)) std::fprintf(stderr, "does not hold %zu for live\n", other);
      }
    }
  }

  Instant now_{1'000'000'000};
  Duration passed_{};
  uint64_t lives_ = 1000;
  std::vector<Node> nodes_;
  std::deque<Item> queue_;
  std::map<EntryName, Fact> facts_;
};

}  // namespace
}  // namespace shoal::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  shoal::gossip::World world(2 + data[0] % (shoal::gossip::kMaxNodes - 1));
  for (size_t i = 1; i + 1 < size; i += 2) world.act(data[i], data[i + 1]);
  world.heal();
  return 0;
}
