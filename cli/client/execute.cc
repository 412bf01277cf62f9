#include "cli/client/execute.h"

#include <map>

#include "base/runtime/prompt.h"
#include "base/types/time.h"
#include "cli/client/backup_file.h"
#include "cli/client/network_commands.h"
#include "cli/client/network_spec.h"
#include "cli/client/raft_view.h"
#include "cli/client/view.h"
#include "cli/render/render.h"

namespace shoal::cli {
namespace {

using control::Cluster;
using control::Local;

const std::vector<Column> kNodeColumns = {{"ID", "{{.ID}}"},
                                          {"HOSTNAME", "{{.Hostname}}"},
                                          {"STATUS", "{{.Status}}"},
                                          {"AVAILABILITY", "{{.Availability}}"},
                                          {"MANAGER STATUS", "{{.ManagerStatus}}"},
                                          {"ADDRESS", "{{.Address}}"},
                                          {"ENGINE VERSION", "{{.EngineVersion}}"}};
const std::vector<Column> kNetworkColumns = {{"NETWORK ID", "{{.ID}}"},
                                             {"NAME", "{{.Name}}"},
                                             {"DRIVER", "{{.Driver}}"},
                                             {"SCOPE", "{{.Scope}}"},
                                             {"SUBNETS", "{{.Subnets}}"}};
const std::vector<Column> kEndpointColumns = {
    {"ENDPOINT ID", "{{.ID}}"}, {"NAME", "{{.Name}}"},           {"NETWORK", "{{.Network}}"},
    {"NODE", "{{.Node}}"},      {"ADDRESSES", "{{.Addresses}}"}, {"MAC", "{{.MAC}}"},
    {"PORTS", "{{.Ports}}"}};

constexpr char kOpenBackup[] =
    "Keep it secret: it holds the key of the cluster's CA and the join tokens, and whoever reads "
    "it "
    "can be any node.\n";
constexpr char kLockedBackup[] =
    "It is encrypted, for autolock is on: `shoal restore` asks for the unlock key that is in "
    "effect "
    "now. Keep that key, and not beside this file.\n";
constexpr char kLockedCluster[] =
    "Autolock is on, as it was: this manager is locked when it restarts, and the unlock key is "
    "that "
    "of the backup's time ('shoal unlock-key' shows it).\n";
constexpr char kAfterRefounding[] =
    "The former managers are workers from now on; those that come back find that out. Make nodes "
    "managers with 'shoal node promote NODE', and remove what is lost for good with 'shoal node rm "
    "--force NODE'.\n";

common::Availability availability_of(const std::string& text) {
  if (text == "pause") return common::AVAILABILITY_PAUSE;
  if (text == "drain") return common::AVAILABILITY_DRAIN;
  return common::AVAILABILITY_ACTIVE;
}

control::InitRequest first_manager(const AddressFlags& addresses) {
  control::InitRequest request;
  request.set_advertise_addr(addresses.advertise_addr);
  request.set_listen_addr(addresses.listen_addr);
  request.set_data_path_addr(addresses.data_path_addr);
  request.set_gossip_port(addresses.gossip_port);
  request.set_availability(availability_of(addresses.availability));
  return request;
}

std::string unlock_help(const std::string& key) {
  return "To unlock a manager after it restarts, run the `shoal unlock`\ncommand and provide the "
         "following key:\n\n    " +
         key +
         "\n\nPlease remember to store this key in a password manager, since without it you\n"
         "will not be able to restart the manager.\n";
}

class Executor {
 public:
  Executor(const Output& output, Client& client, std::string& out)
      : output_(output), client_(client), out_(out) {}

