// PeerList: the present nodes of one network; counted and sampled without a copy of them all.
#pragma once

#include <map>
#include <vector>

#include "base/ports/sample.h"
#include "base/types/id.h"

namespace shoal::gossip {

class PeerList {
 public:
  void add(const NodeId& node) {
    if (place_.try_emplace(node, nodes_.size()).second) nodes_.push_back(node);
  }
  void erase(const NodeId& node) {
    const auto it = place_.find(node);
    if (it == place_.end()) return;
    // The last one takes its place.
    place_[nodes_.back()] = it->second;
    nodes_[it->second] = nodes_.back();
    nodes_.pop_back();
    place_.erase(node);
  }
  const std::vector<NodeId>& all() const { return nodes_; }
  std::vector<NodeId> sample(size_t count, Rng& rng) const {
    std::vector<NodeId> picked;
    for (const size_t i : sample_indices(rng, nodes_.size(), count)) picked.push_back(nodes_[i]);
    return picked;
  }

 private:
  std::vector<NodeId> nodes_;
  std::map<NodeId, size_t> place_;
};

}  // namespace shoal::gossip
