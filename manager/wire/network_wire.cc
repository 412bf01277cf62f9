#include "manager/wire/checks.h"
#include "manager/wire/common_wire.h"

namespace shoal::manager::wire {
namespace {

Result<std::map<std::string, Ip>> auxiliary(
    const google::protobuf::Map<std::string, std::string>& values) {
  SHOAL_TRY(count(values.size(), "aux_addresses", kMaxList));
  std::map<std::string, Ip> out;
  for (const auto& [name, address] : values) {
    out.emplace(SHOAL_TRY(text(name, "the name of an auxiliary address", kMaxText)),
                SHOAL_TRY(parsed<Ip>(address, "an auxiliary address")));
  }
  return out;
}

void put_common(common::Subnet& out, const std::optional<Prefix>& ip_range,
                const std::map<std::string, Ip>& aux_addresses) {
  if (ip_range) out.set_ip_range(ip_range->str());
  for (const auto& [name, address] : aux_addresses) {
    (*out.mutable_aux_addresses())[name] = address.str();
  }
}

}  // namespace

common::Subnet to_wire(const SubnetSpec& subnet) {
  common::Subnet out;
  if (subnet.subnet) out.set_subnet(subnet.subnet->str());
  if (subnet.gateway) out.set_gateway(subnet.gateway->str());
  put_common(out, subnet.ip_range, subnet.aux_addresses);
  put_unknown(subnet.unknown, out);
  return out;
}

Result<SubnetSpec> spec_from_wire(const common::Subnet& subnet) {
  SubnetSpec out;
  out.subnet = SHOAL_TRY(optionally_parsed<Prefix>(subnet.subnet(), "the subnet"));
  out.gateway = SHOAL_TRY(optionally_parsed<Ip>(subnet.gateway(), "the gateway"));
  out.ip_range = SHOAL_TRY(optionally_parsed<Prefix>(subnet.ip_range(), "the IP range"));
  out.aux_addresses = SHOAL_TRY(auxiliary(subnet.aux_addresses()));
  out.unknown = SHOAL_TRY(unknown_of(subnet));
  return out;
}

common::Subnet to_wire(const Subnet& subnet) {
  common::Subnet out;
  out.set_subnet(subnet.prefix.str());
  out.set_gateway(subnet.gateway.str());
  put_common(out, subnet.ip_range, subnet.aux_addresses);
  put_unknown(subnet.unknown, out);
  return out;
}

Result<Subnet> from_wire(const common::Subnet& subnet) {
  Subnet out;
  out.prefix = SHOAL_TRY(parsed<Prefix>(subnet.subnet(), "the subnet"));
  out.gateway = SHOAL_TRY(parsed<Ip>(subnet.gateway(), "the gateway"));
  out.ip_range = SHOAL_TRY(optionally_parsed<Prefix>(subnet.ip_range(), "the IP range"));
  out.aux_addresses = SHOAL_TRY(auxiliary(subnet.aux_addresses()));
  out.unknown = SHOAL_TRY(unknown_of(subnet));
  return out;
}

common::NetworkSpec to_wire(const NetworkSpec& spec) {
  common::NetworkSpec out;
  out.set_name(spec.name);
  out.set_driver(spec.driver);
  out.set_attachable(spec.attachable);
  out.set_internal(spec.internal);
  out.set_ingress(spec.ingress);
  out.set_ipv6(spec.ipv6);
  for (const SubnetSpec& subnet : spec.subnets) *out.add_subnets() = to_wire(subnet);
  out.mutable_options()->insert(spec.options.begin(), spec.options.end());
  out.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  put_unknown(spec.unknown, out);
  return out;
}

Result<NetworkSpec> from_wire(const common::NetworkSpec& spec) {
  NetworkSpec out;
  out.name = SHOAL_TRY(text(spec.name(), "the network's name", kMaxText));
  out.driver = SHOAL_TRY(text(spec.driver(), "the driver", kMaxText));
  if (out.driver.empty()) out.driver = "overlay";
  out.attachable = spec.attachable();
  out.internal = spec.internal();
  out.ingress = spec.ingress();
  out.ipv6 = spec.ipv6();
  out.subnets = SHOAL_TRY(
      list<SubnetSpec>(spec.subnets(), "subnets", kMaxList,
                       [](const common::Subnet& subnet) { return spec_from_wire(subnet); }));
  out.options = SHOAL_TRY(labels(spec.options(), "options"));
  out.labels = SHOAL_TRY(labels(spec.labels(), "labels"));
  out.unknown = SHOAL_TRY(unknown_of(spec));
  return out;
}

common::Network to_wire(const Network& network) {
  common::Network out;
  out.set_id(network.id.str());
  *out.mutable_spec() = to_wire(network.spec);
  for (const Subnet& subnet : network.subnets) *out.add_subnets() = to_wire(subnet);
  out.set_vni(network.vni.value);
  out.set_created_at(network.created_at.nanoseconds);
  out.set_updated_at(network.updated_at.nanoseconds);
  out.set_version(network.version);
  put_unknown(network.unknown, out);
  return out;
}

Result<Network> from_wire(const common::Network& network) {
  Network out;
  out.id = SHOAL_TRY(NetworkId::parse(network.id()));
  out.spec = SHOAL_TRY(from_wire(network.spec()));
  out.subnets =
      SHOAL_TRY(list<Subnet>(network.subnets(), "subnets", kMaxList,
                             [](const common::Subnet& subnet) { return from_wire(subnet); }));
  if (network.vni() > Vni::kMax) {
    return invalid_argument("VNI " + std::to_string(network.vni()) + " does not fit 24 bits");
  }
  out.vni = Vni{network.vni()};
  out.created_at = {network.created_at()};
  out.updated_at = {network.updated_at()};
  out.version = network.version();
  out.unknown = SHOAL_TRY(unknown_of(network));
  return out;
}

}  // namespace shoal::manager::wire
