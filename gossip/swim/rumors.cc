#include "gossip/swim/rumors.h"

namespace shoal::gossip {

void Rumors::put(const Claim& claim) {
  drop(claim.id);
  const Rank rank{0, next_number_++};
  by_id_[claim.id] = rank;
  order_[rank] = {claim.id, claim.kind, claim.incarnation, encode_message(claim)};
}

void Rumors::heard(const Claim& claim, size_t limit) {
  const auto it = by_id_.find(claim.id);
  if (it == by_id_.end()) return;
  const auto rumor = order_.find(it->second);
  const bool same =
      rumor->second.kind == claim.kind && rumor->second.incarnation == claim.incarnation;
  if (same) count(order_.extract(rumor), limit);
}

void Rumors::count(Node node, size_t limit) {
  const NodeId& id = node.mapped().id;
  if (++node.key().told >= limit) {
    by_id_.erase(id);
    return;
  }
  by_id_[id] = node.key();
  order_.insert(std::move(node));
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
  std::vector<Node> told;
  while (!order_.empty() && order_.begin()->second.encoded.size() <= packer.room()) {
    auto node = order_.extract(order_.begin());
    packer.add(node.mapped().encoded);
    told.push_back(std::move(node));
  }
  for (Node& node : told) count(std::move(node), limit);
}

}  // namespace shoal::gossip
