// A few cores on a wire without delay, in virtual time, and packets made by hand. For core_test.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gossip/node/core.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}
inline const NetworkId kNet = named<NetworkId>("net");

inline KeyRing ring(const std::vector<uint64_t>& ids, size_t primary = 0) {
  KeyRing keys;
  for (const uint64_t id : ids) {
    crypto::Key key{};
    key.fill(static_cast<uint8_t>(id));
    keys.keys.push_back({id, key});
  }
  keys.primary = primary;
  return keys;
}

// One node as the daemon has it: a core behind a guard, and what its observer was told.
struct Node {
  Node(const std::string& name, uint32_t number, uint64_t epoch, Rng& rng, Instant now)
      : id(named<NodeId>(name)),
        address{Ip::v4(0xc0000200U + number), 7946},
        guard(named<ClusterId>("c"), id, epoch, ring({1}), rng),
        core(CoreConfig{.self = id, .address = address, .epoch = epoch}, rng, now) {}

  // "owner/key" of kNet.
  std::vector<std::string> shown() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : entries) names.push_back(name);
    return names;
  }

  NodeId id;
  HostPort address;
  Guard guard;
  Core core;
  bool cut = false;      // hears nobody and is not heard
  bool stalled = false;  // does not run; what is sent to it waits
  std::vector<std::pair<HostPort, Bytes>> inbox;
  std::map<std::string, Bytes> entries;
  std::map<NodeId, MemberState> members;
};

class CoreTest : public testing::Test {
 protected:
  // Starts (again) with a seed, and with one entry in kNet under its own name.
  Node& start(const std::string& name, uint32_t number, const std::string& seed = "") {
    auto& slot = nodes_[name];
    slot = std::make_unique<Node>(name, number, ++epoch_, rng_, now_);
    if (!seed.empty()) slot->core.set_seeds({nodes_.at(seed)->address}, now_);
    slot->core.join_network(kNet, now_);
    EXPECT_TRUE(slot->core.upsert(kNet, name, {1}).ok());
    return *slot;
  }
  Node& at(const std::string& name) { return *nodes_.at(name); }
  // Three nodes that know each other.
  void form() {
    start("a", 1);
    start("b", 2, "a");
    start("c", 3, "a");
    run(seconds(3));
    for (const char* name : {"a", "b", "c"}) {
      ASSERT_EQ(at(name).entries.size(), 3U) << name;
      ASSERT_EQ(at(name).core.swim().live_count(), 2U) << name;
    }
  }

