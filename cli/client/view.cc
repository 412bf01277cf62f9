#include "cli/client/view.h"

#include <algorithm>

#include "base/types/time.h"

namespace shoal::cli {
namespace {

constexpr size_t kShortId = 12;

std::string id_text(const std::string& id, bool full) { return full ? id : id.substr(0, kShortId); }

std::string time_text(int64_t nanoseconds) { return to_rfc3339({nanoseconds}); }

template <typename Map>
Value map_value(const Map& map) {
  const std::map<std::string, std::string> sorted(map.begin(), map.end());
  Value object = Value::object({});
  for (const auto& [key, value] : sorted) object.set(key, value);
  return object;
}

template <typename List>
Value list_value(const List& list) {
  Value array = Value::array();
  for (const auto& item : list) array.push(std::string(item));
  return array;
}

std::string join(const Value& array, const char* separator) {
  std::string out;
  for (const Value& item : *array.as_array()) out += (out.empty() ? "" : separator) + item.text();
  return out;
}

const char* role_text(common::Role role) {
  return role == common::ROLE_MANAGER ? "manager" : "worker";
}
const char* availability_text(common::Availability availability) {
  switch (availability) {
    case common::AVAILABILITY_PAUSE:
      return "pause";
    case common::AVAILABILITY_DRAIN:
      return "drain";
    default:
      return "active";
  }
}
const char* state_text(common::NodeState state) {
  switch (state) {
    case common::NODE_STATE_READY:
      return "ready";
    case common::NODE_STATE_DOWN:
      return "down";
    default:
      return "unknown";
  }
}
std::string manager_text(const common::Node& node) {
  if (!node.has_manager() || node.manager().raft_id() == 0) return "";
  if (node.manager().leader()) return "Leader";
  return node.manager().reachable() ? "Reachable" : "Unreachable";
}
std::string capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

bool has_ipv6(const common::Network& network) {
  return std::any_of(network.subnets().begin(), network.subnets().end(), [](const auto& subnet) {
    return subnet.subnet().find(':') != std::string::npos;
  });
}

Value ipam_config(const common::Network& network) {
  Value configs = Value::array();
  for (const auto& subnet : network.subnets()) {
    Value config = Value::object({{"Subnet", subnet.subnet()}, {"Gateway", subnet.gateway()}});
    if (!subnet.ip_range().empty()) config.set("IPRange", subnet.ip_range());
    if (!subnet.aux_addresses().empty()) {
      config.set("AuxiliaryAddresses", map_value(subnet.aux_addresses()));
    }
    configs.push(config);
  }
  return configs;
}

std::string membership_text(const control::StatusResponse& status) {
  switch (status.membership()) {
    case control::StatusResponse::ACTIVE:
      return "active";
    case control::StatusResponse::LOCKED:
      return "locked";
    case control::StatusResponse::PENDING:
      return "pending";
    default:
      return "inactive";
  }
}

}  // namespace

const char* scope_of(const common::NetworkSpec& spec) {
  return spec.driver() == "overlay" ? "swarm" : "local";
}

Value network_row(const common::Network& network, bool full) {
  const auto& spec = network.spec();
  Value subnets = Value::array();
  for (const auto& subnet : network.subnets()) subnets.push(subnet.subnet());
  return Value::object({{"ID", id_text(network.id(), full)},
                        {"Name", spec.name()},
                        {"Driver", spec.driver()},
                        {"Scope", scope_of(spec)},
                        {"Subnets", join(subnets, ",")},
                        {"VNI", network.vni()},
                        {"Attachable", spec.attachable()},
                        {"Internal", spec.internal()},
                        {"IPv6", has_ipv6(network)},
                        {"CreatedAt", time_text(network.created_at())},
                        {"Labels", map_value(spec.labels())}});
}

Value node_row(const common::Node& node, bool full) {
  return Value::object(
      {{"ID", id_text(node.id(), full)},
       {"Hostname", node.description().hostname()},
       {"Status", capitalised(state_text(node.status().state()))},
       {"Availability", capitalised(availability_text(node.spec().availability()))},
       {"ManagerStatus", manager_text(node)},
       {"Role", role_text(node.spec().role())},
       {"Address", node.addresses().data_path()},
       {"EngineVersion", node.description().version()}});
}

Value endpoint_row(const common::Endpoint& endpoint, const std::string& network_name,
                   const std::string& hostname, bool full) {
  return Value::object(
      {{"ID", id_text(endpoint.id(), full)},
       {"Name", endpoint.spec().name()},
       {"Network", network_name.empty() ? id_text(endpoint.network_id(), full) : network_name},
       {"Node", hostname.empty() ? id_text(endpoint.node_id(), full) : hostname},
       {"Addresses", join(list_value(endpoint.addresses()), ",")},
       {"MAC", endpoint.mac()},
       {"Aliases", join(list_value(endpoint.spec().aliases()), ",")},
       {"Ports", join(list_value(endpoint.ports()), ", ")}});
}

Value network_document(const control::InspectNetworkResponse& response) {
  const auto& network = response.network();
  const auto& spec = network.spec();
  Value endpoints = Value::object({});
  for (const auto& endpoint : response.endpoints()) {
    Value item = Value::object({{"Name", endpoint.spec().name()},
                                {"EndpointID", endpoint.id()},
                                {"NodeID", endpoint.node_id()},
                                {"MacAddress", endpoint.mac()}});
    for (const char* family : {"IPv4Address", "IPv6Address"}) {
      std::string found;
      for (const auto& address : endpoint.addresses()) {
        const bool v6 = address.find(':') != std::string::npos;
        if (v6 == (family[3] == '6')) found = address;
      }
      item.set(family, found);
    }
    item.set("Aliases", list_value(endpoint.spec().aliases()));
    endpoints.set(endpoint.id(), item);
  }
  Value usage = Value::array();
  for (const auto& subnet : response.usage()) {
    usage.push(Value::object({{"Subnet", subnet.subnet()},
                              {"Size", subnet.size()},
                              {"Used", subnet.used()},
                              {"Quarantined", subnet.quarantined()},
                              {"Free", subnet.free()}}));
  }
  Value document = Value::object({{"Name", spec.name()},
                                  {"Id", network.id()},
                                  {"Created", time_text(network.created_at())},
                                  {"Scope", scope_of(spec)},
                                  {"Driver", spec.driver()},
                                  {"EnableIPv4", true},
                                  {"EnableIPv6", has_ipv6(network)},
                                  {"IPAM", Value::object({{"Driver", "default"},
                                                          {"Options", Value()},
                                                          {"Config", ipam_config(network)}})},
                                  {"Internal", spec.internal()},
                                  {"Attachable", spec.attachable()},
                                  {"Ingress", spec.ingress()},
                                  {"Containers", endpoints},
                                  {"Options", map_value(spec.options())},
                                  {"Labels", map_value(spec.labels())},
                                  {"VNI", network.vni()},
                                  {"Usage", usage},
                                  {"Version", Value::object({{"Index", network.version()}})}});
  if (response.notes_size() > 0) document.set("Notes", list_value(response.notes()));
  return document;
}

Value node_document(const common::Node& node) {
  Value document = Value::object(
      {{"ID", node.id()},
       {"Version", Value::object({{"Index", node.version()}})},
       {"CreatedAt", time_text(node.created_at())},
       {"Spec", Value::object({{"Labels", map_value(node.spec().labels())},
                               {"Role", role_text(node.spec().role())},
                               {"Availability", availability_text(node.spec().availability())}})},
       {"Description",
        Value::object(
            {{"Hostname", node.description().hostname()},
             {"Platform", Value::object({{"Architecture", node.description().architecture()},
                                         {"OS", node.description().os()}})},
             {"Engine", Value::object({{"EngineVersion", node.description().version()}})},
             {"Kernel", node.description().kernel()},
             {"Features", list_value(node.description().features())}})},
       {"Status", Value::object({{"State", state_text(node.status().state())},
                                 {"Message", node.status().message()},
                                 {"Addr", node.addresses().data_path()}})},
       {"Addresses", Value::object({{"Control", node.addresses().control()},
                                    {"Gossip", node.addresses().gossip()},
                                    {"DataPath", node.addresses().data_path()}})}});
  if (node.has_manager() && node.manager().raft_id() != 0) {
    document.set(
        "ManagerStatus",
        Value::object({{"Leader", node.manager().leader()},
                       {"Reachability", node.manager().reachable() ? "reachable" : "unreachable"},
                       {"Addr", node.addresses().control()}}));
  }
  return document;
}

Value endpoint_document(const common::Endpoint& endpoint, const common::Network& network) {
  return Value::object({{"ID", endpoint.id()},
                        {"Name", endpoint.spec().name()},
                        {"Aliases", list_value(endpoint.spec().aliases())},
                        {"NetworkID", endpoint.network_id()},
                        {"Network", network.spec().name()},
                        {"NodeID", endpoint.node_id()},
                        {"Addresses", list_value(endpoint.addresses())},
                        {"MacAddress", endpoint.mac()},
                        {"Ports", list_value(endpoint.ports())},
                        {"CreatedAt", time_text(endpoint.created_at())},
                        {"Version", Value::object({{"Index", endpoint.version()}})}});
}

Value status_document(const control::StatusResponse& status) {
  Value document = Value::object({{"Membership", membership_text(status)},
                                  {"Version", status.version()},
                                  {"ClusterID", status.cluster_id()},
                                  {"NodeID", status.node().id()},
                                  {"Role", role_text(status.node().spec().role())}});
  if (status.has_node()) document.set("Node", node_document(status.node()));
  Value managers = Value::array();
  for (const auto& manager : status.managers()) {
    managers.push(Value::object({{"NodeID", manager.node_id()},
                                 {"Address", manager.address()},
                                 {"Leader", manager.leader()},
                                 {"Connected", manager.connected()}}));
  }
  Value members = Value::array();
  for (const auto& member : status.members()) {
    members.push(Value::object({{"NodeID", member.node_id()},
                                {"Hostname", member.hostname()},
                                {"Address", member.gossip_address()},
                                {"State", member.state()}}));
  }
  document.set("Managers", managers);
  document.set("Members", members);
  document.set("Networks", status.networks());
  document.set("Endpoints", status.endpoints());
  document.set("Warnings", list_value(status.warnings()));
  if (status.has_raft()) {
    document.set("Raft", Value::object({{"ID", status.raft().raft_id()},
                                        {"Leader", status.raft().leader_id()},
                                        {"Term", status.raft().term()},
                                        {"CommitIndex", status.raft().commit_index()},
                                        {"AppliedIndex", status.raft().applied_index()}}));
  }
  Value counters = Value::object({});
  const std::map<std::string, uint64_t> sorted(status.counters().begin(), status.counters().end());
  for (const auto& [name, count] : sorted) counters.set(name, count);
  document.set("Counters", counters);
  return document;
}

std::string status_text(const control::StatusResponse& status) {
  std::string out = "Cluster:    " + membership_text(status);
  if (!status.cluster_id().empty()) out += " (" + status.cluster_id() + ")";
  out += "\nVersion:    " + status.version() + "\n";
  if (status.membership() == control::StatusResponse::INACTIVE) {
    out +=
        "This host is not part of a cluster: start one with `shoal init`, or `shoal join` one.\n";
  } else {
    out += "Node:       " + status.node().id() + " (" + status.node().description().hostname() +
           ", " + role_text(status.node().spec().role()) + ")\n";
    for (const auto& manager : status.managers()) {
      out += "Manager:    " + manager.address() + (manager.leader() ? " leader" : "") +
             (manager.connected() ? " connected" : "") + "\n";
    }
    for (const auto& member : status.members()) {
      out += "Member:     " + (member.hostname().empty() ? member.node_id() : member.hostname()) +
             " " + member.gossip_address() + " " + member.state() + "\n";
    }
    out += "Networks:   " + std::to_string(status.networks()) + "\n";
    out += "Endpoints:  " + std::to_string(status.endpoints()) + " on this node\n";
    if (status.has_raft()) {
      out += "Raft:       term " + std::to_string(status.raft().term()) + ", commit index " +
             std::to_string(status.raft().commit_index()) + ", applied index " +
             std::to_string(status.raft().applied_index()) + "\n";
    }
  }
  for (const auto& warning : status.warnings()) out += "WARNING:    " + warning + "\n";
  return out;
}

}  // namespace shoal::cli
