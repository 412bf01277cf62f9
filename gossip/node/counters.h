// What gossip counted since it started. Names are those of the metrics.
#pragma once

#include <array>
#include <cstdint>

#include "gossip/wire/seal.h"

namespace shoal::gossip {

struct Counters {
  uint64_t packets_sent = 0;
  uint64_t packets_received = 0;
  uint64_t bytes_sent = 0;  // datagrams, sealed
  uint64_t bytes_received = 0;
  uint64_t sends_failed = 0;  // the socket refused: full, or no route
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};  // by DropReason

  uint64_t suspicions = 0;         // members this node suspected
  uint64_t failures = 0;           // members this node declared failed
  uint64_t refutations = 0;        // accusations of this node that it refuted
  uint64_t stalls = 0;             // times this process woke too late to judge others
  uint64_t suspicions_lapsed = 0;  // that found no quorum
  uint64_t isolations = 0;         // times this node heard nobody and took itself for cut off
  uint64_t entries_refused = 0;    // received entries beyond a bound
  uint64_t events_overflowed = 0;  // events not sent as the queue was full
  uint64_t events_known = 0;       // events received again
  uint64_t events_pulled = 0;      // events asked for by their tags
  uint64_t exchanges_started = 0;
  uint64_t exchanges_failed = 0;
  uint64_t exchanges_answered = 0;

  uint64_t drops(DropReason reason) const { return dropped[static_cast<size_t>(reason)]; }
};

}  // namespace shoal::gossip
