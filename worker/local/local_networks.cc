#include "worker/local/local_networks.h"

#include <algorithm>

#include "base/runtime/log.h"
#include "worker/local/published.h"

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

Status LocalNetworks::start(const LocalRecords& records, const LocalAttachments& attachments) {
  pool_v6_ = records.pool_v6;
  if (pool_v6_.length == 0) pool_v6_ = random_local_pool_v6(ports_.rng).base;
  book_ = std::make_unique<Book>(all_pools());
  for (const manager::Network& network : records.networks) SHOAL_TRY(book_->restore(network));
  note_networks();
  std::map<std::string, NamespaceRef> spaces;
  for (const auto& [id, attachment] : attachments) {
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
    const Local& local = add_local(attachment);
    enter_space(local);
    announce(local);
    spaces.emplace(space_key(attachment.space), attachment.space);
  }
  for (const auto& [key, space] : spaces) {
    const Status served = sync_space(space);
    if (!served) log::warn(kLog, "no DNS in a namespace: {}", served.error().message);
  }
  // Published when they are held, so that nobody has them in between.
  take_ports_again([this] { refresh_kernel([](const HostPass&) {}); });
  return ok_status();
}

std::vector<LocalPool> LocalNetworks::all_pools() const {
  std::vector<LocalPool> pools = settings_.pools.empty() ? default_local_pools() : settings_.pools;
  const bool has_v6 = std::any_of(pools.begin(), pools.end(),
                                  [](const LocalPool& pool) { return pool.base.ip.is_v6(); });
  if (!has_v6) pools.push_back({pool_v6_, 64});
  return pools;
}

void LocalNetworks::configure(LocalSettings settings) {
  settings_ = std::move(settings);
  if (book_) book_->set_pools(all_pools());
}

void LocalNetworks::take_ports_again(std::function<void()> done) {
  const auto left = std::make_shared<size_t>(1);
  const auto one_less = guarded([left, done = std::move(done)] {
    if (--*left == 0) done();
  });
  for (const auto& [id, local] : locals_) {
    const manager::Endpoint& endpoint = local.record.endpoint;
    if (endpoint.ports.empty()) continue;
    ++*left;
    ports_.host_ports.take_again(id, owner_text(local.record), bindings_of(endpoint),
                                 relayed_to(endpoint), guarded([one_less](const Status& taken) {
                                   if (!taken) log::warn(kLog, "{}", taken.error().message);
                                   one_less();
                                 }));
  }
  one_less();
}

void LocalNetworks::create(manager::NetworkSpec spec,
                           std::function<void(Result<manager::Network>)> done) {
  if (const auto found = settings_.default_options.find(spec.driver);
      found != settings_.default_options.end()) {
    spec.options.insert(found->second.begin(), found->second.end());  // what is asked for wins
  }
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
    note_networks();
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
    note_networks();
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
    note_networks();
    refresh_kernel([gone, done](const HostPass&) { done(gone.id); });
  }));
}

// What the kernel should hold: what did not change is the same object as before.
HostState LocalNetworks::desired() const {
  HostState state;
  state.networks = wanted_networks_;
  state.endpoints.reserve(locals_.size());
  for (const auto& [id, local] : locals_) {
    if (local.wanted != nullptr) state.endpoints.push_back(local.wanted);
  }
  for (const auto& [id, attachment] : departed_) {
    state.departed.push_back({id, attachment.endpoint.network_id, attachment.space});
  }
  return state;
}

void LocalNetworks::note_networks() {
  HostNetworks wanted;
  for (const manager::Network* network : book_->networks()) {
    wanted.push_back(book_->driver(network->id).network(*network));
  }
  wanted_networks_ = std::make_shared<const HostNetworks>(std::move(wanted));
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
                            done(pass);
                          }));
}

LocalNetworks::Local& LocalNetworks::add_local(Attachment record) {
  const EndpointId id = record.endpoint.id;
  names_.emplace(record.endpoint.spec.name, id);
  return locals_.emplace(id, Local{std::move(record), nullptr, false}).first->second;
}

void LocalNetworks::erase_local(const EndpointId& id) {
  const auto found = locals_.find(id);
  const auto [first, last] = names_.equal_range(found->second.record.endpoint.spec.name);
  names_.erase(std::find_if(first, last, [&](const auto& item) { return item.second == id; }));
  locals_.erase(found);
}

void LocalNetworks::enter_space(const Local& local) {
  const auto later = [&](const WallTime& time, const EndpointId& other) {
    return time < locals_.at(other).record.endpoint.created_at;
  };
  const manager::Endpoint& endpoint = local.record.endpoint;
  std::vector<EndpointId>& here = spaces_[space_key(local.record.space)];
  here.insert(std::upper_bound(here.begin(), here.end(), endpoint.created_at, later), endpoint.id);
}

void LocalNetworks::leave_space(const Local& local) {
  const auto here = spaces_.find(space_key(local.record.space));
  if (here == spaces_.end()) return;
  std::erase(here->second, local.record.endpoint.id);
  if (here->second.empty()) spaces_.erase(here);
}

const LocalNetworks::Local* LocalNetworks::way_out(const std::vector<EndpointId>& endpoints) const {
  for (const EndpointId& id : endpoints) {
    const Local& local = locals_.at(id);
    const NetworkId& network = local.record.endpoint.network_id;
    if (book_->driver(network).leads_out(*book_->network(network))) return &local;
  }
  return nullptr;
}

std::shared_ptr<const HostEndpoint> LocalNetworks::wanted_of(const Local& local,
                                                             bool gateway) const {
  const Attachment& record = local.record;
  const manager::Network& network = *book_->network(record.endpoint.network_id);
  const Placement placement{record.endpoint.id,
                            record.endpoint.mac,
                            record.endpoint.addresses,
                            record.ifname,
                            gateway,
                            !record.endpoint.ports.empty()};
  HostEndpoint wanted{book_->driver(network.id).endpoint(network, placement), record.space,
                      sandboxes_.port(record.space), forwards_of(record.endpoint)};
  if (local.wanted != nullptr && *local.wanted == wanted) return local.wanted;
  return std::make_shared<const HostEndpoint>(std::move(wanted));
}

Status LocalNetworks::sync_space(const NamespaceRef& space) {
  const auto found = spaces_.find(space_key(space));
  const std::vector<EndpointId> none;
  const std::vector<EndpointId>& here = found == spaces_.end() ? none : found->second;
  std::vector<NetworkId> networks;
  bool may_forward = false;
  for (const EndpointId& id : here) {
    const NetworkId& network = locals_.at(id).record.endpoint.network_id;
    networks.push_back(network);
    may_forward = may_forward || !book_->network(network)->spec.internal;
  }
  Status served = sandboxes_.sync(space, std::move(networks), may_forward);
  const Local* const out = way_out(here);
  for (const EndpointId& id : here) {
    Local& local = locals_.at(id);
    local.wanted = wanted_of(local, &local == out);
  }
  return served;
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

std::vector<Attachment> LocalNetworks::attachments() const {
  std::vector<Attachment> out;
  for (const auto& [id, local] : locals_) {
    if (local.record.phase == Attachment::Phase::kAttached) out.push_back(local.record);
  }
  return out;
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
