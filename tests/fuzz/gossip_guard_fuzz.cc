// Three nodes' guards and a network that does what it likes: packets of every kind come late, in
// any order, again, damaged, at the wrong node and after restarts, while heads change and keys are
// rotated.
//
//   input = (what u8 | who u8 | which u8 | [bytes varint length])*     what: below, modulo the end
//
// A packet opens for whom it was sealed to, in that life, once, while the key is held and its
// sender has not been heard in a later life: then always, and as what was sealed. Else never. So
// what was dropped before, and why, has changed nothing.
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>

#include "base/types/check.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}

constexpr size_t kNodes = 3;
// Fewer than the smallest window has numbers: what is kept is never too old to tell.
constexpr size_t kMaxSent = 200;

// Step by step a rotation: the next key beside the old one, then as primary, then alone.
KeyRing ring_at(uint64_t step) {
  KeyRing ring;
  for (uint64_t id = step / 3 + 1; id <= step / 3 + (step % 3 == 0 ? 1 : 2); ++id) {
    ring.keys.push_back({id, {}});
    ring.keys.back().key.fill(static_cast<uint8_t>(id));
  }
  ring.primary = step % 3 == 2 ? 1 : 0;
  return ring;
}

struct Node {
  NodeId id;
  std::unique_ptr<Guard> guard;
  uint64_t life = 0;                     // counts starts, of all nodes together
  uint64_t started = 0;                  // epochs: of the start,
  uint64_t epoch = 0;                    // and as others know it by now
  uint64_t step = 0;                     // of the rotation
  std::vector<Head> heads;               // of this life
  std::array<uint64_t, kNodes> heard{};  // the latest life of each that is bound here
  std::optional<std::pair<size_t, QuestionName>> asked;  // the question opened last, and by whom
  Peer asker;
};

struct Sent {
  PacketKind kind;
  size_t from;
  uint64_t life;
  size_t head;  // place in the heads of that life
  uint64_t key;
  size_t to;
  Peer peer;              // no id: open
  QuestionName question;  // asked by it, or answered by it
  Bytes body;
  Bytes sealed;
  std::set<uint64_t> opened_in;  // lives
};

class World {
 public:
  World() {
    for (size_t i = 0; i < kNodes; ++i) {
      nodes_[i].id = named<NodeId>(std::string(1, static_cast<char>('a' + i)));
      start(i);
    }
  }

  void run(ByteView input) {
    ByteReader in(input);
    while (in.ok() && in.remaining() > 0) {
      const uint8_t what = in.u8();
      const size_t who = in.u8();
      const size_t which = in.u8();
      if (!in.ok()) return;
      act(what % 12, who, which, in);
    }
  }

 private:
  void act(uint8_t what, size_t who, size_t which, ByteReader& in) {
    const size_t node = who % kNodes;
    const size_t other = (node + 1 + which % (kNodes - 1)) % kNodes;
    const size_t times = who / kNodes;
    switch (what) {
      case 0:
        return send(PacketKind::kDatagram, node, other, peer_of(other), body(in, times), {});
      case 1:
        return send(PacketKind::kOpen, node, other, {}, body(in, times), {});
      case 2:
        return send(PacketKind::kQuestion, node, other, peer_of(other), body(in, times), {});
      case 3:
        return answer(node, body(in, times));
      case 4:
        if (!sent_.empty()) deliver_to(sent_[which % sent_.size()].to, sent_[which % sent_.size()]);
        return;
      case 5:
        if (!sent_.empty()) deliver_to(node, sent_[which % sent_.size()]);
        return;
      case 6:
        if (!sent_.empty()) damage(node, sent_[which % sent_.size()], in);
        return;
      case 7:
        return start(node);
      case 8:
        return rotate(node);
      case 9:
        return say_anew(nodes_[node], which % 2 == 0);
      case 10:
        if (!sent_.empty()) deliver_to(sent_.back().to, sent_.back());
        return;
      default:
        if (!sent_.empty()) wrong_question(sent_[which % sent_.size()]);
    }
  }

