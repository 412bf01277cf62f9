#include "worker/local/local_networks.h"

#include <algorithm>

#include "base/runtime/log.h"

namespace shoal::worker {
namespace {

constexpr char kLog[] = "local";
constexpr size_t kShortId = 12;
constexpr size_t kToldText = 64;  // of what came from outside, in a message

void tell(const Status& saved) {
  if (!saved.ok()) log::error(kLog, "{}", saved.error().message);
}

Error is_stopping() { return unavailable("shoald is stopping: try again when it runs"); }

}  // namespace

LocalNetworks::LocalNetworks(LocalPorts ports)
    : ports_(std::move(ports)),
      serial_([this](std::function<void()> work) { ports_.post(guarded(std::move(work))); }),
      sandboxes_(ports_.resolvers) {}

LocalNetworks::~LocalNetworks() { stop(); }

Status LocalNetworks::start(const LocalRecords& records, const PersistedState& state) {
  pool_v6_ = records.pool_v6;
  if (pool_v6_.length == 0) pool_v6_ = random_local_pool_v6(ports_.rng).base;
  std::vector<LocalPool> pools = default_local_pools();
  pools.push_back({pool_v6_, 64});
  book_ = std::make_unique<Book>(std::move(pools));
  for (const manager::Network& network : records.networks) SHOAL_TRY(book_->restore(network));
  for (const auto& [id, attachment] : state.attachments) {
    if (attachment.phase == Attachment::Phase::kIntent) {
      log::info(kLog, "undoing the attach that was under way endpoint={}", id.str());
      departed_.emplace(id, attachment);
      continue;
    }
    // The file of endpoints is not as durable as that of networks, and may be of before or after.
    if (const Status restored = book_->restore(attachment.endpoint); !restored) {
      log::warn(kLog, "{}: it is taken out", restored.error().message);
      departed_.emplace(id, attachment);
      continue;
    }
    locals_.emplace(id, Local{attachment, true, false});
  }
  for (const auto& [id, local] : locals_) {
    const Status served = sync_sandbox(local.record.space);
    if (!served) log::warn(kLog, "no DNS for endpoint {}: {}", id.str(), served.error().message);
    announce(local);
  }
  refresh_kernel([](const HostPass&) {});
  return ok_status();
}

void LocalNetworks::create(manager::NetworkSpec spec,
                           std::function<void(Result<manager::Network>)> done) {
  if (stopping_) return done(is_stopping());
  ports_.kernel.host_routes(guarded([this, spec = std::move(spec), done = std::move(done)](
                                        const Result<std::vector<Prefix>>& routes) {
    if (!routes) return done(routes.error());
    create_at(spec, *routes, done);
  }));
}

void LocalNetworks::create_at(const manager::NetworkSpec& spec, const std::vector<Prefix>& routes,
                              std::function<void(Result<manager::Network>)> done) {
  if (ports_.cluster_has_network(spec.name)) {
    return done(already_exists("the cluster has a network \"" + spec.name.substr(0, kToldText) +
                               "\": choose another name"));
  }
  std::vector<Prefix> avoid = ports_.cluster_subnets();
  avoid.insert(avoid.end(), routes.begin(), routes.end());
  const Result<manager::Network> network =
      book_->create(spec, draw_id<NetworkId>(), ports_.clock.wall(), avoid);
  if (!network) return done(network.error());
  save_networks(guarded([this, network = *network, done = std::move(done)](const Status& saved) {
    if (!saved) {
      tell(book_->remove(network.id));
      return done(saved.error().wrap("the network cannot be written down"));
    }
    refresh_kernel(
        [this, network, done](const HostPass& pass) { create_made(network, pass, done); });
  }));
}

void LocalNetworks::create_made(const manager::Network& network, const HostPass& pass,
                                std::function<void(Result<manager::Network>)> done) {
  const auto failed = pass.network_errors.find(network.id);
  if (failed == pass.network_errors.end()) {
    log::info(kLog, "created network={} name={} driver={}", network.id.str(), network.spec.name,
              network.spec.driver);
    return done(network);
  }
  const Error error = failed->second;
  // Somebody was quick to attach to it: then it stays, and is told as a problem.
  if (const Status removed = book_->remove(network.id); !removed) return done(error);
  save_networks(guarded([this, error, done = std::move(done)](const Status& saved) {
    tell(saved);
    refresh_kernel([error, done](const HostPass&) { done(error); });
  }));
}

void LocalNetworks::remove(const std::string& network,
                           std::function<void(Result<NetworkId>)> done) {
  if (stopping_) return done(is_stopping());
  const Result<const manager::Network*> found = book_->find_network(network);
  if (!found) return done(found.error());
  const manager::Network gone = **found;
  const Status removed = book_->remove(gone.id);
  if (!removed) return done(removed.error());
  save_networks(guarded([this, gone, done = std::move(done)](const Status& saved) {
    if (!saved) {
      tell(book_->restore(gone));
      return done(saved.error().wrap("the removal cannot be written down"));
    }
    log::info(kLog, "removed network={} name={}", gone.id.str(), gone.spec.name);
    refresh_kernel([gone, done](const HostPass&) { done(gone.id); });
  }));
}

// What the kernel should hold.
HostState LocalNetworks::desired() const {
  HostState state;
  for (const manager::Network* network : book_->networks()) {
    state.networks.push_back(book_->driver(network->id).network(*network));
  }
  const std::set<EndpointId> out = ways_out();
  for (const auto& [id, local] : locals_) {
    if (!local.plumbed) continue;
    const manager::Endpoint& endpoint = local.record.endpoint;
    const manager::Network& network = *book_->network(endpoint.network_id);
    const Placement placement{id, endpoint.mac, endpoint.addresses, local.record.ifname,
                              out.contains(id)};
    state.endpoints.push_back({book_->driver(network.id).endpoint(network, placement),
                               local.record.space, sandboxes_.port(local.record.space)});
  }
  for (const auto& [id, attachment] : departed_) {
    state.departed.push_back({id, attachment.endpoint.network_id, attachment.space});
  }
  return state;
}

std::set<EndpointId> LocalNetworks::ways_out() const {
  std::map<std::string, const Local*> first;
  for (const auto& [id, local] : locals_) {
    const manager::Endpoint& endpoint = local.record.endpoint;
    if (!local.plumbed) continue;
    const manager::Network& network = *book_->network(endpoint.network_id);
    if (!book_->driver(network.id).leads_out(network)) continue;
    const Local*& chosen = first[space_key(local.record.space)];
    if (chosen == nullptr || endpoint.created_at < chosen->record.endpoint.created_at) {
      chosen = &local;
    }
  }
  std::set<EndpointId> out;
  for (const auto& [space, local] : first) out.insert(local->record.endpoint.id);
  return out;
}

void LocalNetworks::refresh_kernel(std::function<void(const HostPass&)> done) {
  ports_.kernel.set_state(desired(), guarded([this, done = std::move(done)](const HostPass& pass) {
                            problems_.clear();
                            for (const Error& problem : pass.problems)
                              problems_.push_back(problem.message);
                            for (const auto& [id, error] : pass.network_errors)
                              problems_.push_back(error.message);
                            for (const auto& [id, error] : pass.endpoint_errors)
                              problems_.push_back(error.message);
                            bool on_disk = false;
                            for (const EndpointId& id : pass.departed) {
                              const auto found = departed_.find(id);
                              if (found == departed_.end()) continue;
                              on_disk =
                                  on_disk || found->second.phase == Attachment::Phase::kIntent;
                              departed_.erase(found);
                            }
                            if (on_disk) save_endpoints(guarded(tell));
                            done(pass);
                          }));
}

Status LocalNetworks::sync_sandbox(const NamespaceRef& space) {
  std::vector<const Local*> here;
  const std::string key = space_key(space);
  for (const auto& [id, local] : locals_) {
    if (local.plumbed && space_key(local.record.space) == key) here.push_back(&local);
  }
  std::sort(here.begin(), here.end(), [](const Local* a, const Local* b) {
    return a->record.endpoint.created_at < b->record.endpoint.created_at;
  });
  std::vector<NetworkId> networks;
  bool may_forward = false;
  for (const Local* local : here) {
    const NetworkId& id = local->record.endpoint.network_id;
    networks.push_back(id);
    may_forward = may_forward || !book_->network(id)->spec.internal;
  }
  return sandboxes_.sync(space, std::move(networks), may_forward);
}

void LocalNetworks::announce(const Local& local) {
  const manager::Endpoint& endpoint = local.record.endpoint;
  dns::NameEntry entry;
  entry.network = endpoint.network_id;
  entry.network_name = book_->network(endpoint.network_id)->spec.name;
  entry.key = endpoint.id.str();
  entry.name = endpoint.spec.name;
  entry.aliases = endpoint.spec.aliases;
  entry.short_id = entry.key.substr(0, kShortId);
  for (const Prefix& address : endpoint.addresses) entry.ips.push_back(address.ip);
  ports_.resolvers.names().upsert(std::move(entry));
}

void LocalNetworks::save_networks(std::function<void(Status)> done) {
  LocalRecords records;
  records.pool_v6 = pool_v6_;
  for (const manager::Network* network : book_->networks()) records.networks.push_back(*network);
  ports_.disk.save_networks(std::move(records), std::move(done));
}

void LocalNetworks::save_endpoints(std::function<void(Status)> done) {
  PersistedState state;
  for (const auto& [id, local] : locals_) state.attachments.emplace(id, local.record);
  for (const auto& [id, attachment] : departed_) {
    if (attachment.phase == Attachment::Phase::kIntent) state.attachments.emplace(id, attachment);
  }
  ports_.disk.save_endpoints(std::move(state), std::move(done));
}

std::vector<manager::Endpoint> LocalNetworks::endpoints(const NetworkId& network) const {
  std::vector<manager::Endpoint> out;
  for (const auto& [id, local] : locals_) {
    const manager::Endpoint& endpoint = local.record.endpoint;
    if (local.record.phase != Attachment::Phase::kAttached) continue;
    if (network.empty() || endpoint.network_id == network) out.push_back(endpoint);
  }
  return out;
}

}  // namespace shoal::worker
