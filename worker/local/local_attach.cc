// LocalNetworks: attach and detach, step by step; see local_networks.h.
#include "base/runtime/log.h"
#include "worker/local/local_networks.h"
#include "worker/local/published.h"

namespace shoal::worker {
namespace {

constexpr char kLog[] = "local";
constexpr size_t kToldText = 64;  // of what came from outside, in a message

Error is_stopping() { return unavailable("shoald is stopping: try again when it runs"); }

}  // namespace

struct LocalNetworks::AttachOp {
  AttachRequest request;
  std::function<void(Result<Attached>)> done;
  std::function<void()> over = [] {};  // ends the turn in the namespace's queue
  EndpointId id;
};

void LocalNetworks::stop() {
  if (stopping_) return;
  stopping_ = true;
  alive_.reset();
  for (const auto& op : attaching_) op->done(is_stopping());
  attaching_.clear();
  sandboxes_.stop_all();
}

void LocalNetworks::attach(AttachRequest request, std::function<void(Result<Attached>)> done) {
  if (stopping_) return done(is_stopping());
  if (locals_.size() >= kMostEndpoints) {
    return done(resource_exhausted("this host has " + std::to_string(kMostEndpoints) +
                                   " endpoints, which is as many as it can have"));
  }
  auto op = std::make_shared<AttachOp>();
  op->request = std::move(request);
  op->done = std::move(done);
  attaching_.insert(op);
  // Without the interface name: whether that is free is asked when this attach has its turn.
  ports_.kernel.check_namespace(
      op->request.space, "", guarded([this, op](const Result<NamespaceRef>& space) {
        if (!space) return attach_answer(op, space.error());
        op->request.space = *space;
        serial_.run(space_key(*space), guarded([this, op](std::function<void()> over) {
                      op->over = std::move(over);
                      attach_begin(op);
                    }));
      }));
}

void LocalNetworks::attach_begin(const std::shared_ptr<AttachOp>& op) {
  const Result<const manager::Network*> network = book_->find_network(op->request.network);
  if (!network) return attach_answer(op, network.error());
  op->request.network = (*network)->id.str();
  if (const Local* const there = find_in(op->request.space, (*network)->id)) {
    const Attachment& record = there->record;
    // Asked again: the answer is the same.
    if (record.endpoint.spec.name == op->request.spec.name &&
        record.endpoint.spec.ports == op->request.spec.ports &&
        (op->request.ifname.empty() || op->request.ifname == record.ifname)) {
      return attach_answer(op, Attached{record.endpoint, record.ifname, record.mtu});
    }
    return attach_answer(op, already_exists("this namespace is on network " + record.network_name +
                                            " already, as endpoint " + record.endpoint.spec.name +
                                            " (" + record.ifname + "): detach that first"));
  }
  ports_.kernel.check_namespace(op->request.space, op->request.ifname,
                                guarded([this, op](const Result<NamespaceRef>& space) {
                                  if (!space) return attach_answer(op, space.error());
                                  attach_lease(op);
                                }));
}

const LocalNetworks::Local* LocalNetworks::find_in(const NamespaceRef& space,
                                                   const NetworkId& network) const {
  const auto here = spaces_.find(space_key(space));
  if (here == spaces_.end()) return nullptr;
  for (const EndpointId& id : here->second) {
    const Local& local = locals_.at(id);
    const bool attached = local.record.phase == Attachment::Phase::kAttached;
    if (attached && local.record.endpoint.network_id == network) return &local;
  }
  return nullptr;
}

void LocalNetworks::attach_lease(const std::shared_ptr<AttachOp>& op) {
  op->id = draw_id<EndpointId>();
  const NetworkId id(op->request.network);
  const Result<manager::Endpoint> lease = book_->lease(
      id, op->id, op->request.spec, Mac::from_random(ports_.rng.next()), ports_.clock.wall());
  if (!lease) return attach_answer(op, lease.error());
  if (op->request.spec.ports.empty()) return attach_record(op, *lease);
  attach_publish(op, *lease);
}

void LocalNetworks::attach_publish(const std::shared_ptr<AttachOp>& op,
                                   manager::Endpoint endpoint) {
  const auto refuse = [this, op](Error error) {
    book_->release(op->id);
    attach_answer(op, std::move(error));
  };
  const manager::Network& network = *book_->network(endpoint.network_id);
  const auto requests =
      plan_ports(endpoint.spec.ports,
                 ground_of(network, book_->driver(network.id).publishes_at(network), endpoint));
  if (!requests) return refuse(requests.error());
  ports_.host_ports.take(
      op->id, owner_text(endpoint.spec.name, network.spec.name), *requests, relayed_to(endpoint),
      guarded([this, op, endpoint, refuse](const Result<std::vector<PortBinding>>& taken) {
        if (!taken) return refuse(taken.error());
        manager::Endpoint published = endpoint;
        for (const PortBinding& binding : *taken) published.ports.push_back(binding.str());
        attach_record(op, std::move(published));
      }));
}

void LocalNetworks::attach_record(const std::shared_ptr<AttachOp>& op, manager::Endpoint endpoint) {
  Attachment record;
  record.network_name = book_->network(endpoint.network_id)->spec.name;
  record.endpoint = std::move(endpoint);
  record.space = op->request.space;
  record.ifname = op->request.ifname;
  const Local& local = add_local(std::move(record));
  ports_.disk.save_endpoint(local.record, guarded([this, op](const Status& saved) {
                              if (saved) return attach_plumb(op);
                              erase_local(op->id);
                              book_->release(op->id);
                              ports_.host_ports.release(op->id);
                              attach_answer(
                                  op, saved.error().wrap("the attach cannot be written down"));
                            }));
}

void LocalNetworks::attach_plumb(const std::shared_ptr<AttachOp>& op) {
  Local& local = locals_.at(op->id);
  enter_space(local);
  const Status served = sync_space(local.record.space);
  if (!served) {
    return attach_undo(op, served.error().wrap("DNS cannot be set up in the namespace"));
  }
  refresh_kernel([this, op](const HostPass& pass) { attach_plumbed(op, pass); });
}

void LocalNetworks::attach_plumbed(const std::shared_ptr<AttachOp>& op, const HostPass& pass) {
  const auto failed = pass.endpoint_errors.find(op->id);
  if (failed != pass.endpoint_errors.end()) return attach_undo(op, failed->second);
  const auto attached = pass.attached.find(op->id);
  if (attached == pass.attached.end()) {
    return attach_undo(op, internal_error("the host's plane did not make the interface"));
  }
  Local& local = locals_.at(op->id);
  local.record.ifname = attached->second.ifname;
  local.record.mtu = attached->second.mtu;
  local.record.phase = Attachment::Phase::kAttached;
  ports_.disk.save_endpoint(
      local.record, guarded([this, op](const Status& saved) {
        if (!saved) {
          return attach_undo(op, saved.error().wrap("the attachment cannot be written down"));
        }
        const Local& made = locals_.at(op->id);
        announce(made);
        const Attachment& record = made.record;
        log::info(kLog, "attached endpoint={} name={} network={} ifname={}", op->id.str(),
                  record.endpoint.spec.name, record.network_name, record.ifname);
        attach_answer(op, Attached{record.endpoint, record.ifname, record.mtu});
      }));
}

void LocalNetworks::attach_undo(const std::shared_ptr<AttachOp>& op, Error error) {
  log::warn(kLog, "attach undone endpoint={}: {}", op->id.str(), error.message);
  take_down(op->id, [this, op, error = std::move(error)] { attach_answer(op, error); });
}

void LocalNetworks::attach_answer(const std::shared_ptr<AttachOp>& op, Result<Attached> answer) {
  const std::shared_ptr<AttachOp> kept = op;
  attaching_.erase(kept);
  kept->over();
  kept->done(std::move(answer));
}

Result<manager::Endpoint> LocalNetworks::find_endpoint(const std::string& network,
                                                       const std::string& endpoint) const {
  NetworkId only;
  if (!network.empty()) only = SHOAL_TRY(book_->find_network(network))->id;
  const auto counts = [&](const Local& local) {
    return local.record.phase == Attachment::Phase::kAttached && !endpoint.empty() &&
           (only.empty() || local.record.endpoint.network_id == only);
  };
  std::vector<const Local*> found;
  const auto [first, last] = names_.equal_range(endpoint);
  for (auto at = first; at != last; ++at) {
    if (const Local& local = locals_.at(at->second); counts(local)) found.push_back(&local);
  }
  const bool named = !found.empty();
  for (auto at = locals_.lower_bound(EndpointId(endpoint));
       at != locals_.end() && at->first.view().starts_with(endpoint); ++at) {
    if (!counts(at->second)) continue;
    if (at->first.view() == endpoint) return at->second.record.endpoint;
    // A name wins over the beginning of another's id.
    if (!named) found.push_back(&at->second);
  }
  const std::string what = "\"" + endpoint.substr(0, kToldText) + "\"";
  if (found.size() > 1)
    return invalid_argument("endpoint " + what + " is ambiguous: name its network");
  if (found.empty()) {
    return not_found(
        "this host has no endpoint " + what +
        (network.empty() ? "" : " on network \"" + network.substr(0, kToldText) + "\"") +
        ": see `shoal endpoint ls`");
  }
  return found.front()->record.endpoint;
}

void LocalNetworks::detach(const std::string& network, const std::string& endpoint,
                           std::function<void(Status)> done) {
  if (stopping_) return done(is_stopping());
  const Result<manager::Endpoint> found = find_endpoint(network, endpoint);
  if (!found) return done(found.error());
  const EndpointId id = found->id;
  serial_.run(space_key(locals_.at(id).record.space),
              guarded([this, id, done = std::move(done)](std::function<void()> over) {
                take_down(id, [id, done, over = std::move(over)] {
                  log::info(kLog, "detached endpoint={}", id.str());
                  over();
                  done(ok_status());
                });
              }));
}

void LocalNetworks::take_down(const EndpointId& id, std::function<void()> done) {
  const auto found = locals_.find(id);
  if (found == locals_.end()) return done();
  Local& local = found->second;
  const NamespaceRef space = local.record.space;
  ports_.resolvers.names().remove(local.record.endpoint.network_id, id.str());
  local.leaving = true;
  local.wanted.reset();
  leave_space(local);
  const Status synced = sync_space(space);
  if (!synced) log::warn(kLog, "{}", synced.error().message);
  const auto intent = departed_.emplace(id, local.record).first;
  intent->second.phase = Attachment::Phase::kIntent;
  refresh_kernel([this, id, done = std::move(done)](const HostPass&) {
    erase_local(id);
    book_->release(id);
    ports_.host_ports.release(id);
    const auto saved = guarded([done](const Status& status) {
      if (!status) log::error(kLog, "{}", status.error().message);
      done();
    });
    const auto left = departed_.find(id);
    if (left == departed_.end()) return ports_.disk.forget_endpoint(id, saved);
    ports_.disk.save_endpoint(left->second, saved);
  });
}

void LocalNetworks::on_endpoint_departed(const EndpointId& id) {
  if (stopping_ || departed_.erase(id) == 0) return;
  ports_.disk.forget_endpoint(id, guarded([](const Status& forgotten) {
                                if (!forgotten) log::error(kLog, "{}", forgotten.error().message);
                              }));
}

void LocalNetworks::on_endpoint_gone(const EndpointId& id, const std::string& reason) {
  const auto found = locals_.find(id);
  if (found == locals_.end() || found->second.leaving) return;
  log::info(kLog, "endpoint {} is over: {}", id.str(), reason);
  serial_.run(space_key(found->second.record.space),
              guarded([this, id](std::function<void()> over) { take_down(id, std::move(over)); }));
}

}  // namespace shoal::worker