  void run(Duration duration) {
    const Instant end = now_ + duration;
    while (true) {
      Instant next = end;
      for (auto& [name, node] : nodes_) {
        if (!node->stalled) next = std::min(next, node->core.next_deadline());
      }
      now_ = std::max(now_ + milliseconds(1), next);
      for (auto& [name, node] : nodes_) settle(*node);
      if (now_ >= end) return;
    }
  }
  void settle(Node& node) {
    if (node.stalled) return;
    node.core.tick(now_);
    Effects effects = node.core.take_effects(now_);
    for (const MemberInfo& member : effects.members) node.members[member.id] = member.state;
    for (const Tables::Event& event : effects.entries) {
      const std::string name = event.owner.str().substr(0, 1) + "/" + event.key;
      if (event.removed) {
        node.entries.erase(name);
      } else {
        node.entries[name] = event.value;
      }
    }
    for (const auto& datagram : effects.datagrams) deliver(node, datagram);
    for (const auto& exchange : effects.exchanges) ask(node, exchange);
    for (const auto& asked : effects.tcp_probes) probe(node, asked);
  }
  void probe(Node& from, const Effects::TcpProbe& probe) {
    Node* to = listener(from, probe.to);
    std::optional<Bytes> answer;
    if (to != nullptr && !to->stalled) answer = answer_of(from, *to, probe.peer, probe.plain);
    Reach reach = to == nullptr ? Reach::kSilent : Reach::kRefused;
    if (to != nullptr && to->stalled) reach = Reach::kStalled;
    if (answer) reach = Reach::kAnswers;
    from.core.finish_tcp_probe(probe.id, reach, answer, now_);
    settle(from);
  }
  Node* listener(const Node& from, const HostPort& address) {
    for (auto& [name, node] : nodes_) {
      if (node->address == address && !node->cut && !from.cut) return node.get();
    }
    return nullptr;
  }
  void deliver(Node& from, const Effects::Datagram& datagram) {
    Node* to = listener(from, datagram.to);
    if (to == nullptr) return;
    Bytes sealed = from.guard.seal(PacketKind::kDatagram, datagram.peer, datagram.plain);
    if (to->stalled) {
      to->inbox.emplace_back(from.address, std::move(sealed));
      return;
    }
    receive(*to, from.address, sealed);
    settle(*to);
  }
  void receive(Node& node, const HostPort& from, Bytes& sealed) {
    const Guard::Opened opened = node.guard.open(PacketKind::kDatagram, sealed);
    if (opened.drop == DropReason::kUnknownSession || opened.drop == DropReason::kOtherReceiver) {
      node.core.call(from, now_);
    }
    if (opened.drop != DropReason::kNone) return node.core.count_drop(opened.drop);
    if (opened.open) {
      node.core.receive_open(from, opened.plain, now_);
    } else {
      node.core.receive_packet(from, opened.plain, now_);
    }
    node.guard.set_epoch(node.core.epoch());
  }
  // Runs on: the timer that went off long ago first, then what waited.
  void wake(Node& node) {
    node.stalled = false;
    settle(node);
    for (auto& [from, sealed] : std::exchange(node.inbox, {})) receive(node, from, sealed);
    settle(node);
  }
  // What comes back of a question over a stream, opened.
  std::optional<Bytes> answer_of(Node& from, Node& to, const Peer& peer, const Bytes& plain) {
    std::optional<Bytes> answer;
    Bytes question = from.guard.seal(PacketKind::kQuestion, peer, plain);
    const QuestionName asked = from.guard.asked();
    const Guard::Opened opened = to.guard.open(PacketKind::kQuestion, question);
    if (opened.drop != DropReason::kNone) {
      to.core.count_drop(opened.drop);
    } else if (const Bytes said = to.core.answer_exchange(opened.plain, now_); !said.empty()) {
      Bytes sealed = to.guard.seal(PacketKind::kAnswer, opened.sender(), said, opened.question);
      const Guard::Opened got = from.guard.open(PacketKind::kAnswer, sealed, asked);
      EXPECT_EQ(got.drop, DropReason::kNone);
      answer.emplace(got.plain.begin(), got.plain.end());
    }
    settle(to);
    return answer;
  }
  void ask(Node& from, const Effects::Exchange& exchange) {
    std::optional<Bytes> answer;
    Node* to = listener(from, exchange.to);
    if (to != nullptr && !to->stalled) {
      answer = answer_of(from, *to, exchange.peer, exchange.plain);
    }
    from.core.finish_exchange(exchange.id, answer, now_);
    settle(from);
  }
  // As if `sender` had sent it; what goes out at once.
  std::vector<Claim> say(Node& to, const Head& sender, const std::vector<Message>& messages) {
    Packer packer(sender, 1400);
    for (const Message& message : messages) packer.add(encode_message(message));
    to.core.receive_packet(sender.address, packer.take(true).front(), now_);
    std::vector<Claim> claims;
    for (const auto& datagram : to.core.take_effects(now_).datagrams) {
      const auto packet = decode_packet(datagram.plain);
      EXPECT_TRUE(packet.ok()) << "others cannot read it: " << packet.error().message;
      if (!packet || datagram.to != sender.address) continue;
      for (const Message& message : packet->messages) {
        if (const auto* claim = std::get_if<Claim>(&message)) claims.push_back(*claim);
      }
    }
    return claims;
  }
  Head head(const std::string& name) { return at(name).core.swim().head(); }

  SeededRng rng_{7};
  Instant now_{1'000'000'000};
  uint64_t epoch_ = 1000;
  uint8_t value_ = 10;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
};

}  // namespace shoal::gossip
