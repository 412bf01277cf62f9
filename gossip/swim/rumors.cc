#include "gossip/swim/rumors.h"

namespace shoal::gossip {

void Rumors::put(const Claim& claim) {
  drop(claim.id);
  const Rank rank{0, next_number_++};
  by_id_[claim.id] = rank;
  order_[rank] = {claim.id, encode_message(claim)};
}

void Rumors::drop(const NodeId& id) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return;
  order_.erase(it->second);
  by_id_.erase(it);
}

void Rumors::fill(Packer& packer, size_t limit, bool counts) {
  if (!counts) {
    for (const auto& [rank, rumor] : order_) {
      if (rumor.encoded.size() > packer.room()) return;
      packer.add(rumor.encoded);
    }
    return;
  }
  std::vector<std::map<Rank, Rumor>::node_type> told;
  while (!order_.empty() && order_.begin()->second.encoded.size() <= packer.room()) {
    auto node = order_.extract(order_.begin());
    packer.add(node.mapped().encoded);
    told.push_back(std::move(node));
  }
  for (auto& node : told) {
    if (++node.key().told >= limit) {
      by_id_.erase(node.mapped().id);
    } else {
      by_id_[node.mapped().id] = node.key();
      order_.insert(std::move(node));
    }
  }
}

}  // namespace shoal::gossip
