// One node's membership, in a world that is told what to answer. For the tests of swim.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "gossip/swim/swim.h"

namespace shoal::gossip {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline NodeId node(const std::string& name) {
  return NodeId(name + std::string(kIdLength - name.size(), '0'));
}
inline HostPort address(uint32_t last) { return {Ip::v4(0x0a000000U + last), 7946}; }
inline constexpr Instant kStart{1'000'000'000};

struct SwimTest : testing::Test {
  SeededRng rng{1};
  SwimConfig config;
  Swim swim{config, node("self"), address(1), 100, rng, kStart};
  Instant now = kStart;

  // What the world does: who of the members acks (all else is silence), what becomes of
  // connections, and what helpers say that answer.
  std::set<std::string> answering;
  Reach tcp = Reach::kSilent;
  std::optional<Reach> helpers_say;
  std::map<HostPort, std::pair<std::string, uint64_t>> known;
  std::vector<Swim::Outgoing> log;

  void meet(const std::string& name, uint32_t last, uint64_t incarnation = 10) {
    known[address(last)] = {name, incarnation};
    swim.hear({node(name), incarnation, address(last)}, address(last), now);
  }
  void meet_all(const std::string& names) {
    for (size_t i = 0; i < names.size(); ++i) {
      meet(names.substr(i, 1), static_cast<uint32_t>(2 + i));
    }
  }
  void react() {
    for (Swim::Outgoing& out : swim.take_outgoing()) {
      log.push_back(out);
      const auto to = known.find(out.to);
      if (to == known.end() || !answering.contains(to->second.first)) continue;
      const NodeId id = node(to->second.first);
      for (const Message& message : out.messages) {
        const auto* ping = std::get_if<Ping>(&message);
        const auto* request = std::get_if<PingRequest>(&message);
        if (ping == nullptr && request == nullptr) continue;
        swim.hear({id, to->second.second, out.to}, out.to, now);
        if (ping != nullptr) swim.receive_ack(id, {ping->number});
        if (request != nullptr && helpers_say) {
          swim.receive_testimony(id, {request->number, *helpers_say});
        }
      }
    }
    for (const Swim::TcpProbe& probe : swim.take_tcp_probes()) {
      swim.finish_tcp_probe(probe.id, tcp, now);
    }
  }
  std::vector<Claim> held() {
    MemberDifference all;
    all.buckets.fill(0xff);
    return swim.claims_in(all);
  }
  MemberState state(const std::string& name) {
    for (const MemberInfo& member : swim.members()) {
      if (member.id == node(name)) return member.state;
    }
    ADD_FAILURE() << "unknown " << name;
    return MemberState::kLeft;
  }
  void claim(ClaimKind kind, const std::string& name, uint64_t incarnation,
             const std::string& accusers = "", bool news = true) {
    Claim claim{kind, node(name), incarnation, address(9), {}};
    for (const char accuser : accusers) claim.accusers.push_back(node(std::string(1, accuser)));
    swim.receive_claim(claim, address(8), news, now);
  }
  // Time passes.
  void pass(Duration duration) {
    const Instant end = now + duration;
    react();
    while (swim.next_deadline() <= end) {
      now = std::max(now + milliseconds(1), swim.next_deadline());
      swim.tick(now);
      react();
    }
    now = end;
    swim.tick(now);
    react();
  }
  template <typename M>
  std::vector<std::pair<HostPort, M>> sent() {
    std::vector<std::pair<HostPort, M>> found;
    for (Swim::Outgoing& out : swim.take_outgoing()) log.push_back(std::move(out));
    for (const Swim::Outgoing& out : std::exchange(log, {})) {
      for (const Message& message : out.messages) {
        if (const auto* m = std::get_if<M>(&message)) found.emplace_back(out.to, *m);
      }
    }
    return found;
  }
};

}  // namespace shoal::gossip
