#include "worker/worker.h"

#include <algorithm>

#include "base/runtime/log.h"
#include "worker/operations.h"

namespace shoal::worker {
namespace {

constexpr char kLog[] = "worker";

gossip::KeyRing gossip_keys(const manager::GossipKeyRing& ring) {
  gossip::KeyRing out;
  for (const manager::GossipKey& key : ring.keys) {
    gossip::KeyRing::Entry entry;
    entry.id = key.id;
    // A key of another length leaves the entry short and the ring is refused by gossip.
    if (key.key.size() == entry.key.size()) {
      std::copy(key.key.begin(), key.key.end(), entry.key.begin());
      out.keys.push_back(entry);
    }
  }
  out.primary = ring.primary;
  return out;
}

}  // namespace

Worker::Worker(WorkerConfig config, Ports ports)
    : config_(std::move(config)),
      ports_(std::move(ports)),
      serial_([this](std::function<void()> work) { ports_.post(guarded(std::move(work))); }),
      sandboxes_(ports_.resolvers),
      peers_(ports_.resolvers.names(), config_.data_path),
      adopt_timer_(ports_.make_timer()),
      return_timer_(ports_.make_timer()),
      release_timer_(ports_.make_timer()),
      gossip_timer_(ports_.make_timer()),
      cache_timer_(ports_.make_timer()),
      remember_timer_(ports_.make_timer()) {}

Worker::~Worker() { stop(); }

void Worker::start(PersistedState state, std::optional<ClusterInfo> cluster,
                   Assignments assignments) {
  const auto wall_ms = static_cast<uint64_t>(ports_.clock.wall().nanoseconds / 1'000'000);
  epoch_ = std::max(state.epoch + 1, wall_ms);
  releases_ = std::move(state.releases);
  assignments.complete = true;
  catalogue_.apply(assignments);
  for (auto& [id, attachment] : state.attachments) {
    if (attachment.phase == Attachment::Phase::kIntent) {
      log::info(kLog, "undoing the attach that was under way endpoint={}", id.str());
      releases_.insert(id);
      departed_.emplace(id, std::move(attachment));
      continue;
    }
    Local local;
    local.record = std::move(attachment);
    local.plumbed = true;
    local.leased = ports_.clock.now();
    locals_.emplace(id, std::move(local));
  }
  for (const auto& [id, local] : locals_) {
    const Status served = sync_sandbox(local.record.space);
    if (!served) log::warn(kLog, "no DNS for endpoint {}: {}", id.str(), served.error().message);
    ports_.resolvers.names().upsert(
        name_entry(local.record.endpoint.network_id, network_name(local.record.endpoint.network_id),
                   id.str(), record_of(local.record, config_.data_path)));
  }
  save(guarded([this](const Status& saved) {
    if (!saved) log::error(kLog, "{}", saved.error().message);
    epoch_written_ = true;
    start_gossip();
  }));
  if (cluster) {
    remembered_ = cluster->gossip_seeds;
    on_cluster(std::move(*cluster));
  }
  adopted_ = locals_.empty();
  if (!adopted_) adopt_later();
  kernel_dirty();
}

// A host that hears nobody cannot tell which peers are gone, so it keeps what it found.
void Worker::adopt_later() {
  adopt_timer_->wake_at(ports_.clock.now() + kAdoptGrace, guarded([this] {
                          // Nor can it while it does not know the cluster (a lost cache).
                          bool hears = cluster_ && catalogue_.nodes().size() == 1;
                          if (gossip_) {
                            for (const gossip::MemberInfo& member : gossip_->members()) {
                              hears = hears || member.state == gossip::MemberState::kAlive;
                            }
                          }
                          if (!hears) {
                            adopt_later();
                            return;
                          }
                          adopted_ = true;
                          kernel_dirty();
                        }));
}

void Worker::stop() {
  if (stopping_) return;
  if (cache_pending_) cache_now();
  stopping_ = true;
  alive_.reset();
  for (const auto& timer : {adopt_timer_.get(), return_timer_.get(), release_timer_.get(),
                            gossip_timer_.get(), cache_timer_.get(), remember_timer_.get()}) {
    timer->cancel();
  }
  const Error stopping = unavailable("shoald is stopping: try again when it runs");
  for (const auto& op : attaching_) op->done(stopping);
  for (const auto& op : detaching_) op->done(stopping);
  attaching_.clear();
  detaching_.clear();
  if (gossip_) gossip_->stop();
  gossip_.reset();
  sandboxes_.stop_all();
}

// What the kernel should hold.
WorkerState Worker::desired() const {
  WorkerState state;
  state.data_path_address = config_.data_path;
  if (cluster_ && cluster_->data_path_port != 0) state.data_path_port = cluster_->data_path_port;
  std::set<NetworkId> networks;
  for (const auto& [id, local] : locals_) {
    if (!local.plumbed) continue;
    const manager::Endpoint& endpoint = local.record.endpoint;
    networks.insert(endpoint.network_id);
    state.local.push_back({id, endpoint.network_id, endpoint.spec.name, local.record.ifname,
                           endpoint.addresses, endpoint.mac, local.record.space,
                           sandboxes_.port(local.record.space)});
  }
  for (const NetworkId& id : networks) {
    const auto known = catalogue_.networks().find(id);
    if (known == catalogue_.networks().end()) continue;
    state.networks.push_back(overlay_of(*known->second));
  }
  state.remote = peers_.remotes();
  for (const auto& [id, attachment] : departed_) {
    state.departed.push_back({id, attachment.endpoint.network_id, attachment.space});
  }
  state.complete = adopted_;
  return state;
}

void Worker::kernel_dirty() {
  if (kernel_dirty_ || stopping_) return;
  kernel_dirty_ = true;
  ports_.post(guarded([this] {
    if (kernel_dirty_) refresh_kernel([](const PassResult&) {});
  }));
}

void Worker::refresh_kernel(std::function<void(PassResult)> done) {
  kernel_dirty_ = false;
  ports_.kernel.set_state(desired(),
                          guarded([this, done = std::move(done)](const PassResult& pass) {
                            kernel_problems_.clear();
                            for (const Error& problem : pass.problems) {
                              kernel_problems_.push_back(problem.message);
                            }
                            for (const auto& [id, error] : pass.endpoint_errors) {
                              kernel_problems_.push_back(error.message);
                            }
                            forget_departed(pass.departed);
                            done(pass);
                          }));
}

void Worker::forget_departed(const std::set<EndpointId>& ids) {
  bool on_disk = false;
  for (const EndpointId& id : ids) {
    const auto found = departed_.find(id);
    if (found == departed_.end()) continue;
    on_disk = on_disk || found->second.phase == Attachment::Phase::kIntent;
    departed_.erase(found);
  }
  if (!on_disk) return;
  save(guarded([](const Status& saved) {
    if (!saved) log::error(kLog, "{}", saved.error().message);
  }));
}

Status Worker::sync_sandbox(const NamespaceRef& space) {
  std::vector<const Local*> here;
  for (const auto& [id, local] : locals_) {
    if (local.plumbed && space_key(local.record.space) == space_key(space)) here.push_back(&local);
  }
  std::sort(here.begin(), here.end(), [](const Local* a, const Local* b) {
    return a->record.endpoint.created_at < b->record.endpoint.created_at;
  });
  std::vector<NetworkId> networks;
  bool may_forward = false;
  for (const Local* local : here) {
    const NetworkId& id = local->record.endpoint.network_id;
    networks.push_back(id);
    const auto network = catalogue_.networks().find(id);
    if (network != catalogue_.networks().end() && !network->second->spec.internal) {
      may_forward = true;
    }
  }
  return sandboxes_.sync(space, std::move(networks), may_forward);
}

std::string Worker::network_name(const NetworkId& network) const {
  const auto known = catalogue_.networks().find(network);
  return known == catalogue_.networks().end() ? network.str() : known->second->spec.name;
}

bool Worker::network_in_use(const NetworkId& network) const {
  return std::any_of(locals_.begin(), locals_.end(), [&](const auto& item) {
    return item.second.plumbed && item.second.record.endpoint.network_id == network;
  });
}

void Worker::announce(const Local& local) {
  const manager::Endpoint& endpoint = local.record.endpoint;
  const EndpointRecord record = record_of(local.record, config_.data_path);
  ports_.resolvers.names().upsert(name_entry(endpoint.network_id, network_name(endpoint.network_id),
                                             endpoint.id.str(), record));
  if (!gossip_) return;
  gossip_->join_network(endpoint.network_id);
  const Status told =
      gossip_->upsert(endpoint.network_id, endpoint.id.str(), encode_record(record));
  if (!told) {
    log::error(kLog, "endpoint {} is not announced: {}", endpoint.id.str(), told.error().message);
  }
}

void Worker::withdraw(const Local& local) {
  const manager::Endpoint& endpoint = local.record.endpoint;
  ports_.resolvers.names().remove(endpoint.network_id, endpoint.id.str());
  if (gossip_) gossip_->remove(endpoint.network_id, endpoint.id.str());
}

PersistedState Worker::persisted() const {
  PersistedState state;
  for (const auto& [id, local] : locals_) state.attachments.emplace(id, local.record);
  for (const auto& [id, attachment] : departed_) {
    if (attachment.phase == Attachment::Phase::kIntent) state.attachments.emplace(id, attachment);
  }
  state.releases = releases_;
  state.epoch = epoch_;
  return state;
}

void Worker::save(std::function<void(Status)> done) {
  ports_.disk.save(persisted(), std::move(done));
}

void Worker::cache_soon() {
  if (cache_pending_) return;
  cache_pending_ = true;
  // Written whole: the more there is, the more changes one write shall cover.
  const size_t objects = catalogue_.networks().size() + catalogue_.nodes().size();
  const Duration delay = kCacheDelay * static_cast<int64_t>(1 + objects / kCachedPerDelay);
  cache_timer_->wake_at(ports_.clock.now() + delay, guarded([this] {
                          if (cache_pending_) cache_now();
                        }));
}

void Worker::cache_now() {
  cache_pending_ = false;
  if (!cluster_) return;
  uncached_networks_.clear();
  ClusterInfo cluster = *cluster_;
  cluster.gossip_seeds = seeds();
  ports_.disk.save_cluster(std::move(cluster), catalogue_.content());
}

// Managers may all have moved by the next start, and the others with them, but hardly all.
void Worker::remember() {
  remember_timer_->wake_at(ports_.clock.now() + kRememberInterval, guarded([this] { remember(); }));
  if (!gossip_ || !cluster_) return;
  std::vector<HostPort> live = gossip_->remembered();
  if (live.empty() || live == remembered_) return;
  remembered_ = std::move(live);
  gossip_->set_seeds(seeds());
  cache_soon();
}

std::vector<HostPort> Worker::seeds() const {
  std::vector<HostPort> all = cluster_->gossip_seeds;
  for (const HostPort& seed : remembered_) {
    if (std::find(all.begin(), all.end(), seed) == all.end()) all.push_back(seed);
  }
  if (all.size() > gossip::Gossip::kMaxSeeds) all.resize(gossip::Gossip::kMaxSeeds);
  return all;
}

void Worker::start_gossip() {
  if (gossip_ || stopping_ || !cluster_ || !epoch_written_) return;
  auto started = ports_.start_gossip(gossip_keys(cluster_->gossip_keys), epoch_, *this);
  if (!started) {
    if (gossip_error_ != started.error().message) {
      log::error(kLog, "gossip does not start: {}", started.error().message);
    }
    gossip_error_ = started.error().message;
    gossip_timer_->wake_at(ports_.clock.now() + kGossipRetry, guarded([this] { start_gossip(); }));
    return;
  }
  gossip_error_.clear();
  gossip_ = std::move(*started);
  gossip_->set_seeds(seeds());
  for (const NodeId& node : cluster_->removed_nodes) gossip_->forget(node);
  for (const auto& [id, local] : locals_) {
    if (local.plumbed) announce(local);
  }
  remember_timer_->wake_at(ports_.clock.now() + kRememberInterval, guarded([this] { remember(); }));
}

void Worker::on_cluster(ClusterInfo cluster) {
  const bool first = !cluster_;
  const uint16_t port_before = cluster_ ? cluster_->data_path_port : 0;
  cluster_ = std::move(cluster);
  if (gossip_) {
    const Status set = gossip_->set_keys(gossip_keys(cluster_->gossip_keys));
    if (!set) log::error(kLog, "the managers' gossip keys are refused: {}", set.error().message);
    gossip_->set_seeds(seeds());
    for (const NodeId& node : cluster_->removed_nodes) gossip_->forget(node);
  } else {
    start_gossip();
  }
  for (const NodeId& node : cluster_->removed_nodes) {
    if (peers_.drop_node(node)) kernel_dirty();
  }
  if (cluster_->data_path_port != port_before) kernel_dirty();
  // A node that has just joined finds the others again after a crash.
  if (first) {
    cache_now();
  } else {
    cache_soon();
  }
}

void Worker::on_entry(const NetworkId& network, const std::string& key, const NodeId& owner,
                      const Bytes& value) {
  if (owner == config_.self) return;  // announce() told the names already
  Result<EndpointRecord> record = decode_record(value);
  if (!record) {
    ++bad_records_;
    log::warn(kLog, "node {} announces an endpoint that cannot be read", owner.str());
    return;
  }
  if (peers_.upsert(network, network_name(network), key, owner, std::move(*record))) {
    kernel_dirty();
  }
}

void Worker::on_entry_removed(const NetworkId& network, const std::string& key,
                              const NodeId& owner) {
  if (owner == config_.self) return;
  if (peers_.remove(network, key, owner)) kernel_dirty();
}

void Worker::on_member(const gossip::MemberInfo& member) {
  log::info(kLog, "node {} at {} is {}", member.id.str(), member.address.str(),
            gossip::to_string(member.state));
  switch (member.state) {
    case gossip::MemberState::kAlive:
      // After a long cut the session would wait some seconds for its next try.
      ports_.managers.hurry();
      if (peers_.set_alive(member.id)) {
        return_timer_->wake_at(ports_.clock.now() + kAdoptGrace, guarded([this] {
                                 if (peers_.drop_hidden()) kernel_dirty();
                               }));
      }
      break;
    case gossip::MemberState::kFailed:
      doubt(member.id);
      peers_.set_failed(member.id);
      break;
    case gossip::MemberState::kLeft:
      if (peers_.drop_node(member.id)) kernel_dirty();
      break;
    case gossip::MemberState::kSuspect:
      doubt(member.id);
      break;
  }
}

// A manager that gossip misses may be gone with its connections unended.
void Worker::doubt(const NodeId& node) {
  if (!cluster_) return;
  for (const manager::Node& manager : cluster_->managers) {
    if (manager.id == node && manager.addresses.control) {
      ports_.managers.doubt(*manager.addresses.control);
    }
  }
}

std::vector<manager::Endpoint> Worker::endpoints() const {
  std::vector<manager::Endpoint> out;
  for (const Attachment& each : attachments()) out.push_back(each.endpoint);
  return out;
}

std::vector<Attachment> Worker::attachments() const {
  std::vector<Attachment> out;
  for (const auto& [id, local] : locals_) {
    if (local.record.phase == Attachment::Phase::kAttached) out.push_back(local.record);
  }
  return out;
}

WorkerSnapshot Worker::snapshot() const {
  WorkerSnapshot out;
  out.cluster = cluster_;
  if (gossip_) out.members = gossip_->members();
  out.networks = catalogue_.networks().size();
  out.endpoints = endpoints().size();
  out.peers = peers_.size();
  out.releases = releases_.size();
  if (!gossip_error_.empty()) out.warnings.push_back("gossip does not start: " + gossip_error_);
  for (const std::string& problem : kernel_problems_) out.warnings.push_back(problem);
  out.counters = {{"worker_attaches_total", attaches_},
                  {"worker_attach_failures_total", attach_failures_},
                  {"worker_detaches_total", detaches_},
                  {"worker_orphans_released_total", orphans_},
                  {"worker_bad_records_total", bad_records_}};
  if (gossip_) {
    const gossip::Counters counters = gossip_->counters();
    out.counters["gossip_packets_sent_total"] = counters.packets_sent;
    out.counters["gossip_packets_received_total"] = counters.packets_received;
    out.counters["gossip_suspicions_total"] = counters.suspicions;
    out.counters["gossip_failures_total"] = counters.failures;
    out.counters["gossip_stalls_total"] = counters.stalls;
    out.counters["gossip_suspicions_lapsed_total"] = counters.suspicions_lapsed;
    out.counters["gossip_isolations_total"] = counters.isolations;
    out.counters["gossip_entries_refused_total"] = counters.entries_refused;
    for (size_t i = 1; i < counters.dropped.size(); ++i) {
      const std::string reason(gossip::to_string(static_cast<gossip::DropReason>(i)));
      out.counters["gossip_dropped_" + reason + "_total"] = counters.dropped[i];
    }
  }
  return out;
}

}  // namespace shoal::worker
