// Timing and bounds of the membership protocol. The defaults declare a cut host failed in 3-4 s
// in clusters of 3-25 nodes and take it back well within 1 s of healing.
#pragma once

#include <cstddef>

#include "base/types/time.h"

namespace shoal::gossip {

struct SwimConfig {
  // One probe per interval; with n nodes each is probed about once per interval by somebody.
  Duration probe_interval = std::chrono::milliseconds(500);
  // Wait for a direct answer; the rest of the interval is for the indirect ones.
  Duration probe_timeout = std::chrono::milliseconds(200);
  size_t indirect_probes = 3;
  // Shortest suspicion; multiplied by log10(n) from 10 nodes on, as rumours travel log(n) rounds.
  Duration suspicion_min = std::chrono::milliseconds(2000);
  // An unconfirmed suspicion lasts this many times longer (Lifeguard: one accuser may be the sick
  // one).
  int suspicion_max_factor = 2;
  // Independent confirmations that bring the suspicion down to its shortest.
  size_t suspicion_confirmations = 2;
  // Local health: a node that misses answers it should have had stretches its own timeouts up to
  // this factor.
  int awareness_max = 4;
  // A wake-up later than this is a stall: no answer is waited for longer than that, so what was
  // found silent meanwhile may only not have been listened to.
  Duration stall = std::chrono::milliseconds(200);
  // Rumour rounds: to `fanout` random members per interval while there is something to say, each
  // rumour at most retransmit_factor * ceil(log10(n + 1)) times.
  Duration gossip_interval = std::chrono::milliseconds(200);
  size_t fanout = 3;
  size_t retransmit_factor = 4;
  // Failed members are pinged at this interval, each by about `reconnect_probers` nodes, for ever.
  Duration reconnect_interval = std::chrono::milliseconds(500);
  size_t reconnect_probers = 8;
  // Seeds: every reconnect_interval when alone, else those that are no live member's address.
  Duration seed_interval = std::chrono::seconds(5);
  // How long a leaving node stays to tell others.
  Duration leave_linger = std::chrono::milliseconds(400);
};

}  // namespace shoal::gossip
