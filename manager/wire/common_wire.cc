#include "manager/wire/common_wire.h"

#include "manager/wire/checks.h"

namespace shoal::manager::wire {

Result<std::map<std::string, std::string>> labels(
    const google::protobuf::Map<std::string, std::string>& values, const char* field) {
  SHOAL_TRY(count(values.size(), field, kMaxLabels));
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : values) {
    out.emplace(SHOAL_TRY(text(key, field, kMaxText)),
                SHOAL_TRY(text(value, field, kMaxLabelValue)));
  }
  return out;
}

common::Role to_wire(Role role) {
  return role == Role::kManager ? common::ROLE_MANAGER : common::ROLE_WORKER;
}

Result<Role> from_wire(common::Role role) {
  if (role == common::ROLE_WORKER) return Role::kWorker;
  if (role == common::ROLE_MANAGER) return Role::kManager;
  return invalid_argument("the role must be worker or manager");
}

common::Availability to_wire(Availability availability) {
  switch (availability) {
    case Availability::kActive:
      return common::AVAILABILITY_ACTIVE;
    case Availability::kPause:
      return common::AVAILABILITY_PAUSE;
    case Availability::kDrain:
      return common::AVAILABILITY_DRAIN;
  }
  return common::AVAILABILITY_ACTIVE;
}

Result<Availability> from_wire(common::Availability availability) {
  if (availability == common::AVAILABILITY_ACTIVE) return Availability::kActive;
  if (availability == common::AVAILABILITY_PAUSE) return Availability::kPause;
  if (availability == common::AVAILABILITY_DRAIN) return Availability::kDrain;
  return invalid_argument("the availability must be active, pause or drain");
}

common::EndpointSpec to_wire(const EndpointSpec& spec) {
  common::EndpointSpec out;
  out.set_name(spec.name);
  for (const std::string& alias : spec.aliases) out.add_aliases(alias);
  for (const Ip& address : spec.addresses) out.add_addresses(address.str());
  for (const std::string& port : spec.ports) out.add_ports(port);
  put_unknown(spec.unknown, out);
  return out;
}

Result<EndpointSpec> from_wire(const common::EndpointSpec& spec) {
  EndpointSpec out;
  out.name = SHOAL_TRY(text(spec.name(), "the endpoint's name", kMaxText));
  out.aliases = SHOAL_TRY(list<std::string>(
      spec.aliases(), "aliases", kMaxList,
      [](const std::string& alias) { return text(alias, "an alias", kMaxText); }));
  out.addresses = SHOAL_TRY(list<Ip>(spec.addresses(), "addresses", kMaxList,
                                     [](const std::string& ip) { return Ip::parse(ip); }));
  out.ports =
      SHOAL_TRY(list<std::string>(spec.ports(), "ports", kMaxList, [](const std::string& port) {
        return text(port, "a port to publish", kMaxText);
      }));
  out.unknown = SHOAL_TRY(unknown_of(spec));
  return out;
}

common::Endpoint to_wire(const Endpoint& endpoint) {
  common::Endpoint out;
  out.set_id(endpoint.id.str());
  out.set_network_id(endpoint.network_id.str());
  out.set_node_id(endpoint.node_id.str());
  *out.mutable_spec() = to_wire(endpoint.spec);
  for (const Prefix& address : endpoint.addresses) out.add_addresses(address.str());
  out.set_mac(endpoint.mac.str());
  out.set_created_at(endpoint.created_at.nanoseconds);
  out.set_version(endpoint.version);
  for (const std::string& port : endpoint.ports) out.add_ports(port);
  put_unknown(endpoint.unknown, out);
  return out;
}

Result<Endpoint> from_wire(const common::Endpoint& endpoint) {
  Endpoint out;
  out.id = SHOAL_TRY(EndpointId::parse(endpoint.id()));
  out.network_id = SHOAL_TRY(NetworkId::parse(endpoint.network_id()));
  out.node_id = SHOAL_TRY(NodeId::parse(endpoint.node_id()));
  out.spec = SHOAL_TRY(from_wire(endpoint.spec()));
  out.addresses =
      SHOAL_TRY(list<Prefix>(endpoint.addresses(), "the endpoint's addresses", kMaxList,
                             [](const std::string& address) { return Prefix::parse(address); }));
  out.mac = SHOAL_TRY(parsed<Mac>(endpoint.mac(), "the endpoint's MAC"));
  out.created_at = {endpoint.created_at()};
  out.version = endpoint.version();
  out.ports = SHOAL_TRY(list<std::string>(
      endpoint.ports(), "the endpoint's ports", kMaxPublished,
      [](const std::string& port) { return text(port, "a published port", kMaxText); }));
  out.unknown = SHOAL_TRY(unknown_of(endpoint));
  return out;
}

common::GossipKeyRing to_wire(const GossipKeyRing& ring) {
  common::GossipKeyRing out;
  for (const GossipKey& key : ring.keys) {
    auto* item = out.add_keys();
    item->set_id(key.id);
    item->set_key(key.key);
  }
  out.set_primary(static_cast<uint32_t>(ring.primary));
  put_unknown(ring.unknown, out);
  return out;
}

Result<GossipKeyRing> from_wire(const common::GossipKeyRing& ring) {
  GossipKeyRing out;
  out.keys = SHOAL_TRY(
      list<GossipKey>(ring.keys(), "the gossip key ring", kMaxGossipKeys,
                      [](const common::GossipKeyRing::Key& key) -> Result<GossipKey> {
                        if (key.key().size() != kGossipKeySize) {
                          return invalid_argument("a gossip key must be 32 bytes long, not " +
                                                  std::to_string(key.key().size()));
                        }
                        return GossipKey{key.id(), key.key()};
                      }));
  out.primary = ring.primary();
  if (!out.keys.empty() && out.primary >= out.keys.size()) {
    return invalid_argument("the gossip key ring's primary is not one of its keys");
  }
  out.unknown = SHOAL_TRY(unknown_of(ring));
  return out;
}

common::SubnetUsage to_wire(const SubnetUsage& usage) {
  common::SubnetUsage out;
  out.set_subnet(usage.subnet.str());
  out.set_size(usage.size);
  out.set_used(usage.used);
  out.set_quarantined(usage.quarantined);
  out.set_free(usage.free);
  return out;
}

Result<SubnetUsage> from_wire(const common::SubnetUsage& usage) {
  SubnetUsage out;
  out.subnet = SHOAL_TRY(parsed<Prefix>(usage.subnet(), "the subnet"));
  out.size = usage.size();
  out.used = usage.used();
  out.quarantined = usage.quarantined();
  out.free = usage.free();
  return out;
}

}  // namespace shoal::manager::wire
