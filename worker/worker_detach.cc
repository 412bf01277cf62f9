// Detach, releases and what the managers' assignments remove; see worker.h.
#include "base/runtime/log.h"
#include "worker/operations.h"

namespace shoal::worker {
namespace {

constexpr char kLog[] = "worker";

// Calls `done` when it was counted down from `parts`.
std::function<void()> countdown(size_t parts, std::function<void()> done) {
  auto left = std::make_shared<size_t>(parts);
  return [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
}

}  // namespace

Result<EndpointId> Worker::find_local(const std::string& network,
                                      const std::string& endpoint) const {
  NetworkId only;
  if (!network.empty()) {
    const Result<manager::Network> known = catalogue_.find_network(network);
    if (!known && known.error().code != ErrorClass::kNotFound) return known.error();
    if (known) only = known->id;
  }
  std::optional<EndpointId> found;
  size_t matches = 0;
  bool by_name = false;  // which wins over the beginning of another's id
  for (const auto& [id, local] : locals_) {
    const Attachment& record = local.record;
    if (record.phase != Attachment::Phase::kAttached) continue;
    // By its name as it was, when the network itself is gone.
    const bool there = network.empty() || record.endpoint.network_id == only ||
                       (only.empty() && record.network_name == network);
    if (!there || endpoint.empty()) continue;
    if (id.view() == endpoint) return id;
    const bool named = record.endpoint.spec.name == endpoint;
    if (!named && (by_name || !id.view().starts_with(endpoint))) continue;
    matches = named && !by_name ? 1 : matches + 1;
    by_name = by_name || named;
    found = id;
  }
  const std::string what = "\"" + endpoint.substr(0, 64) + "\"";
  if (matches > 1) return invalid_argument("endpoint " + what + " is ambiguous: name its network");
  if (!found) {
    return not_found("this node has no endpoint " + what +
                     (network.empty() ? "" : " on network \"" + network.substr(0, 64) + "\"") +
                     ": see `shoal endpoint ls`");
  }
  return *found;
}

void Worker::detach(std::string network, std::string endpoint, bool force,
                    std::function<void(Status)> done) {
  if (stopping_) {
    done(unavailable("shoald is stopping: try again when it runs"));
    return;
  }
  const Result<EndpointId> id = find_local(network, endpoint);
  if (!id) {
    done(id.error());
    return;
  }
  auto op = std::make_shared<DetachOp>();
  op->id = *id;
  op->done = std::move(done);
  detaching_.insert(op);
  const std::string key = space_key(locals_.at(*id).record.space);
  serial_.run(key, [this, op, force](std::function<void()> over) {
    op->over = std::move(over);
    if (!locals_.contains(op->id)) {
      detach_answer(op, ok_status());  // another detach, or the end of its namespace, was first
    } else if (force || ports_.managers.reachable()) {
      detach_begin(op);
    } else {
      detach_wait(op);
    }
  });
}

// Leaders change and daemons start: on_session() goes on as soon as there is one.
void Worker::detach_wait(const std::shared_ptr<DetachOp>& op) {
  op->patience = ports_.make_timer();
  op->patience->wake_at(
      ports_.clock.now() + kManagerPatience, guarded([this, weak = std::weak_ptr(op)] {
        const auto waiting = weak.lock();
        if (!waiting || !waiting->patience) return;
        detach_answer(waiting,
                      unavailable("no manager answers, so the address cannot be given back: try "
                                  "again, or use --force to detach here now (it is given back "
                                  "when one answers)"));
      }));
}

void Worker::detach_begin(const std::shared_ptr<DetachOp>& op) {
  op->patience.reset();
  ++detaches_;
  take_down(op->id, true, [this, op] {
    log::info(kLog, "detached endpoint={}", op->id.str());
    if (!ports_.managers.reachable()) {
      detach_answer(op, ok_status());
      return;
    }
    release_one(op->id, [this, op] { detach_answer(op, ok_status()); });
  });
}

void Worker::detach_answer(const std::shared_ptr<DetachOp>& op, const Status& status) {
  detaching_.erase(op);
  op->over();
  op->done(status);
}

void Worker::take_down(const EndpointId& id, bool release, std::function<void()> done) {
  const auto found = locals_.find(id);
  if (found == locals_.end()) {
    done();
    return;
  }
  Local& local = found->second;
  const bool was_plumbed = local.plumbed;
  local.leaving = true;
  withdraw(local);
  local.plumbed = false;
  const Status synced = sync_sandbox(local.record.space);
  if (!synced) log::warn(kLog, "{}", synced.error().message);
  auto finish = [this, id, release, done = std::move(done)] {
    const auto gone = locals_.find(id);
    if (gone == locals_.end()) {
      done();
      return;
    }
    const NetworkId network = gone->second.record.endpoint.network_id;
    if (release) releases_.insert(id);
    locals_.erase(gone);
    if (!network.empty() && !network_in_use(network)) {
      if (gossip_) gossip_->leave_network(network);
      peers_.remove_network(network);
      kernel_dirty();
    }
    save(guarded([done](const Status& saved) {
      if (!saved) log::error(kLog, "{}", saved.error().message);
      done();
    }));
  };
  if (!was_plumbed) {
    finish();
    return;
  }
  departed_.emplace(id, local.record);
  refresh_kernel([finish = std::move(finish)](const PassResult&) { finish(); });
}

void Worker::release_one(const EndpointId& id, std::function<void()> done) {
  if (!releases_.contains(id) || !releasing_.insert(id).second) {
    done();
    return;
  }
  ports_.managers.detach(id, guarded([this, id, done = std::move(done)](const Status& released) {
                           releasing_.erase(id);
                           if (!released) {
                             log::warn(kLog, "the lease of endpoint {} is given back later: {}",
                                       id.str(), released.error().message);
                             release_timer_->wake_at(ports_.clock.now() + kReleaseRetry,
                                                     guarded([this] { release_soon(); }));
                             done();
                             return;
                           }
                           releases_.erase(id);
                           save(guarded([](const Status& saved) {
                             if (!saved) log::error(kLog, "{}", saved.error().message);
                           }));
                           done();
                         }));
}

void Worker::release_soon() {
  if (stopping_ || !ports_.managers.reachable()) return;  // on_session(true) comes back here
  std::vector<EndpointId> next;
  for (const EndpointId& id : releases_) {
    if (releasing_.size() + next.size() >= kReleasesAtOnce) break;
    if (!releasing_.contains(id)) next.push_back(id);
  }
  for (const EndpointId& id : next) {
    release_one(id, [this, id] {
      if (!releases_.contains(id)) release_soon();
    });
  }
}

void Worker::on_session(bool active) {
  if (!active) return;
  const auto detaching = detaching_;
  for (const auto& op : detaching) {
    if (op->patience) detach_begin(op);
  }
  release_soon();
}

void Worker::on_assignments(const Assignments& assignments, Instant opened) {
  catalogue_.apply(assignments);
  for (const manager::Network& network : assignments.networks) {
    uncached_networks_.insert(network.id);
  }
  bool orphaned = false;
  for (const manager::Endpoint& endpoint : assignments.endpoints) {
    if (locals_.contains(endpoint.id) || !releases_.insert(endpoint.id).second) continue;
    log::warn(kLog, "giving back the lease of an endpoint this host does not have: {} ({})",
              endpoint.id.str(), endpoint.spec.name);
    ++orphans_;
    orphaned = true;
  }
  if (orphaned) {
    save(guarded([this](const Status&) { release_soon(); }));
  }
  std::vector<EndpointId> unassigned = assignments.removed_endpoints;
  if (assignments.complete) {
    for (const auto& [id, local] : locals_) {
      const bool settled = local.record.phase == Attachment::Phase::kAttached;
      if (settled && local.leased < opened && !catalogue_.endpoints().contains(id)) {
        unassigned.push_back(id);
      }
    }
  }
  remove_unassigned(unassigned);
  kernel_dirty();
  cache_soon();
}

void Worker::remove_unassigned(const std::vector<EndpointId>& ids) {
  for (const EndpointId& id : ids) {
    const auto found = locals_.find(id);
    if (found == locals_.end() || found->second.leaving ||
        found->second.record.phase != Attachment::Phase::kAttached) {
      continue;
    }
    log::warn(kLog,
              "removing endpoint {} ({}): the managers do not assign it to this node any more",
              id.str(), found->second.record.endpoint.spec.name);
    serial_.run(space_key(found->second.record.space),
                [this, id](std::function<void()> over) { take_down(id, false, std::move(over)); });
  }
}

void Worker::on_endpoint_gone(const EndpointId& id, const std::string& reason) {
  const auto found = locals_.find(id);
  if (found == locals_.end() || found->second.leaving) return;
  log::info(kLog, "endpoint {} is over: {}", id.str(), reason);
  serial_.run(space_key(found->second.record.space), [this, id](std::function<void()> over) {
    take_down(id, true, [this, over = std::move(over)] {
      over();
      release_soon();
    });
  });
}

void Worker::leave(std::function<void(Status)> done) {
  std::vector<EndpointId> ids;
  for (const auto& [id, local] : locals_) ids.push_back(id);
  auto say_goodbye = [this, done = std::move(done)] {
    auto remove = [this, done] { ports_.kernel.remove_all(guarded(done)); };
    if (gossip_) {
      gossip_->leave(guarded(remove));
    } else {
      remove();
    }
  };
  const auto part_done = countdown(ids.size() + 1, std::move(say_goodbye));
  for (const EndpointId& id : ids) {
    const std::string key = space_key(locals_.at(id).record.space);
    serial_.run(key, [this, id, part_done](std::function<void()> over) {
      take_down(id, true, [this, id, part_done, over = std::move(over)] {
        over();
        if (!ports_.managers.reachable()) {
          part_done();
          return;
        }
        release_one(id, part_done);
      });
    });
  }
  part_done();
}

}  // namespace shoal::worker
