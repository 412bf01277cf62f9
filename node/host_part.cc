#include "node/host_part.h"

#include <algorithm>

#include "base/runtime/log.h"

namespace shoal::node {
namespace {

using worker::SharedResolvers;

constexpr uint16_t kDnsPort = 53;

std::vector<Prefix> subnets_of(const worker::Catalogue* catalogue) {
  std::vector<Prefix> out;
  if (catalogue == nullptr) return out;
  for (const auto& [id, network] : catalogue->networks()) {
    for (const manager::Subnet& subnet : network->subnets) out.push_back(subnet.prefix);
  }
  return out;
}

bool has_network(const worker::Catalogue* catalogue, std::string_view name) {
  if (catalogue == nullptr) return false;
  const auto& networks = catalogue->networks();
  return std::any_of(networks.begin(), networks.end(),
                     [&](const auto& item) { return item.second->spec.name == name; });
}

}  // namespace

Result<std::unique_ptr<HostPart>> HostPart::start(const Paths& paths, const Config& config,
                                                  Strand& strand, Clock& clock, Rng& rng,
                                                  CatalogueView catalogue) {
  SHOAL_TRY(worker::LocalDirectory::prepare(paths.state_dir));
  const worker::LocalDirectory::Loaded loaded =
      SHOAL_TRY(worker::LocalDirectory::load(paths.state_dir));
  std::unique_ptr<HostPart> part(new HostPart(strand, paths.resolv_conf));
  HostPart* const raw = part.get();
  part->dns_ = std::make_unique<worker::dns::DnsServer>(strand, clock, rng);
  part->resolvers_ = std::make_unique<worker::ResolversAdapter>(*part->dns_);
  part->shared_ = std::make_unique<SharedResolvers>(*part->resolvers_);

  worker::HostPlaneOptions options;
  options.run_dir = paths.run_dir;
  options.may_forward = config.ip_forward.value_or(true);
  options.on_endpoint_gone = [raw, &strand](const EndpointId& id, const std::string& reason) {
    strand.post([raw, id, reason] {
      if (raw->networks_) raw->networks_->on_endpoint_gone(id, reason);
    });
  };
  options.on_endpoint_departed = [raw, &strand](const EndpointId& id) {
    strand.post([raw, id] {
      if (raw->networks_) raw->networks_->on_endpoint_departed(id);
    });
  };
  options.on_problems = [raw, &strand](std::vector<std::string> problems) {
    strand.post([raw, problems = std::move(problems)]() mutable {
      if (raw->networks_) raw->networks_->on_kernel_problems(std::move(problems));
    });
  };
  options.dns_needed_elsewhere = [shared = part->shared_.get()](const worker::NamespaceRef& space) {
    return shared->served(SharedResolvers::Part::kOverlays, space);
  };
  part->kernel_ = std::make_unique<worker::HostKernelAdapter>(
      SHOAL_TRY(worker::HostPlane::start(std::move(options))), strand);
  part->host_ports_ =
      std::make_unique<worker::HostPortsAdapter>(SHOAL_TRY(worker::LoopbackRelay::start()), strand);
  part->disk_ = std::make_unique<worker::LocalDirectory>(paths.state_dir, strand);
  SHOAL_TRY(strand.call([&]() -> Status {
    part->networks_ = std::make_unique<worker::LocalNetworks>(worker::LocalPorts{
        *part->kernel_, *part->host_ports_, part->shared_->part(SharedResolvers::Part::kLocal),
        *part->disk_, clock, rng,
        [&strand](std::function<void()> work) { strand.post(std::move(work)); },
        [catalogue] { return subnets_of(catalogue()); },
        [catalogue](std::string_view name) { return has_network(catalogue(), name); }});
    for (const EndpointId& id : loaded.emptied) {
      part->disk_->forget_endpoint(id, [id](const Status&) {
        log::warn("local", "endpoint {} was lost with the power, and so was its namespace",
                  id.str());
      });
    }
    part->configure(config);
    return part->networks_->start(loaded.networks, loaded.endpoints);
  }));
  return part;
}

void HostPart::configure(const Config& config) {
  if (config.dns && !config.dns->empty()) {
    std::vector<HostPort> upstreams;
    for (const Ip& ip : *config.dns) upstreams.push_back({ip, kDnsPort});
    dns_->set_upstreams(std::move(upstreams));
  } else {
    dns_->follow_resolv_conf(resolv_conf_);
  }
  worker::LocalSettings settings;
  if (config.default_address_pools) settings.pools = *config.default_address_pools;
  if (config.default_network_opts) settings.default_options = *config.default_network_opts;
  networks_->configure(std::move(settings));
}

HostPart::~HostPart() {
  strand_.call([this] {
    if (networks_) networks_->stop();
    networks_.reset();
    disk_.reset();
  });
  kernel_.reset();
  host_ports_.reset();
  strand_.call([this] {
    shared_.reset();
    resolvers_.reset();
    dns_.reset();
  });
  // What the plane and the disk posted until their end refers to this object.
  strand_.call([] {});
}

}  // namespace shoal::node
