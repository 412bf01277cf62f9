#include "worker/attach/endpoint_set.h"

namespace shoal::worker {

Result<EndpointHandle*> EndpointSet::ensure(const EndpointId& id, const NamespaceRef& space) {
  if (EndpointHandle* const held = find(id)) return held;
  EndpointHandle handle = SHOAL_TRY(EndpointHandle::open(space));
  handle.token = SHOAL_TRY(watches_.add(handle.monitor.fd()));
  if (handle.rules) handle.rules_token = SHOAL_TRY(watches_.add(handle.rules->fd()));
  if (handle.process.valid()) {
    handle.process_token = SHOAL_TRY(watches_.add(handle.process.get(), WatchSet::Tell::kOnce));
  }
  for (const uint64_t token : {handle.token, handle.rules_token, handle.process_token}) {
    if (token != 0) tokens_.emplace(token, id);
  }
  return &handles_.emplace(id, std::move(handle)).first->second;
}

EndpointHandle* EndpointSet::find(const EndpointId& id) {
  const auto found = handles_.find(id);
  return found == handles_.end() ? nullptr : &found->second;
}

const EndpointHandle* EndpointSet::find(const EndpointId& id) const {
  const auto found = handles_.find(id);
  return found == handles_.end() ? nullptr : &found->second;
}

void EndpointSet::erase(const EndpointId& id) { take(id); }

std::shared_ptr<EndpointHandle> EndpointSet::take(const EndpointId& id) {
  const auto found = handles_.find(id);
  if (found == handles_.end()) return nullptr;
  auto handle = std::make_shared<EndpointHandle>(std::move(found->second));
  for (const uint64_t token : {handle->token, handle->rules_token, handle->process_token}) {
    tokens_.erase(token);
  }
  stirred_.erase(id);
  ended_.erase(id);
  handles_.erase(found);
  return handle;
}

bool EndpointSet::handle_event(uint64_t token) {
  const auto found = tokens_.find(token);
  if (found == tokens_.end()) return false;
  EndpointHandle& handle = handles_.at(found->second);
  if (token == handle.process_token) {
    ended_.insert(found->second);
    return true;
  }
  if (token == handle.rules_token) {
    handle.rules->drain();
    handle.rules_changed = true;
  } else {
    handle.monitor.drain();
  }
  stirred_.insert(found->second);
  return true;
}

std::map<EndpointId, std::string> EndpointSet::take_ended(bool everywhere) {
  std::map<EndpointId, std::string> out;
  const auto look = [&](const EndpointId& id, const EndpointHandle& handle) {
    const Status there = still_there(handle.opened.ref);
    const bool ended = ended_.contains(id);
    if (there.ok() && !ended) return;
    if (!there.ok() && there.error().code != ErrorClass::kNotFound) return;
    out[id] = there.ok() ? "process " + std::to_string(handle.opened.ref.pid) + " ended"
                         : there.error().message;
  };
  if (everywhere) {
    for (const auto& [id, handle] : handles_) look(id, handle);
  } else {
    for (const EndpointId& id : ended_) look(id, handles_.at(id));
  }
  ended_.clear();
  return out;
}

bool EndpointSet::mark_gone(const EndpointId& id, const NamespaceRef& space,
                            const std::string& reason) {
  erase(id);
  return gone_.emplace(id, Gone{space, reason}).second;
}

void EndpointSet::review_gone(const std::function<const NamespaceRef*(const EndpointId&)>& wanted) {
  std::erase_if(gone_, [&](const auto& gone) {
    const NamespaceRef* const space = wanted(gone.first);
    return space == nullptr || *space != gone.second.space;
  });
}

}  // namespace shoal::worker