  static Bytes body(ByteReader& in, size_t times) {
    const ByteView piece = in.bytes(200);
    Bytes all;
    for (size_t i = 0; i <= times % 40; ++i) all.insert(all.end(), piece.begin(), piece.end());
    return all;
  }

  Peer peer_of(size_t node) const { return {nodes_[node].id, nodes_[node].epoch}; }

  void start(size_t at) {
    Node& node = nodes_[at];
    node.life = ++lives_;
    node.started = node.epoch = ++epochs_;
    node.heads = {{node.id, first_incarnation(node.epoch), address(node)}};
    node.heard = {};
    node.asked.reset();
    node.guard = std::make_unique<Guard>(kCluster, node.id, node.started, ring_at(node.step), rng_);
  }

  // As an incarnation that had to be refuted does, also one of a later clock.
  void say_anew(Node& node, bool later) {
    if (node.heads.size() >= 200) return;  // versions of heads come round after 255
    if (later) {
      node.epoch = ++epochs_;
      node.guard->set_epoch(node.epoch);
    }
    const uint64_t before = node.heads.back().incarnation;
    node.heads.push_back(
        {node.id, later ? first_incarnation(node.epoch) : before + 1, address(node)});
  }

  HostPort address(const Node& node) const {
    return {Ip::v4(0xc0000200U + static_cast<uint32_t>(node.life)),
            static_cast<uint16_t>(7000 + node.heads.size())};
  }

  // Nobody is a step ahead of who is a step behind.
  void rotate(size_t at) {
    Node& node = nodes_[at];
    for (const Node& other : nodes_) {
      if (other.step < node.step) return;
    }
    node.guard->set_keys(ring_at(++node.step));
  }

  void send(PacketKind kind, size_t from, size_t to, const Peer& peer, Bytes body,
            const QuestionName& question) {
    Node& node = nodes_[from];
    Bytes plain = encode_head(node.heads.back());
    plain.insert(plain.end(), body.begin(), body.end());
    const bool datagram = kind == PacketKind::kDatagram || kind == PacketKind::kOpen;
    if (datagram && plain.size() + kSealOverhead > kMaxDatagram) return;
    const KeyRing ring = ring_at(node.step);
    Sent sent{kind,
              from,
              node.life,
              node.heads.size() - 1,
              ring.keys[ring.primary].id,
              to,
              peer,
              question,
              std::move(body),
              node.guard->seal(datagram ? PacketKind::kDatagram : kind, peer, plain, question),
              {}};
    SHOAL_CHECK(sent.sealed.size() <= plain.size() + kSealOverhead, "a seal is short");
    if (kind == PacketKind::kQuestion) sent.question = node.guard->asked();
    sent_.push_back(std::move(sent));
    if (sent_.size() > kMaxSent) sent_.pop_front();
  }

  void answer(size_t from, Bytes body) {
    const Node& node = nodes_[from];
    if (!node.asked) return;
    send(PacketKind::kAnswer, from, node.asked->first, node.asker, std::move(body),
         node.asked->second);
  }

  // Nothing: either will do. What a node of an earlier life called openly is answered again, as its
  // session is no longer known; nobody believes it.
  std::optional<bool> should_open(const Node& node, size_t at, const Sent& sent) const {
    const KeyRing ring = ring_at(node.step);
    const bool has_key = std::any_of(ring.keys.begin(), ring.keys.end(),
                                     [&](const auto& entry) { return entry.id == sent.key; });
    const bool once = sent.kind == PacketKind::kAnswer || !sent.opened_in.contains(node.life);
    if (!has_key || sent.from == at) return false;
    if (sent.kind == PacketKind::kOpen && node.heard[sent.from] > sent.life) return std::nullopt;
    if (!once) return false;
    if (sent.kind == PacketKind::kOpen) return true;
    const bool for_it = sent.peer.id == node.id &&
                        (sent.peer.epoch == node.epoch || sent.peer.epoch == node.started);
    return for_it && node.heard[sent.from] <= sent.life;
  }