  Status operator()(const InitCommand& command) {
    control::InitRequest request = first_manager(command.addresses);
    request.set_data_path_port(command.data_path_port);
    for (const auto& pool : command.default_addr_pools) request.add_default_addr_pools(pool);
    request.set_default_addr_pool_mask_length(command.default_addr_pool_mask_length);
    request.set_force_new_cluster(command.force_new_cluster);
    request.set_cert_expiry_seconds(command.cert_expiry_seconds);
    request.set_autolock(command.autolock);
    const auto response = SHOAL_TRY(client_.call(&Local::Stub::Init, request));
    if (command.force_new_cluster) {
      out_ += "This node (" + response.node_id() + ") is now the only manager of the cluster, at " +
              response.manager_address() + ".\n\n" + kAfterRefounding;
      return ok_status();
    }
    out_ += "Cluster initialized: this node (" + response.node_id() +
            ") is now a manager.\n\nTo add a worker, run this on another host:\n\n    shoal join "
            "--token " +
            response.worker_token() + " " + response.manager_address() +
            "\n\nTo add a manager, run 'shoal join-token manager' here and follow what it says.\n";
    if (!response.unlock_key().empty()) out_ += "\n" + unlock_help(response.unlock_key());
    return ok_status();
  }

  Status operator()(const UpdateCommand& command) {
    control::UpdateClusterRequest request;
    if (command.autolock) {
      request.add_fields("autolock");
      request.set_autolock(*command.autolock);
    }
    const auto response = SHOAL_TRY(client_.call(&Cluster::Stub::UpdateCluster, request));
    out_ += "Cluster updated.\n";
    if (!response.unlock_key().empty()) out_ += unlock_help(response.unlock_key());
    return ok_status();
  }

  Status operator()(const UnlockCommand&) {
    control::UnlockRequest request;
    request.set_unlock_key(SHOAL_TRY(read_secret("Please enter unlock key: ")));
    SHOAL_TRY(client_.call(&Local::Stub::Unlock, request));
    return ok_status();
  }

  Status operator()(const UnlockKeyCommand& command) {
    control::GetUnlockKeyRequest request;
    request.set_rotate(command.rotate);
    const auto response = SHOAL_TRY(client_.call(&Cluster::Stub::GetUnlockKey, request));
    if (response.unlock_key().empty()) {
      return conflict(
          "no unlock key is set: autolock is off, and `shoal update --autolock=true` turns it on");
    }
    if (output_.quiet) {
      out_ += response.unlock_key() + "\n";
      return ok_status();
    }
    if (command.rotate) out_ += "Successfully rotated manager unlock key.\n\n";
    out_ += unlock_help(response.unlock_key());
    return ok_status();
  }

  Status operator()(const JoinCommand& command) {
    control::JoinRequest request;
    request.set_token(command.token);
    for (const auto& remote : command.remotes) request.add_remotes(remote);
    request.set_advertise_addr(command.addresses.advertise_addr);
    request.set_listen_addr(command.addresses.listen_addr);
    request.set_data_path_addr(command.addresses.data_path_addr);
    request.set_gossip_port(command.addresses.gossip_port);
    request.set_availability(availability_of(command.addresses.availability));
    const auto response = SHOAL_TRY(client_.call(&Local::Stub::Join, request));
    out_ += "This node (" + response.node_id() + ") joined the cluster as a " +
            (response.role() == common::ROLE_MANAGER ? "manager" : "worker") + ".\n";
    return ok_status();
  }

  Status operator()(const LeaveCommand& command) {
    control::LeaveRequest request;
    request.set_force(command.force);
    SHOAL_TRY(client_.call(&Local::Stub::Leave, request));
    out_ += "Node left the cluster.\n";
    return ok_status();
  }

  Status operator()(const JoinTokenCommand& command) {
    control::GetJoinTokenRequest request;
    request.set_role(command.role == "manager" ? common::ROLE_MANAGER : common::ROLE_WORKER);
    request.set_rotate(command.rotate);
    const auto response = SHOAL_TRY(client_.call(&Cluster::Stub::GetJoinToken, request));
    if (output_.quiet) {
      out_ += response.token() + "\n";
      return ok_status();
    }
    if (command.rotate)
      out_ += "The " + command.role + " token was rotated; the old one is void.\n\n";
    out_ += "To add a " + command.role + ", run this on another host:\n\n    shoal join --token " +
            response.token() + " " + response.manager_address() + "\n";
    return ok_status();
  }

