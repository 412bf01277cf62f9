// Rumors: claims on their way round, the least told first, one per member (a newer claim replaces
// the older one), each told a limited number of times. That others tell it here, too, counts as
// told: who is full of it needs no more of it.
#pragma once

#include <map>

#include "gossip/wire/codec.h"

namespace shoal::gossip {

class Rumors {
 public:
  void put(const Claim& claim);
  // The same, as said by another.
  void heard(const Claim& claim, size_t limit);
  void drop(const NodeId& id);
  bool empty() const { return order_.empty(); }
  size_t size() const { return order_.size(); }

  // Adds claims to the packet being filled while they fit; a claim told `limit` times is done. When
  // the packet may not be heard, it does not count (`counts`).
  void fill(Packer& packer, size_t limit, bool counts);

 private:
  struct Rank {
    size_t told = 0;
    uint64_t number = 0;  // later ones first among equals: news before olds
    bool operator<(const Rank& other) const {
      return told != other.told ? told < other.told : number > other.number;
    }
  };
  struct Rumor {
    NodeId id;
    ClaimKind kind;
    uint64_t incarnation;
    Bytes encoded;
  };
  using Node = std::map<Rank, Rumor>::node_type;

  void count(Node node, size_t limit);

  uint64_t next_number_ = 0;
  std::map<Rank, Rumor> order_;
  std::map<NodeId, Rank> by_id_;
};

}  // namespace shoal::gossip
