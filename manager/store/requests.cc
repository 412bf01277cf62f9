// Requests that were carried out: each takes effect once, however often it is tried.
//
// A try whose answer was lost with its leader is followed by another on the next leader. By then
// others may have removed what the first made, so that it cannot be told from the objects alone:
// each removal is remembered. What makes a network is remembered by the network itself, so that it
// costs nothing.
#include <algorithm>

#include "manager/store/store.h"

namespace shoal::manager {

Result<std::optional<HandledRequest>> Store::handled(const std::string& request,
                                                     uint64_t since) const {
  using Found = std::optional<HandledRequest>;
  const auto found = handled_by_id_.find(request);
  if (found != handled_by_id_.end()) return Found(handled_.at(found->second));
  const NetworkId id(request);
  if (const NetworkState* made = find_state(id)) {
    return Found({request, id, made->network.version});
  }
  if (const auto removed = removed_networks_.find(id); removed != removed_networks_.end()) {
    return Found({request, id, removed->second});
  }
  const bool all_remembered = handled_.size() < kHandledRequests;
  if (since != 0 && !all_remembered && since < handled_.begin()->first) {
    return deadline_exceeded(
        "the answer was lost, and so much was done since that it is not known whether this was: "
        "look, and ask again if it was not");
  }
  return Found();
}

Store::Plan Store::plan_again(const HandledRequest& handled, const Operation& operation) const {
  const auto* create = std::get_if<CreateNetwork>(&operation);
  if (create == nullptr) return {};
  if (const Network* made = network(handled.network)) return {*made, {}};
  // Made, and removed since.
  Network gone;
  gone.id = handled.network;
  gone.spec = create->spec;
  gone.version = handled.index;
  return {std::move(gone), {}};
}

void Store::remember_removal(const std::string& request, const NetworkId& id, uint64_t index,
                             std::vector<Change>& changes) const {
  const std::string& name = request.empty() ? id.str() : request;
  const auto same = handled_by_id_.find(name);
  if (same != handled_by_id_.end()) {
    changes.push_back({handled_.at(same->second), true});
  } else if (handled_.size() >= kHandledRequests) {
    changes.push_back({handled_.begin()->second, true});
  }
  changes.push_back({HandledRequest{name, id, index}, false});
}

void Store::put(const HandledRequest& handled) {
  handled_by_id_.emplace(handled.id, handled.index);
  uint64_t& removed_at = removed_networks_[handled.network];
  removed_at = std::max(removed_at, handled.index);
  handled_.emplace(handled.index, handled);
}

void Store::erase(const HandledRequest& handled) {
  handled_by_id_.erase(handled.id);
  const auto removed = removed_networks_.find(handled.network);
  if (removed != removed_networks_.end() && removed->second == handled.index) {
    removed_networks_.erase(removed);
  }
  handled_.erase(handled.index);
}

}  // namespace shoal::manager
