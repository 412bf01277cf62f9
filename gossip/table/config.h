// Timing and bounds of the tables.
#pragma once

#include <cstddef>

#include "base/types/time.h"

namespace shoal::gossip {
namespace merkle {
class Pool;
}

struct TableConfig {
  // Where the maps are kept; null for a pool of their own. It outlives the tables.
  merkle::Pool* pool = nullptr;
  // Of a large network, so many tell a new peer what they have there.
  size_t greeters = 4;
  // Digests go to one random peer per network at this interval.
  Duration anti_entropy_interval = std::chrono::seconds(5);
  // And at this one while the node is strained (swim.h): events pass it by, and what the last ones
  // brought others nobody says again.
  Duration strained_interval = std::chrono::seconds(1);
  // A hole in an owner's sequence may be reordering; older than this it is loss, and a peer is
  // asked.
  Duration gap_grace = std::chrono::milliseconds(300);
  // Entries of one owner in one network: twice the endpoints a host is expected to carry.
  size_t max_entries_per_owner = 8192;
  // Entries held in total: about 1 GiB at the largest value size, tens of MiB at the usual.
  size_t max_entries = 1U << 20;
  // Entries of owners that are not known members (yet): a burst of joins, not an attack.
  size_t max_parked_entries = 16384;
  // How long: a member's claim follows its entries within seconds.
  Duration parked_for = std::chrono::seconds(30);
  // Sequence numbers known beyond a hole, per owner.
  size_t max_ahead = 8192;
};

}  // namespace shoal::gossip
