#include "worker/shared_resolvers.h"

#include "worker/sandboxes.h"

namespace shoal::worker {

SharedResolvers::Networks SharedResolvers::all_of(const Sandbox& sandbox) {
  Networks all;
  for (const auto& part : sandbox.parts) {
    if (!part) continue;
    all.networks.insert(all.networks.end(), part->networks.begin(), part->networks.end());
    all.may_forward = all.may_forward || part->may_forward;
  }
  return all;
}

void SharedResolvers::note(Part part, const std::string& sandbox, bool served) {
  const std::lock_guard lock(mutex_);
  if (served) {
    served_.emplace(part, sandbox);
  } else {
    served_.erase({part, sandbox});
  }
}

bool SharedResolvers::served(Part part, const NamespaceRef& space) const {
  const std::lock_guard lock(mutex_);
  return served_.contains({part, space_key(space)});
}

Result<uint16_t> SharedResolvers::View::serve(const std::string& sandbox, const NamespaceRef& space,
                                              std::vector<NetworkId> networks, bool may_forward) {
  const auto known = owner_.sandboxes_.find(sandbox);
  Sandbox wanted = known == owner_.sandboxes_.end() ? Sandbox() : known->second;
  wanted.parts[static_cast<size_t>(part_)] = Networks{std::move(networks), may_forward};
  Networks all = all_of(wanted);
  if (known == owner_.sandboxes_.end()) {
    wanted.port =
        SHOAL_TRY(owner_.server_.serve(sandbox, space, std::move(all.networks), all.may_forward));
  } else {
    SHOAL_TRY(owner_.server_.update(sandbox, std::move(all.networks), all.may_forward));
  }
  const uint16_t port = wanted.port;
  owner_.sandboxes_[sandbox] = std::move(wanted);
  owner_.note(part_, sandbox, true);
  return port;
}

Status SharedResolvers::View::update(const std::string& sandbox, std::vector<NetworkId> networks,
                                     bool may_forward) {
  const auto known = owner_.sandboxes_.find(sandbox);
  if (known == owner_.sandboxes_.end()) return not_found("sandbox " + sandbox + " has no resolver");
  known->second.parts[static_cast<size_t>(part_)] = Networks{std::move(networks), may_forward};
  Networks all = all_of(known->second);
  return owner_.server_.update(sandbox, std::move(all.networks), all.may_forward);
}

void SharedResolvers::View::stop(const std::string& sandbox) {
  const auto known = owner_.sandboxes_.find(sandbox);
  if (known == owner_.sandboxes_.end()) return;
  known->second.parts[static_cast<size_t>(part_)].reset();
  owner_.note(part_, sandbox, false);
  Networks all = all_of(known->second);
  if (all.networks.empty()) {
    owner_.server_.stop(sandbox);
    owner_.sandboxes_.erase(known);
    return;
  }
  // A sandbox that is served can be told of its networks.
  [[maybe_unused]] const Status told =
      owner_.server_.update(sandbox, std::move(all.networks), all.may_forward);
}

}  // namespace shoal::worker
