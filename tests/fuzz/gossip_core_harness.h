// A member that holds the key and says what it likes, to a whole core: datagrams, questions and
// answers, with time passing between them.
//
//   input = (how u8 | packet length varint | packet)*     how: 0 datagram, 1 question, 2 answer,
//                                                         3 time passes: the packet's first byte
//                                                         in tenths of a second; 4 open datagram,
//                                                         5 one for an earlier life, 6 what became
//                                                         of the connection that probes a member:
//                                                         a Reach u8 and, of kAnswers, the answer
//
// Whatever comes, all this node sends can be read by others, its memory is bounded, and it never
// asks to be woken without end. gossip_corpus.cc talks to it to have something to begin with.
#pragma once

#include "base/types/check.h"
#include "gossip/node/core.h"
#include "gossip/wire/codec.h"

namespace shoal::gossip {

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}

class CoreHarness {
 public:
  CoreHarness() : core_(config(), rng_, now_) {
    core_.join_network(named<NetworkId>("net"), now_);
    SHOAL_CHECK(core_.upsert(named<NetworkId>("net"), "mine", {1, 2, 3}).ok(), "own entry");
    core_.forget(named<NodeId>("gone"), now_);
    settle();
  }

  void run(ByteView input) {
    ByteReader in(input);
    while (in.ok() && in.remaining() > 0) {
      const uint8_t how = in.u8();
      const ByteView packet = in.bytes(in.remaining());
      if (!in.ok()) return;
      feed(how % 7, packet);
    }
  }
  void feed(uint8_t how, ByteView packet) {
    said_ = {};
    answers_.clear();
    take(how, packet);
    settle();
  }
  // What the last feed() made it say.
  const Effects& said() const { return said_; }
  const std::vector<Bytes>& answers() const { return answers_; }
  Instant now() const { return now_; }

 private:
  static CoreConfig config() {
    CoreConfig config;
    config.self = named<NodeId>("self");
    config.address = HostPort::parse("192.0.2.1:7946").value();
    config.epoch = 1'700'000'000'000;
    // Small, so that they are met.
    config.table.max_entries_per_owner = 8;
    config.table.max_parked_entries = 8;
    config.table.max_entries = 32;
    config.table.max_ahead = 8;
    config.spread.max_queue = 2000;
    return config;
  }

  void take(uint8_t how, ByteView packet) {
    const HostPort from = HostPort::parse("192.0.2.9:7946").value();
    if (how == 0) {
      core_.receive_packet(from, packet, now_);
    } else if (how == 1) {
      const Bytes answer = core_.answer_exchange(packet, now_);
      SHOAL_CHECK(answer.empty() || decode_packet(answer).ok(), "answers can be read");
      answers_.push_back(answer);
    } else if (how == 2 && !asked_.empty()) {
      const uint64_t id = asked_.back();
      asked_.pop_back();
      core_.finish_exchange(id, Bytes(packet.begin(), packet.end()), now_);
    } else if (how == 3 && !packet.empty()) {
      pass(std::chrono::milliseconds(100) * packet[0]);
    } else if (how == 4) {
      core_.receive_open(from, packet, now_);
    } else if (how == 5) {
      core_.call(from, now_);
    } else if (how == 6 && !probed_.empty() && !packet.empty()) {
      finish_probe(static_cast<Reach>(packet[0] % 4), packet.subspan(1));
    }
  }

  void finish_probe(Reach reach, ByteView answer) {
    const uint64_t id = probed_.back();
    probed_.pop_back();
    std::optional<ByteView> came;
    if (reach == Reach::kAnswers) came = answer;
    core_.finish_tcp_probe(id, reach, came, now_);
  }

  void pass(Duration duration) {
    const Instant end = now_ + duration;
    for (int wakes = 0; core_.next_deadline() <= end; ++wakes) {
      // The daemon's floor between two wakes is a millisecond.
      now_ = std::max(now_ + std::chrono::milliseconds(1), core_.next_deadline());
      settle();
      SHOAL_CHECK(wakes < 30000, "sleeps now and then");
    }
    now_ = std::max(now_, end);
  }

  void settle() {
    core_.tick(now_);
    const Effects effects = core_.take_effects(now_);
    for (const Effects::Datagram& datagram : effects.datagrams) {
      SHOAL_CHECK(decode_packet(datagram.plain).ok(), "packets can be read");
    }
    for (const Effects::Exchange& exchange : effects.exchanges) {
      SHOAL_CHECK(decode_packet(exchange.plain).ok(), "questions can be read");
      asked_.push_back(exchange.id);
    }
    for (const Effects::TcpProbe& probe : effects.tcp_probes) {
      SHOAL_CHECK(decode_packet(probe.plain).ok(), "probes can be read");
      probed_.push_back(probe.id);
    }
    for (const Tables::Event& event : effects.entries) {
      SHOAL_CHECK(event.network == named<NetworkId>("net"), "only what was joined is shown");
      SHOAL_CHECK(event.owner != named<NodeId>("gone"), "a removed node shows nothing");
    }
    for (const MemberInfo& member : effects.members) {
      SHOAL_CHECK(member.id != named<NodeId>("gone"), "a removed node is nobody");
    }
    SHOAL_CHECK(core_.tables().entries() <= 64, "tables are bounded");
    said_.datagrams.insert(said_.datagrams.end(), effects.datagrams.begin(),
                           effects.datagrams.end());
    said_.exchanges.insert(said_.exchanges.end(), effects.exchanges.begin(),
                           effects.exchanges.end());
    said_.tcp_probes.insert(said_.tcp_probes.end(), effects.tcp_probes.begin(),
                            effects.tcp_probes.end());
  }

  SeededRng rng_{1};
  Instant now_{1'000'000'000};
  Core core_;
  std::vector<uint64_t> asked_;
  std::vector<uint64_t> probed_;
  Effects said_;
  std::vector<Bytes> answers_;
};

}  // namespace shoal::gossip
