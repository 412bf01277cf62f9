// Attach, step by step; see worker.h.
#include "base/runtime/log.h"
#include "worker/operations.h"

namespace shoal::worker {
namespace {

constexpr char kLog[] = "worker";

// A call that failed so may have happened.
bool may_have_happened(ErrorClass code) {
  return code == ErrorClass::kUnavailable || code == ErrorClass::kDeadlineExceeded ||
         code == ErrorClass::kInternal;
}

}  // namespace

void Worker::attach(AttachRequest request, std::function<void(Result<Attached>)> done) {
  if (stopping_) {
    done(unavailable("shoald is stopping: try again when it runs"));
    return;
  }
  if (!request.spec.ports.empty()) {
    done(invalid_argument(
        "ports are published from networks of one host, and \"" + request.network.substr(0, 64) +
        "\" is the cluster's: attach the namespace to a bridge of this host too, with -p there"));
    return;
  }
  if (locals_.size() >= kMaxAttachments) {
    done(resource_exhausted("this node has " + std::to_string(kMaxAttachments) +
                            " endpoints, which is as many as it can have"));
    return;
  }
  auto op = std::make_shared<AttachOp>();
  op->request = std::move(request);
  op->done = std::move(done);
  op->over = [] {};
  attaching_.insert(op);
  ++attaches_;
  // Without the interface name: whether that is free is asked when this attach has its turn.
  ports_.kernel.check_namespace(
      op->request.space, "", guarded([this, op](const Result<NamespaceRef>& space) {
        if (!space) {
          attach_answer(op, space.error());
          return;
        }
        op->request.space = *space;
        serial_.run(space_key(*space), [this, op](std::function<void()> over) {
          op->over = std::move(over);
          attach_begin(op);
        });
      }));
}

Worker::Local* Worker::find_attached(const NetworkId& network, const NamespaceRef& space) {
  for (auto& [id, local] : locals_) {
    if (local.leaving || local.record.phase != Attachment::Phase::kAttached) continue;
    if (local.record.endpoint.network_id != network) continue;
    if (space_key(local.record.space) == space_key(space)) return &local;
  }
  return nullptr;
}

void Worker::attach_begin(const std::shared_ptr<AttachOp>& op) {
  // A network the catalogue does not know yet has no endpoint here either.
  const Result<manager::Network> network = catalogue_.find_network(op->request.network);
  const Local* same = network ? find_attached(network->id, op->request.space) : nullptr;
  if (same != nullptr) {
    const Attachment& record = same->record;
    // Asked again: the answer is the same.
    const bool again = record.endpoint.spec.name == op->request.spec.name &&
                       (op->request.ifname.empty() || op->request.ifname == record.ifname);
    if (again) {
      attach_answer(op, Attached{record.endpoint, record.ifname, record.mtu});
    } else {
      attach_answer(op, already_exists("this namespace is on network " + record.network_name +
                                       " already, as endpoint " + record.endpoint.spec.name + " (" +
                                       record.ifname + "): detach that first"));
    }
    return;
  }
  ports_.kernel.check_namespace(op->request.space, op->request.ifname,
                                guarded([this, op](const Result<NamespaceRef>& space) {
                                  if (!space) {
                                    attach_answer(op, space.error());
                                  } else {
                                    attach_intent(op);
                                  }
                                }));
}

void Worker::attach_intent(const std::shared_ptr<AttachOp>& op) {
  std::array<uint8_t, 16> random;
  ports_.rng.fill(random);
  op->id = EndpointId::from_random(random);
  Local local;
  local.record.endpoint.id = op->id;
  local.record.endpoint.node_id = config_.self;
  local.record.endpoint.spec = op->request.spec;
  local.record.network_name = op->request.network;
  local.record.space = op->request.space;
  local.record.ifname = op->request.ifname;
  locals_.emplace(op->id, std::move(local));
  save(guarded([this, op](const Status& saved) {
    if (!saved) {
      locals_.erase(op->id);
      attach_answer(op, saved.error().wrap("the attach cannot be written down"));
      return;
    }
    attach_lease(op);
  }));
}

void Worker::attach_lease(const std::shared_ptr<AttachOp>& op) {
  // Somebody waits: also for the word that no manager can answer.
  ports_.managers.hurry();
  ports_.managers.attach(
      op->id, op->request.network, op->request.spec, op->request.deadline,
      guarded([this, op](Result<Lease> lease) { attach_leased(op, std::move(lease)); }));
}

void Worker::attach_leased(const std::shared_ptr<AttachOp>& op, Result<Lease> lease) {
  if (!lease) {
    const Error error = lease.error();
    if (may_have_happened(error.code)) {
      attach_undo(op, error);
      return;
    }
    locals_.erase(op->id);
    save(guarded([this, op, error](const Status&) { attach_answer(op, error); }));
    return;
  }
  Local& local = locals_.at(op->id);
  if (lease->endpoint.id != op->id) {
    attach_undo(op, internal_error("the manager answered with another endpoint's lease"));
    return;
  }
  // The catalogue may not have known the network yet.
  if (find_attached(lease->network.id, op->request.space) != nullptr) {
    attach_undo(op, already_exists("this namespace is on network " + lease->network.spec.name +
                                   " already"));
    return;
  }
  local.record.endpoint = lease->endpoint;
  std::vector<Ip> ips;
  for (const Prefix& address : lease->endpoint.addresses) ips.push_back(address.ip);
  peers_.drop_taken(lease->network.id, op->id.str(), ips);
  local.record.network_name = lease->network.spec.name;
  local.leased = ports_.clock.now();
  // The answer may be here before the catalogue has a network that was made a moment ago.
  if (!catalogue_.networks().contains(lease->network.id)) {
    Assignments news;
    news.networks.push_back(lease->network);
    catalogue_.apply(news);
    uncached_networks_.insert(lease->network.id);
  }
  attach_plumb(op);
}

void Worker::attach_plumb(const std::shared_ptr<AttachOp>& op) {
  Local& local = locals_.at(op->id);
  local.plumbed = true;
  const Status served = sync_sandbox(local.record.space);
  if (!served) {
    attach_undo(op, served.error().wrap("DNS cannot be set up in the namespace"));
    return;
  }
  // Peers begin to arrive while the kernel is made ready.
  if (gossip_) gossip_->join_network(local.record.endpoint.network_id);
  refresh_kernel([this, op](const PassResult& pass) { attach_plumbed(op, pass); });
}

void Worker::attach_plumbed(const std::shared_ptr<AttachOp>& op, const PassResult& pass) {
  const auto failed = pass.endpoint_errors.find(op->id);
  if (failed != pass.endpoint_errors.end()) {
    attach_undo(op, failed->second);
    return;
  }
  const auto attached = pass.attached.find(op->id);
  if (attached == pass.attached.end()) {
    attach_undo(op, internal_error("the data plane did not make the interface"));
    return;
  }
  Local& local = locals_.at(op->id);
  local.record.ifname = attached->second.ifname;
  local.record.mtu = attached->second.mtu;
  local.record.phase = Attachment::Phase::kAttached;
  if (uncached_networks_.contains(local.record.endpoint.network_id)) cache_now();
  save(guarded([this, op](const Status& saved) {
    if (!saved) {
      attach_undo(op, saved.error().wrap("the attachment cannot be written down"));
      return;
    }
    attach_finish(op);
  }));
}

void Worker::attach_finish(const std::shared_ptr<AttachOp>& op) {
  const Local& local = locals_.at(op->id);
  announce(local);
  cache_soon();
  const Attachment& record = local.record;
  log::info(kLog, "attached endpoint={} name={} network={} ifname={}", op->id.str(),
            record.endpoint.spec.name, record.network_name, record.ifname);
  attach_answer(op, Attached{record.endpoint, record.ifname, record.mtu});
}

void Worker::attach_undo(const std::shared_ptr<AttachOp>& op, Error error) {
  log::warn(kLog, "attach undone endpoint={} network={}: {}", op->id.str(), op->request.network,
            error.message);
  take_down(op->id, true, [this, op, error] {
    // The lease should be gone when the caller hears of the failure; if no manager answers it is
    // given back later.
    if (!ports_.managers.reachable()) {
      attach_answer(op, error);
      return;
    }
    release_one(op->id, [this, op, error] { attach_answer(op, error); });
  });
}

void Worker::attach_answer(const std::shared_ptr<AttachOp>& op, Result<Attached> answer) {
  attaching_.erase(op);
  if (!answer) ++attach_failures_;
  op->over();
  op->done(std::move(answer));
}

}  // namespace shoal::worker