  Status operator()(const StatusCommand&) {
    const auto response = SHOAL_TRY(client_.call(&Local::Stub::Status, control::StatusRequest()));
    if (output_.json) {
      out_ += status_document(response).json(4) + "\n";
    } else if (!output_.format.empty()) {
      out_ += SHOAL_TRY(render_list(output_.format, {}, {status_document(response)}));
    } else {
      out_ += status_text(response);
    }
    return ok_status();
  }

  Status operator()(const RaftStatusCommand&) {
    const auto response =
        SHOAL_TRY(client_.call(&Cluster::Stub::GetRaftStatus, control::GetRaftStatusRequest()));
    if (output_.json) {
      out_ += raft_document(response).json(4) + "\n";
    } else if (!output_.format.empty()) {
      out_ += SHOAL_TRY(render_list(output_.format, {}, {raft_document(response)}));
    } else {
      out_ += SHOAL_TRY(raft_text(response));
    }
    return ok_status();
  }

  Status operator()(const BackupCommand& command) {
    SHOAL_TRY(check_new_file(command.file));
    const auto backup = SHOAL_TRY(client_.backup());
    SHOAL_TRY(write_secret_file(command.file, backup.file));
    out_ += "Wrote the cluster's state to " + command.file + " (" +
            std::to_string(backup.file.size()) + " bytes).\n" +
            (backup.locked ? kLockedBackup : kOpenBackup);
    return ok_status();
  }

  Status operator()(const RestoreCommand& command) {
    const std::string file = SHOAL_TRY(read_backup_file(command.file));
    const auto response = SHOAL_TRY(restored(command, file));
    out_ += "This node (" + response.node_id() + ") is now the only manager of cluster " +
            response.cluster_id() + ", at " + response.manager_address() + ", as of " +
            to_rfc3339({response.taken_at()}) + ": " + std::to_string(response.networks()) +
            " networks, " + std::to_string(response.endpoints()) + " endpoints, " +
            std::to_string(response.nodes()) + " other nodes.\n\n" + kAfterRefounding;
    if (response.locked()) out_ += kLockedCluster;
    return ok_status();
  }

  Status operator()(const NodeListCommand&) {
    const auto response =
        SHOAL_TRY(client_.call(&Cluster::Stub::ListNodes, control::ListNodesRequest()));
    Value::Array rows;
    for (const auto& node : response.nodes()) rows.push_back(node_row(node, full_ids()));
    return print_list(kNodeColumns, rows);
  }

  Status operator()(const NodeInspectCommand& command) {
    Value::Array items;
    for (const auto& name : command.nodes)
      items.push_back(node_document(SHOAL_TRY(inspect_node(name))));
    return print_inspect(items);
  }

  Status operator()(const NodeRoleCommand& command) {
    for (const auto& name : command.nodes) {
      control::UpdateNodeRequest request;
      request.set_node(name);
      request.mutable_spec()->set_role(command.promote ? common::ROLE_MANAGER
                                                       : common::ROLE_WORKER);
      request.add_fields("role");
      SHOAL_TRY(client_.call(&Cluster::Stub::UpdateNode, request));
      out_ += "Node " + name +
              (command.promote ? " promoted to a manager.\n" : " demoted to a worker.\n");
    }
    return ok_status();
  }

  Status operator()(const NodeUpdateCommand& command) {
    control::UpdateNodeRequest request;
    request.set_node(command.node);
    if (!command.availability.empty()) {
      request.mutable_spec()->set_availability(availability_of(command.availability));
      request.add_fields("availability");
    }
    if (!command.label_add.empty() || !command.label_rm.empty()) {
      *request.mutable_spec()->mutable_labels() =
          SHOAL_TRY(inspect_node(command.node)).spec().labels();
      for (const auto& [key, value] : command.label_add) {
        (*request.mutable_spec()->mutable_labels())[key] = value;
      }
      for (const auto& key : command.label_rm) request.mutable_spec()->mutable_labels()->erase(key);
      request.add_fields("labels");
    }
    if (request.fields().empty()) {
      return invalid_argument("nothing to change: give --availability, --label-add or --label-rm");
    }
    SHOAL_TRY(client_.call(&Cluster::Stub::UpdateNode, request));
    out_ += command.node + "\n";
    return ok_status();
  }

