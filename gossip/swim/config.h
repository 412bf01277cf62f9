// Timing and bounds of the membership protocol. The defaults declare a dead host failed in about
// 2.5 s, at any size, and take it back well within 1 s of healing.
#pragma once

#include <cstddef>

#include "base/types/time.h"

namespace shoal::gossip {

struct SwimConfig {
  // One probe per interval; with n nodes each is probed about once per interval by somebody. A
  // large cluster takes the shortest one, as news of a death take longer there; a small one has
  // the time: probe_interval_alone less so much per decade of nodes, 0.71 s at 25.
  Duration probe_interval = std::chrono::milliseconds(500);
  Duration probe_interval_alone = std::chrono::milliseconds(900);
  Duration probe_interval_decade = std::chrono::milliseconds(133);
  // Wait for a direct answer; the rest of probe_interval is for the helpers.
  Duration probe_timeout = std::chrono::milliseconds(200);
  size_t helpers = 4;
  // A connection to the member's stream port: a kernel's part takes a round trip, and the daemon's
  // another one.
  Duration tcp_timeout = std::chrono::milliseconds(200);
  // Such connections under way at once, for this node and for others.
  size_t max_tcp_probes = 64;
  // A suspicion's time and voices (suspicion.h).
  Duration suspicion_base = std::chrono::milliseconds(1000);
  Duration suspicion_per_decade = std::chrono::milliseconds(100);
  size_t quorum = 3;
  int suspicion_lapse = 3;
  // A verdict of others is not taken over when the member was heard so lately.
  Duration heard_lately = std::chrono::seconds(1);
  // A stalled member (its kernel takes connections, it says nothing) is not accused for so long.
  Duration stalled_hold = std::chrono::seconds(3);
  // Some who found it so look again at this interval, and after stalled_watch tell all others.
  Duration stalled_look = std::chrono::seconds(5);
  Duration stalled_watch = std::chrono::seconds(35);
  // Who was told so of all others, and has not denied it for so long, is as good as silent. Longer
  // than a daemon that lives gets no CPU, as it may be told so at once.
  Duration stalled_fuse = std::chrono::seconds(36);
  // Nothing heard of anybody for so long: it is this node that is cut off.
  Duration isolation = std::chrono::seconds(3);
  // A live member that this node could reach neither by datagram nor by connection: for so long
  // what was sent may be lost in more places.
  Duration strain = std::chrono::seconds(10);
  // Local health: a node that misses answers it should have had stretches its own timeouts up to
  // this factor, and from half of it on accuses nobody.
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
  // As many look again at who is newly suspected, each over a connection of its own.
  size_t lookers = 8;
  // Seeds: every reconnect_interval when alone, else those that are no live member's address.
  Duration seed_interval = std::chrono::seconds(5);
  // How long a leaving node stays to tell others.
  Duration leave_linger = std::chrono::milliseconds(400);
};

}  // namespace shoal::gossip
