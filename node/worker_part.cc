#include "node/worker_part.h"

#include <algorithm>
#include <future>

#include "base/runtime/log.h"
#include "vxlan/netlink/dump.h"

namespace shoal::node {
namespace {

// Of the link the others reach this host by; 0 when no link has the address.
size_t link_mtu(const Ip& address) {
  auto socket = vxlan::NetlinkSocket::open_here();
  if (!socket) return 0;
  const auto link = vxlan::find_link_with_address(*socket, address);
  return link ? link->mtu : 0;
}

}  // namespace

manager::NodeAddresses addresses_of(const Identity& identity) {
  manager::NodeAddresses out;
  if (identity.role == manager::Role::kManager) out.control = identity.advertise;
  out.gossip = HostPort{identity.advertise.ip, identity.gossip_port};
  out.data_path = identity.data_path;
  return out;
}

void clear_host(const Paths& paths, const HostPart& host) {
  worker::WorkerState nothing;
  nothing.complete = true;
  const auto loaded = worker::StateDirectory::load(paths.state_dir);
  if (loaded) {
    for (const auto& [id, attachment] : loaded->state.attachments) {
      nothing.departed.push_back({id, attachment.endpoint.network_id, attachment.space});
    }
  }
  worker::DataPlaneOptions options;
  options.run_dir = paths.run_dir;
  options.dns_needed_elsewhere = [&host](const worker::NamespaceRef& space) {
    return host.dns_needed(space);
  };
  const auto data_plane = worker::DataPlane::start(std::move(options));
  if (!data_plane) {
    log::error("data_plane", "{}", data_plane.error().message);
    return;
  }
  std::promise<worker::PassResult> passed;
  (*data_plane)->set_state(std::move(nothing), [&passed](worker::PassResult result) {
    passed.set_value(std::move(result));
  });
  for (const Error& problem : passed.get_future().get().problems) {
    log::error("data_plane", "{}", problem.message);
  }
}

Result<std::unique_ptr<WorkerPart>> WorkerPart::start(const Identity& identity, const Paths& paths,
                                                      manager::NodeDescription description,
                                                      Strand& strand, Clock& clock, Rng& rng,
                                                      HostPart& host, ClusterCallback on_cluster) {
  worker::StateDirectory::Loaded loaded = SHOAL_TRY(worker::StateDirectory::load(paths.state_dir));
  std::unique_ptr<WorkerPart> part(new WorkerPart(strand, std::move(on_cluster)));
  WorkerPart* const raw = part.get();

  worker::DataPlaneOptions options;
  options.run_dir = paths.run_dir;
  options.on_endpoint_gone = [raw, &strand](const EndpointId& id, const std::string& reason) {
    strand.post([raw, id, reason] {
      if (raw->worker_) raw->worker_->on_endpoint_gone(id, reason);
    });
  };
  options.dns_needed_elsewhere = [&host](const worker::NamespaceRef& space) {
    return host.dns_needed(space);
  };
  options.on_problems = [raw, &strand](std::vector<std::string> problems) {
    strand.post([raw, problems = std::move(problems)]() mutable {
      if (raw->worker_) raw->worker_->on_kernel_problems(std::move(problems));
    });
  };
  options.on_repair = [](size_t repairs) {
    log::warn("data_plane", "repaired {} differences: something else changes what is ours",
              repairs);
  };
  part->kernel_ = std::make_unique<worker::KernelAdapter>(
      SHOAL_TRY(worker::DataPlane::start(std::move(options))), strand);

  worker::SessionClientConfig session;
  session.identity = identity_files(paths.state_dir);
  std::vector<Prefix> routes = SHOAL_TRY(worker::HostRouteWatch::read());
  session.description = std::move(description);
  session.description.host_routes = routes;
  session.addresses = addresses_of(identity);
  session.managers = identity.managers;
  std::optional<worker::ClusterInfo> cluster;
  worker::Assignments assignments;
  if (loaded.cluster) {
    cluster = std::move(loaded.cluster->cluster);
    assignments = std::move(loaded.cluster->assignments);
    for (const manager::Node& node : cluster->managers) {
      const auto& control = node.addresses.control;
      const bool known = !control || std::find(session.managers.begin(), session.managers.end(),
                                               *control) != session.managers.end();
      if (!known) session.managers.push_back(*control);
    }
  }
  SHOAL_TRY(strand.call([&]() -> Status {
    part->disk_ = std::make_unique<worker::StateDirectory>(paths.state_dir, strand);
    part->session_ =
        std::make_unique<worker::SessionClient>(std::move(session), strand, clock, rng, *part);
    const auto start_gossip = [identity, &strand, &clock, &rng](gossip::KeyRing keys,
                                                                uint64_t epoch,
                                                                gossip::Observer& observer) {
      gossip::Config config;
      config.self = identity.node;
      config.cluster = identity.cluster;
      config.bind = {identity.listen.ip, identity.gossip_port};
      config.advertise = {identity.advertise.ip, identity.gossip_port};
      config.epoch = epoch;
      config.link_mtu = link_mtu(identity.advertise.ip);
      return gossip::Gossip::start(config, std::move(keys), strand, clock, rng, observer);
    };
    part->worker_ = std::make_unique<worker::Worker>(
        worker::WorkerConfig{identity.node, identity.data_path},
        worker::Ports{*part->session_, *part->kernel_,
                      host.resolvers().part(worker::SharedResolvers::Part::kOverlays), *part->disk_,
                      clock, rng,
                      [&strand](std::function<void()> work) { strand.post(std::move(work)); },
                      [&strand] { return strand.make_timer(); }, start_gossip});
    part->worker_->start(std::move(loaded.state), std::move(cluster), std::move(assignments));
    part->routes_ = SHOAL_TRY(worker::HostRouteWatch::start(
        strand, clock, std::move(routes),
        [raw](std::vector<Prefix> now) { raw->session_->set_host_routes(std::move(now)); }));
    part->session_->start();
    return ok_status();
  }));
  return part;
}

WorkerPart::~WorkerPart() {
  strand_.call([this] {
    routes_.reset();
    if (session_) session_->stop();
    if (worker_) worker_->stop();
    worker_.reset();
    session_.reset();
    disk_.reset();
  });
  kernel_.reset();
  // What the data plane posted until its end refers to this object.
  strand_.call([] {});
}

void WorkerPart::on_session(bool active, const HostPort& manager, const Error& error) {
  const bool known = refused();
  session_error_ = active ? Error{} : error;
  if (refused() && !known) {
    log::error("session", "the managers refuse this node ({}): what is attached keeps working",
               error.message);
  }
  if (!active && session_error_.message.empty()) {
    session_error_ = unavailable("no session with " + manager.str());
  }
  worker_->on_session(active);
  if (!active) return;
  {
    const std::lock_guard lock(mutex_);
    registered_ = true;
  }
  registered_changed_.notify_all();
}

void WorkerPart::on_cluster(worker::ClusterInfo cluster) {
  worker_->on_cluster(cluster);
  on_cluster_(cluster);
}

void WorkerPart::on_assignments(const worker::Assignments& assignments, Instant opened) {
  worker_->on_assignments(assignments, opened);
}

bool WorkerPart::refused() const {
  return session_error_.code == ErrorClass::kUnauthenticated ||
         session_error_.code == ErrorClass::kPermissionDenied ||
         session_error_.code == ErrorClass::kNotFound;
}

bool WorkerPart::wait_registered(std::chrono::milliseconds timeout, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return registered_changed_.wait_for(lock, stop, timeout, [this] { return registered_; });
}

}  // namespace shoal::node