  Status operator()(const NodeRemoveCommand& command) {
    for (const auto& name : command.nodes) {
      control::RemoveNodeRequest request;
      request.set_node(name);
      request.set_force(command.force);
      SHOAL_TRY(client_.call(&Cluster::Stub::RemoveNode, request));
      out_ += name + "\n";
    }
    return ok_status();
  }

  Status operator()(const NetworkCreateCommand& command) {
    control::CreateNetworkRequest request;
    *request.mutable_spec() = SHOAL_TRY(network_spec(command));
    const auto response = SHOAL_TRY(client_.call(&Cluster::Stub::CreateNetwork, request));
    if (!output_.quiet) out_ += response.network().id() + "\n";
    return ok_status();
  }

  Status operator()(const NetworkListCommand& command) {
    Value::Array rows;
    for (const auto& network : SHOAL_TRY(filtered_networks(client_, command.filters)))
      rows.push_back(network_row(network, full_ids()));
    return print_list(kNetworkColumns, rows);
  }

  Status operator()(const NetworkPruneCommand& command) {
    return prune_networks(client_, command, out_);
  }
  Status operator()(const NetworkConnectCommand& command) {
    return connect_network(client_, command);
  }

  Status operator()(const NetworkInspectCommand& command) {
    Value::Array items;
    for (const auto& name : command.networks) {
      control::InspectNetworkRequest request;
      request.set_network(name);
      items.push_back(
          network_document(SHOAL_TRY(client_.call(&Cluster::Stub::InspectNetwork, request))));
    }
    return print_inspect(items);
  }

  Status operator()(const NetworkRemoveCommand& command) {
    for (const auto& name : command.networks) {
      control::RemoveNetworkRequest request;
      request.set_network(name);
      SHOAL_TRY(client_.call(&Cluster::Stub::RemoveNetwork, request));
      out_ += name + "\n";
    }
    return ok_status();
  }

  Status operator()(const AttachCommand& command) {
    control::AttachRequest request;
    request.set_network(command.network);
    request.set_netns(command.netns);
    request.set_pid(command.pid);
    request.set_ifname(command.ifname);
    auto* spec = request.mutable_spec();
    spec->set_name(command.name);
    for (const auto& alias : command.aliases) spec->add_aliases(alias);
    if (!command.ip.empty()) spec->add_addresses(command.ip);
    if (!command.ip6.empty()) spec->add_addresses(command.ip6);
    for (const auto& port : command.ports) spec->add_ports(port);
    for (const auto& port : command.exposed) spec->add_ports(port);
    const auto response = SHOAL_TRY(client_.call(&Local::Stub::Attach, request));
    const auto& endpoint = response.endpoint();
    if (output_.quiet) {
      out_ += endpoint.id() + "\n";
    } else if (output_.json) {
      Value document = endpoint_document(endpoint, common::Network());
      document.set("Ifname", response.ifname());
      document.set("MTU", response.mtu());
      out_ += document.json(4) + "\n";
    } else {
      std::string addresses;
      for (const auto& address : endpoint.addresses()) addresses += " " + address;
      out_ += endpoint.spec().name() + ":" + addresses + " on " + response.ifname() + ", MTU " +
              std::to_string(response.mtu()) + "\n";
      for (const auto& port : endpoint.ports()) out_ += "published " + port + "\n";
    }
    return ok_status();
  }