  static PacketKind door(const Sent& sent) {
    return sent.kind == PacketKind::kOpen ? PacketKind::kDatagram : sent.kind;
  }

  void deliver_to(size_t at, Sent& sent) {
    Node& node = nodes_[at];
    const std::optional<bool> expected = should_open(node, at, sent);
    Bytes copy = sent.sealed;
    const QuestionName question = sent.kind == PacketKind::kAnswer ? sent.question : QuestionName{};
    const Guard::Opened opened = node.guard->open(door(sent), copy, question);
    const bool open = opened.drop == DropReason::kNone;
    SHOAL_CHECK(open == expected.value_or(open),
                open ? "nothing else opens" : "what is for it, and new, opens");
    if (!open) return;
    SHOAL_CHECK(opened.open == (sent.kind == PacketKind::kOpen), "as it was sealed");
    SHOAL_CHECK(opened.head.sender == nodes_[sent.from].id, "of whom it was");
    Bytes plain = encode_head(opened.head);
    plain.insert(plain.end(), sent.body.begin(), sent.body.end());
    SHOAL_CHECK(std::equal(opened.plain.begin(), opened.plain.end(), plain.begin(), plain.end()),
                "and what it was");
    check_head(sent, opened.head);
    sent.opened_in.insert(node.life);
    if (sent.kind != PacketKind::kOpen) {
      node.heard[sent.from] = std::max(node.heard[sent.from], sent.life);
    }
    if (sent.kind == PacketKind::kQuestion) {
      SHOAL_CHECK(opened.question == sent.question, "a question has its name");
      node.asked = {sent.from, opened.question};
      node.asker = opened.sender();
    }
  }

  // The one it was sealed with, or a later one of the same life that has been heard meanwhile.
  void check_head(const Sent& sent, const Head& head) const {
    const Node& sender = nodes_[sent.from];
    if (sender.life != sent.life) return;
    const auto it = std::find(sender.heads.begin(), sender.heads.end(), head);
    SHOAL_CHECK(it != sender.heads.end(), "it was said");
    SHOAL_CHECK(it - sender.heads.begin() >= static_cast<std::ptrdiff_t>(sent.head),
                "and nothing later with the packet");
  }

  void damage(size_t at, const Sent& sent, ByteReader& in) {
    Bytes copy = sent.sealed;
    const size_t place = in.u16() % copy.size();
    const uint8_t by = in.u8();
    if (by == 0) {
      copy.resize(place);
    } else if (by == 1) {
      copy.push_back(0);
    } else {
      copy[place] ^= by;
    }
    Guard& guard = *nodes_[at].guard;
    if (copy == sent.sealed) return;
    for (const PacketKind kind : {PacketKind::kDatagram, PacketKind::kQuestion}) {
      Bytes again = copy;
      SHOAL_CHECK(guard.open(kind, again).drop != DropReason::kNone, "damaged, it does not open");
    }
    SHOAL_CHECK(guard.open(PacketKind::kAnswer, copy, sent.question).drop != DropReason::kNone,
                "nor as an answer");
  }

  void wrong_question(const Sent& sent) {
    if (sent.kind != PacketKind::kAnswer) return;
    QuestionName question = sent.question;
    ++question.counter;
    Bytes copy = sent.sealed;
    SHOAL_CHECK(
        nodes_[sent.to].guard->open(PacketKind::kAnswer, copy, question).drop != DropReason::kNone,
        "an answer is to its question");
  }

  const ClusterId kCluster = named<ClusterId>("c");
  SeededRng rng_{1};
  uint64_t lives_ = 0;
  uint64_t epochs_ = 0;
  std::array<Node, kNodes> nodes_;
  std::deque<Sent> sent_;
};

}  // namespace
}  // namespace shoal::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::gossip::World().run({data, size});
  return 0;
}
