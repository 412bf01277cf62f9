// What was typed, as plain structs: one per command. Parsed here, executed by cli/client.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/types/result.h"

namespace shoal::cli {

// How a command prints.
struct Output {
  std::string format;  // --format; "" is the default form
  bool json = false;   // --json: one JSON document
  bool quiet = false;  // -q: ids (or the token) only
  bool no_trunc = false;
};

struct AddressFlags {
  std::string advertise_addr;
  std::string listen_addr;
  std::string data_path_addr;
  uint32_t gossip_port = 0;
  std::string availability = "active";
};

struct InitCommand {
  AddressFlags addresses;
  bool force_new_cluster = false;
  uint32_t data_path_port = 0;
  std::vector<std::string> default_addr_pools;
  uint32_t default_addr_pool_mask_length = 0;
  bool autolock = false;
  uint64_t cert_expiry_seconds = 0;  // 0: the default
};
// Absent: stays as it is.
struct UpdateCommand {
  std::optional<bool> autolock;
};
struct UnlockCommand {};
struct UnlockKeyCommand {
  bool rotate = false;
};
struct JoinCommand {
  AddressFlags addresses;
  std::string token;
  std::vector<std::string> remotes;
};
struct LeaveCommand {
  bool force = false;
};
struct JoinTokenCommand {
  std::string role;
  bool rotate = false;
};
struct StatusCommand {};
struct NodeListCommand {};
struct NodeInspectCommand {
  std::vector<std::string> nodes;
};
struct NodeRoleCommand {
  bool promote = false;
  std::vector<std::string> nodes;
};
struct NodeUpdateCommand {
  std::string node;
  std::string availability;
  std::map<std::string, std::string> label_add;
  std::vector<std::string> label_rm;
};
struct NodeRemoveCommand {
  std::vector<std::string> nodes;
  bool force = false;
};
struct NetworkCreateCommand {
  std::string name;
  std::string driver;
  bool attachable = false;
  bool internal = false;
  bool ipv6 = false;
  bool ingress = false;
  std::vector<std::string> subnets;
  std::vector<std::string> gateways;
  std::vector<std::string> ip_ranges;
  std::map<std::string, std::string> aux_addresses;
  std::map<std::string, std::string> options;
  std::map<std::string, std::string> labels;
};
struct NetworkListCommand {
  std::vector<std::string> filters;
};
struct NetworkPruneCommand {
  std::vector<std::string> filters;
  bool force = false;
};
struct NetworkConnectCommand {
  std::string network;
  std::string endpoint;
  std::vector<std::string> aliases;
  std::string ip;
  std::string ip6;
  std::string ifname;
};
struct NetworkInspectCommand {
  std::vector<std::string> networks;
};
struct NetworkRemoveCommand {
  std::vector<std::string> networks;
};
struct AttachCommand {
  std::string network;
  std::string netns;
  int64_t pid = 0;
  std::string name;
  std::vector<std::string> aliases;
  std::string ip;
  std::string ip6;
  std::string ifname;
  std::vector<std::string> ports;    // to publish
  std::vector<std::string> exposed;  // by --publish-all, wherever the host likes
  bool publish_all = false;
};
struct DetachCommand {
  std::string network;
  std::string endpoint;
  bool force = false;
};
struct RaftStatusCommand {};
struct BackupCommand {
  std::string file;
};
struct RestoreCommand {
  AddressFlags addresses;
  std::string file;
  std::string unlock_key_file;  // of a locked backup; empty: it is asked for
};
struct EndpointListCommand {
  std::string network;
};
struct EndpointInspectCommand {
  std::vector<std::string> endpoints;
  std::string network;
};

using Command =
    std::variant<InitCommand, UpdateCommand, UnlockCommand, UnlockKeyCommand, JoinCommand,
                 LeaveCommand, JoinTokenCommand, StatusCommand, NodeListCommand, NodeInspectCommand,
                 NodeRoleCommand, NodeUpdateCommand, NodeRemoveCommand, NetworkCreateCommand,
                 NetworkListCommand, NetworkPruneCommand, NetworkConnectCommand,
                 NetworkInspectCommand, NetworkRemoveCommand, AttachCommand, DetachCommand,
                 EndpointListCommand, EndpointInspectCommand, RaftStatusCommand, BackupCommand,
                 RestoreCommand>;

struct Invocation {
  std::string socket;
  uint32_t timeout_seconds = 0;
  Output output;
  Command command;
};

// Nothing to execute: print `text` (help, version, completion: exit 0; a usage error: stderr, exit
// 2).
struct Message {
  std::string text;
  int exit_code = 0;
};

// `arguments` without the program's name. Pure: the environment is not read.
std::variant<Invocation, Message> parse(const std::vector<std::string>& arguments);

}  // namespace shoal::cli