  Status operator()(const DetachCommand& command) {
    control::DetachRequest request;
    request.set_network(command.network);
    request.set_endpoint(command.endpoint);
    request.set_force(command.force);
    SHOAL_TRY(client_.call(&Local::Stub::Detach, request));
    return ok_status();
  }

  Status operator()(const EndpointListCommand& command) {
    control::ListEndpointsRequest request;
    request.set_network(command.network);
    const auto response = SHOAL_TRY(client_.call(&Cluster::Stub::ListEndpoints, request));
    const auto networks = SHOAL_TRY(network_names());
    const auto hostnames = hostnames_of_members();
    Value::Array rows;
    for (const auto& endpoint : response.endpoints()) {
      const auto network = networks.find(endpoint.network_id());
      const auto host = hostnames.find(endpoint.node_id());
      rows.push_back(endpoint_row(endpoint, network == networks.end() ? "" : network->second,
                                  host == hostnames.end() ? "" : host->second, full_ids()));
    }
    return print_list(kEndpointColumns, rows);
  }

  Status operator()(const EndpointInspectCommand& command) {
    Value::Array items;
    for (const auto& name : command.endpoints) {
      control::InspectEndpointRequest request;
      request.set_network(command.network);
      request.set_endpoint(name);
      const auto response = SHOAL_TRY(client_.call(&Cluster::Stub::InspectEndpoint, request));
      items.push_back(endpoint_document(response.endpoint(), response.network()));
    }
    return print_inspect(items);
  }

 private:
  // Programs get whole ids; people get short ones.
  bool full_ids() const { return output_.no_trunc || output_.json || output_.quiet; }

  // Asks for the unlock key when the backup turns out to need it.
  Result<control::RestoreResponse> restored(const RestoreCommand& command,
                                            const std::string& file) {
    const auto settings = first_manager(command.addresses);
    std::string key;
    if (!command.unlock_key_file.empty()) {
      key = SHOAL_TRY(read_secret("", command.unlock_key_file));
    }
    auto response = client_.restore(settings, file, key);
    if (response || response.error().code != ErrorClass::kUnauthenticated) return response;
    const auto typed = read_secret("This backup is locked. Please enter its unlock key: ");
    if (!typed) return response;  // which says what is missing
    return client_.restore(settings, file, *typed);
  }

  Status print_list(const std::vector<Column>& columns, const Value::Array& rows) {
    if (output_.json) {
      out_ += Value(rows).json(4) + "\n";
    } else if (output_.quiet) {
      out_ += SHOAL_TRY(render_list("{{.ID}}", columns, rows));
    } else {
      out_ += SHOAL_TRY(render_list(output_.format, columns, rows));
    }
    return ok_status();
  }
  Status print_inspect(const Value::Array& items) {
    out_ += SHOAL_TRY(render_inspect(output_.format, items));
    return ok_status();
  }

  Result<common::Node> inspect_node(const std::string& name) {
    control::InspectNodeRequest request;
    request.set_node(name);
    return SHOAL_TRY(client_.call(&Cluster::Stub::InspectNode, request)).node();
  }
  Result<std::map<std::string, std::string>> network_names() {
    const auto response =
        SHOAL_TRY(client_.call(&Cluster::Stub::ListNetworks, control::ListNetworksRequest()));
    std::map<std::string, std::string> names;
    for (const auto& network : response.networks()) names[network.id()] = network.spec().name();
    return names;
  }
  // A worker may not list nodes, but knows its fellow members.
  std::map<std::string, std::string> hostnames_of_members() {
    std::map<std::string, std::string> names;
    const auto status = client_.call(&Local::Stub::Status, control::StatusRequest());
    if (!status) return names;
    names[status->node().id()] = status->node().description().hostname();
    for (const auto& member : status->members()) names[member.node_id()] = member.hostname();
    return names;
  }

  const Output& output_;
  Client& client_;
  std::string& out_;
};

}  // namespace

Status execute(const Invocation& invocation, Client& client, std::string& out) {
  return std::visit(Executor(invocation.output, client, out), invocation.command);
}

}  // namespace shoal::cli
