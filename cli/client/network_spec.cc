#include "cli/client/network_spec.h"

#include "base/types/ip.h"

namespace shoal::cli {
namespace {

Result<common::Subnet*> subnet_of(common::NetworkSpec& spec, const Ip& ip,
                                  const std::string& what) {
  for (auto& subnet : *spec.mutable_subnets()) {
    if (SHOAL_TRY(Prefix::parse(subnet.subnet())).contains(ip)) return &subnet;
  }
  return invalid_argument("no --subnet contains " + what +
                          ": give one that does, for example --subnet 10.20.0.0/24");
}

}  // namespace

Result<common::NetworkSpec> network_spec(const NetworkCreateCommand& command) {
  common::NetworkSpec spec;
  spec.set_name(command.name);
  spec.set_driver(command.driver);
  spec.set_attachable(command.attachable);
  spec.set_internal(command.internal);
  spec.set_ipv6(command.ipv6);
  spec.set_ingress(command.ingress);
  for (const auto& text : command.subnets) {
    SHOAL_TRY(Prefix::parse(text));
    spec.add_subnets()->set_subnet(text);
  }
  for (const auto& text : command.gateways) {
    const Ip gateway = SHOAL_TRY(Ip::parse(text));
    auto* subnet = SHOAL_TRY(subnet_of(spec, gateway, "gateway " + text));
    if (!subnet->gateway().empty()) {
      return invalid_argument("subnet " + subnet->subnet() + " has two gateways, " +
                              subnet->gateway() + " and " + text + ": keep one");
    }
    subnet->set_gateway(text);
  }
  for (const auto& text : command.ip_ranges) {
    const Prefix range = SHOAL_TRY(Prefix::parse(text));
    auto* subnet = SHOAL_TRY(subnet_of(spec, range.first(), "range " + text));
    if (!subnet->ip_range().empty()) {
      return invalid_argument("subnet " + subnet->subnet() + " has two ranges, " +
                              subnet->ip_range() + " and " + text + ": keep one");
    }
    subnet->set_ip_range(text);
  }
  for (const auto& [name, text] : command.aux_addresses) {
    const Ip address = SHOAL_TRY(Ip::parse(text));
    auto* subnet = SHOAL_TRY(subnet_of(spec, address, "auxiliary address " + text));
    (*subnet->mutable_aux_addresses())[name] = text;
  }
  for (const auto& [key, value] : command.options) (*spec.mutable_options())[key] = value;
  for (const auto& [key, value] : command.labels) (*spec.mutable_labels())[key] = value;
  return spec;
}

}  // namespace shoal::cli
