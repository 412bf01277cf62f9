// Requests that were carried out: each takes effect once, however often it is tried.
//
// A try whose answer was lost with its leader is followed by another on the next leader. By then
// others may have undone what the first did, so that it cannot be told from the objects.
#include "manager/store/store.h"

namespace shoal::manager {

Result<const HandledRequest*> Store::handled(const std::string& request, uint64_t since) const {
  const auto found = handled_by_id_.find(request);
  if (found != handled_by_id_.end()) return &handled_.at(found->second);
  const bool all_remembered = handled_.size() < kHandledRequests;
  if (since != 0 && !all_remembered && since < handled_.begin()->first) {
    return deadline_exceeded(
        "the answer was lost, and so much was done since that it is not known whether this was: "
        "look, and ask again if it was not");
  }
  return nullptr;
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

void Store::remember(const Command& command, uint64_t index, std::vector<Change>& changes) const {
  HandledRequest made{command.request, {}, index};
  if (const auto* create = std::get_if<CreateNetwork>(&command.operation)) {
    made.network = create->id;
  } else if (const auto* remove = std::get_if<RemoveNetwork>(&command.operation)) {
    made.network = remove->id;
  } else {
    return;
  }
  if (handled_.size() >= kHandledRequests) changes.push_back({handled_.begin()->second, true});
  changes.push_back({std::move(made), false});
}

void Store::put(const HandledRequest& handled) {
  handled_by_id_.emplace(handled.id, handled.index);
  handled_.emplace(handled.index, handled);
}

void Store::erase(const HandledRequest& handled) {
  handled_by_id_.erase(handled.id);
  handled_.erase(handled.index);
}

}  // namespace shoal::manager
