// Pings over streams: the way past a loss of datagrams, and to a daemon that gets no CPU, whose
// kernel at least takes the connection.
//
//   question  Ping (first), Claim*     what is said of the member, so that it can refute
//   answer    Ack, under the head that the refutation made
#include <algorithm>

#include "gossip/node/core.h"

namespace shoal::gossip {

void Core::start_tcp_probes() {
  for (const Swim::TcpProbe& probe : swim_.take_tcp_probes()) {
    Packer question(swim_.head(), kMaxFrame - kSealOverhead);
    question.add(encode_message(probe.ping));
    for (const Claim& claim : probe.claims) question.add(encode_message(claim));
    const Peer peer = swim_.peer(probe.ping.target);
    if (peer.id.empty()) {  // forgotten meanwhile
      swim_.finish_tcp_probe(probe.id, Reach::kUnknown, now_);
      continue;
    }
    effects_.tcp_probes.push_back({probe.id, probe.to, peer, question.take().front()});
  }
}

Bytes Core::answer_probe(const Packet& question, const Ping& ping, Instant now) {
  if (ping.target != swim_.self()) {
    count_drop(DropReason::kMisdirected);
    return {};
  }
  for (const Message& message : question.messages) {
    const auto* claim = std::get_if<Claim>(&message);
    if (claim != nullptr) swim_.receive_claim(*claim, question.head.address, false, now);
  }
  settle(now);
  Packer answer(swim_.head(), plain_budget());
  answer.add(encode_message(Ack{ping.number}));
  return answer.take().front();
}

void Core::finish_tcp_probe(uint64_t id, Reach reach, const std::optional<ByteView>& answer,
                            Instant now) {
  now_ = now;
  if (reach == Reach::kAnswers) {
    const Result<Packet> packet =
        answer ? decode_packet(*answer) : Result<Packet>(unavailable("no answer"));
    // Who says anything else is not the member, or cannot be understood.
    const bool acks = packet && packet->messages.size() == 1 &&
                      std::holds_alternative<Ack>(packet->messages.front()) &&
                      swim_.acks_tcp(id, packet->head.sender, std::get<Ack>(packet->messages[0]));
    if (!acks || swim_.hear(packet->head, packet->head.address, now) != DropReason::kNone) {
      reach = Reach::kRefused;
    }
  }
  swim_.finish_tcp_probe(id, reach, now);
  settle(now);
}

}  // namespace shoal::gossip
