#include <CLI/CLI.hpp>

#include "cli/commands/completion.h"
#include "cli/commands/duration.h"
#include "cli/commands/invocation.h"

#ifndef SHOAL_VERSION
#error "SHOAL_VERSION must be defined by the build"
#endif

namespace shoal::cli {
namespace {

constexpr char kDefaultSocket[] = "/run/shoal/shoal.sock";
constexpr uint32_t kDefaultTimeoutSeconds = 30;

// What CLI11 makes of other words is a number, or an exception of its own.
const CLI::IsMember kTrueOrFalse({"true", "false"});

// Builds the command tree; each leaf's callback writes the command it stands for.
class Parser {
 public:
  Parser() : app_("One set of container networks for a group of hosts.", "shoal") {
    invocation_.socket = kDefaultSocket;
    invocation_.timeout_seconds = kDefaultTimeoutSeconds;
    app_.require_subcommand(1);
    app_.set_version_flag("--version", std::string("shoal version ") + SHOAL_VERSION);
    app_.add_option("--socket", invocation_.socket, "Path of the daemon's socket")
        ->capture_default_str();
    app_.add_option("--timeout", invocation_.timeout_seconds, "Give up after this many seconds")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    app_.footer("Run 'shoal COMMAND --help' for more on a command.");
    add_cluster_commands();
    add_state_commands();
    add_node_commands();
    add_network_commands();
    add_endpoint_commands();
    add_completion();
  }

  std::variant<Invocation, Message> run(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForVersion& version) {
      return Message{std::string(version.what()) + "\n", 0};
    } catch (const CLI::CallForHelp&) {
      return Message{app_.help(), 0};
    } catch (const CLI::ParseError& error) {
      return Message{"shoal: " + sentence_of(error) + "\nRun 'shoal --help' for usage.\n", 2};
    }
    if (!text_.empty()) return Message{text_, 0};
    if (auto refused = cross_check()) return Message{"shoal: " + *refused + "\n", 2};
    return invocation_;
  }

 private:
  // Of a word that means nothing here CLI11 says only that something else is missing.
  std::string sentence_of(const CLI::ParseError& error) const {
    const std::vector<std::string> extras = app_.remaining(true);
    if (extras.empty() || dynamic_cast<const CLI::RequiredError*>(&error) == nullptr) {
      return error.what();
    }
    return "\"" + extras.front() + "\" is not a command or option here";
  }

  // A leaf command whose options are written into a T, which becomes the invocation's command.
  template <typename T>
  std::pair<CLI::App*, std::shared_ptr<T>> leaf(CLI::App* parent, const std::string& name,
                                                const std::string& description) {
    auto command = std::make_shared<T>();
    CLI::App* app = parent->add_subcommand(name, description);
    app->callback([this, command] { invocation_.command = *command; });
    return {app, command};
  }

  void add_list_output(CLI::App* app) {
    app->add_option("--format", invocation_.output.format,
                    "'json', 'table TEMPLATE' or a template such as '{{.Name}}'");
    app->add_flag("--json", invocation_.output.json, "Print one JSON document");
    app->add_flag("-q,--quiet", invocation_.output.quiet, "Print ids only");
    app->add_flag("--no-trunc", invocation_.output.no_trunc, "Print whole ids");
  }
  void add_inspect_output(CLI::App* app) {
    app->add_option("-f,--format", invocation_.output.format,
                    "'json' or a template such as '{{.Name}}'");
    app->add_flag("--json", invocation_.output.json, "Print JSON (the default)");
  }

  void add_addresses(CLI::App* app, AddressFlags& flags) {
    app->add_option("--advertise-addr", flags.advertise_addr,
                    "Address other nodes reach this one at: IP|INTERFACE[:PORT]");
    app->add_option(
        "--listen-addr", flags.listen_addr,
        "Address the cluster port listens on: IP|INTERFACE[:PORT] (default 0.0.0.0:2377)");
    app->add_option("--data-path-addr", flags.data_path_addr,
                    "Address for VXLAN traffic: IP|INTERFACE (default: the advertised one)");
    app->add_option("--gossip-port", flags.gossip_port, "Port of gossip (default 7946)")
        ->check(CLI::Range(1, 65535));
    app->add_option("--availability", flags.availability, "active, pause or drain")
        ->check(CLI::IsMember({"active", "pause", "drain"}))
        ->capture_default_str();
  }

  void add_cluster_commands() {
    auto [init, init_command] =
        leaf<InitCommand>(&app_, "init", "Start a new cluster on this host");
    add_addresses(init, init_command->addresses);
    init->add_flag("--force-new-cluster", init_command->force_new_cluster,
                   "On a manager that lost the others: go on alone with the cluster's state");
    init->add_option("--data-path-port", init_command->data_path_port,
                     "UDP port of VXLAN, 1024 to 49151 (default 4789)");
    add_repeatable(
        init, "--default-addr-pool", init_command->default_addr_pools,
        "Pool that networks' subnets are cut from, as CIDR; repeatable (default 10.0.0.0/8)");
    init->add_option("--default-addr-pool-mask-length", init_command->default_addr_pool_mask_length,
                     "Prefix length of the subnets cut from it (default 24)");
    init->add_option_function<std::string>(
            "--cert-expiry",
            [command = init_command](const std::string& text) {
              const auto expiry = parse_duration(text);
              if (!expiry) throw CLI::ValidationError("--cert-expiry", expiry.error().message);
              const auto seconds = std::chrono::ceil<std::chrono::seconds>(*expiry);
              command->cert_expiry_seconds =
                  std::max<uint64_t>(1, static_cast<uint64_t>(seconds.count()));
            },
            "Validity of node certificates, which nodes renew in time (default 2160h0m0s, at "
            "least 1h)")
        ->type_name("DURATION");

    init->add_flag("--autolock", init_command->autolock,
                   "Lock managers with an unlock key when they restart")
        ->check(kTrueOrFalse);

    auto [join, join_command] = leaf<JoinCommand>(&app_, "join", "Join this host to a cluster");
    add_addresses(join, join_command->addresses);
    join->add_option("--token", join_command->token, "Join token, from `shoal join-token`")
        ->required();
    join->add_option("MANAGER", join_command->remotes, "HOST:PORT of a manager")->required();

    auto [leave, leave_command] = leaf<LeaveCommand>(&app_, "leave", "Leave the cluster");
    leave->add_flag("-f,--force", leave_command->force,
                    "Leave although this node is a manager or has endpoints");

    auto [token, token_command] = leaf<JoinTokenCommand>(
        &app_, "join-token", "Show or change the tokens that let hosts join");
    token->add_option("ROLE", token_command->role, "worker or manager")
        ->required()
        ->check(CLI::IsMember({"worker", "manager"}));
    token->add_flag("--rotate", token_command->rotate,
                    "Make a new token; the old one is void at once");
    token->add_flag("-q,--quiet", invocation_.output.quiet, "Print the token only");

    auto [update, update_command] = leaf<UpdateCommand>(&app_, "update", "Change the cluster");
    update
        ->add_flag_function(
            "--autolock",
            [command = update_command](int64_t value) { command->autolock = value > 0; },
            "Lock managers with an unlock key when they restart: true or false")
        ->check(kTrueOrFalse);

    leaf<UnlockCommand>(&app_, "unlock",
                        "Unlock this manager; the key is read from the terminal "
                        "or standard input");
    auto [unlock_key, unlock_key_command] =
        leaf<UnlockKeyCommand>(&app_, "unlock-key", "Show or change the cluster's unlock key");
    unlock_key->add_flag("--rotate", unlock_key_command->rotate, "Make a new key");
    unlock_key->add_flag("-q,--quiet", invocation_.output.quiet, "Print the key only");

    auto [status, status_command] = leaf<StatusCommand>(&app_, "status", "What this node sees");
    status->add_flag("--json", invocation_.output.json, "Print JSON");
    status->add_option("--format", invocation_.output.format, "'json' or a template");
    (void)status_command;
  }

  void add_state_commands() {
    CLI::App* raft = app_.add_subcommand("raft", "Look at the managers' consensus");
    raft->require_subcommand(1);
    CLI::App* status =
        leaf<RaftStatusCommand>(raft, "status", "Members, log, quorum: what each manager knows")
            .first;
    status->add_flag("--json", invocation_.output.json, "Print JSON");
    status->add_option("--format", invocation_.output.format, "'json' or a template");

    auto [backup, backup_command] = leaf<BackupCommand>(
        &app_, "backup", "Write the cluster's state to a file (secret: it holds the CA's key)");
    backup->add_option("FILE", backup_command->file, "File to make; it must not exist")->required();

    auto [restore, restore_command] = leaf<RestoreCommand>(
        &app_, "restore", "Go on with the cluster of a backup, this host as its only manager");
    restore->add_option("FILE", restore_command->file, "What `shoal backup` wrote")->required();
    restore->add_option("--unlock-key-file", restore_command->unlock_key_file,
                        "File with the unlock key of a locked backup (default: it is asked for, or "
                        "read from standard input)");
    add_addresses(restore, restore_command->addresses);
  }

  void add_node_commands() {
    CLI::App* node = app_.add_subcommand("node", "Manage the cluster's nodes");
    node->require_subcommand(1);
    add_list_output(leaf<NodeListCommand>(node, "ls", "List nodes").first);

    auto [inspect, inspect_command] =
        leaf<NodeInspectCommand>(node, "inspect", "Show nodes in detail");
    inspect->add_option("NODE", inspect_command->nodes, "Id, hostname or 'self'")->required();
    add_inspect_output(inspect);

    for (const bool promote : {true, false}) {
      auto [app, command] = promote
                                ? leaf<NodeRoleCommand>(node, "promote", "Make workers managers")
                                : leaf<NodeRoleCommand>(node, "demote", "Make managers workers");
      command->promote = promote;
      app->add_option("NODE", command->nodes, "Id or hostname")->required();
    }

    auto [update, update_command] = leaf<NodeUpdateCommand>(node, "update", "Change a node");
    update->add_option("NODE", update_command->node, "Id or hostname")->required();
    update->add_option("--availability", update_command->availability, "active, pause or drain")
        ->check(CLI::IsMember({"active", "pause", "drain"}));
    add_pairs(update, "--label-add", update_command->label_add, "Add or change a label: KEY=VALUE");
    add_repeatable(update, "--label-rm", update_command->label_rm, "Remove a label");

    auto [remove, remove_command] =
        leaf<NodeRemoveCommand>(node, "rm", "Remove nodes that left or died");
    remove->add_option("NODE", remove_command->nodes, "Id or hostname")->required();
    remove->add_flag("-f,--force", remove_command->force, "Remove although the node is ready");
  }

  void add_network_commands() {
    CLI::App* network = app_.add_subcommand("network", "Manage networks");
    network->require_subcommand(1);
    auto [create, command] = leaf<NetworkCreateCommand>(network, "create", "Create a network");
    create->add_option("NAME", command->name, "Name of the network")->required();
    create->add_option("-d,--driver", command->driver,
                       "Driver of the network (default: overlay; bridge on a host in no cluster)");
    create->add_flag("--attachable", command->attachable, "Let `shoal attach` use it");
    create->add_flag("--internal", command->internal, "No way out of the network");
    create->add_flag("--ipv6", command->ipv6, "Give IPv6 addresses too");
    create->add_flag("--ingress", command->ingress, "Make the network of published ports");
    add_repeatable(create, "--subnet", command->subnets, "Subnet as CIDR; repeatable");
    add_repeatable(create, "--gateway", command->gateways,
                   "Gateway inside one of the subnets; repeatable");
    add_repeatable(create, "--ip-range", command->ip_ranges,
                   "Give addresses from this part of a subnet only; repeatable");
    add_pairs(create, "--aux-address", command->aux_addresses, "Never give this address: NAME=IP");
    add_pairs(create, "-o,--opt", command->options, "Driver option: KEY=VALUE");
    add_pairs(create, "--label", command->labels, "Label: KEY=VALUE");
    create->add_flag("-q,--quiet", invocation_.output.quiet, "Print nothing");

    auto [list, list_command] = leaf<NetworkListCommand>(network, "ls", "List networks");
    add_filters(list, list_command->filters);
    add_list_output(list);
    auto [inspect, inspect_command] = leaf<NetworkInspectCommand>(
        network, "inspect", "Show networks in detail, with address usage");
    inspect->add_option("NETWORK", inspect_command->networks, "Name or id")->required();
    add_inspect_output(inspect);
    auto [remove, remove_command] = leaf<NetworkRemoveCommand>(network, "rm", "Remove networks");
    remove->add_option("NETWORK", remove_command->networks, "Name or id")->required();
    add_network_uses(network);
  }

  void add_filters(CLI::App* app, std::vector<std::string>& filters) {
    add_repeatable(app, "--filter", filters,
                   "Only networks with KEY=VALUE: driver, id, label, label!, name, scope, type");
  }

  void add_network_uses(CLI::App* network) {
    auto [prune, prune_command] =
        leaf<NetworkPruneCommand>(network, "prune", "Remove all networks that no endpoint is on");
    add_filters(prune, prune_command->filters);
    prune->add_flag("-f,--force", prune_command->force, "Do not ask");
    auto [connect, command] = leaf<NetworkConnectCommand>(
        network, "connect", "Put the namespace of an endpoint on a network too");
    connect->add_option("NETWORK", command->network, "Name or id")->required();
    connect->add_option("ENDPOINT", command->endpoint, "Name or id, on this host")->required();
    add_repeatable(connect, "--alias", command->aliases, "Further name; repeatable");
    connect->add_option("--ip", command->ip, "IPv4 address to take");
    connect->add_option("--ip6", command->ip6, "IPv6 address to take");
    connect->add_option("--ifname", command->ifname,
                        "Interface name inside (default: the next free ethN)");
    auto [disconnect, disconnect_command] =
        leaf<DetachCommand>(network, "disconnect", "As `shoal detach`");
    disconnect->add_option("NETWORK", disconnect_command->network, "Name or id")->required();
    disconnect->add_option("ENDPOINT", disconnect_command->endpoint, "Name or id")->required();
    disconnect->add_flag("-f,--force", disconnect_command->force,
                         "Detach although the managers do not answer");
  }

  void add_endpoint_commands() {
    auto [attach, command] =
        leaf<AttachCommand>(&app_, "attach", "Attach a network namespace to a network");
    attach->add_option("NETWORK", command->network, "Name or id")->required();
    attach->add_option("--netns", command->netns,
                       "Path of the network namespace, or endpoint:NAME for that of an endpoint");
    attach->add_option("--pid", command->pid, "Process whose network namespace is meant")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 22));
    attach->add_option("--name", command->name, "Name the endpoint is found by")->required();
    add_repeatable(attach, "--alias", command->aliases, "Further name; repeatable");
    attach->add_option("--ip", command->ip, "IPv4 address to take");
    attach->add_option("--ip6", command->ip6, "IPv6 address to take");
    attach->add_option("--ifname", command->ifname,
                       "Interface name inside (default: the next free ethN)");
    add_repeatable(attach, "-p,--publish", command->ports,
                   "Publish a port: [IP:][HOST[-HOST]:]PORT[-PORT][/tcp|udp|sctp]; repeatable");
    attach->add_flag("-P,--publish-all", command->publish_all,
                     "Publish every exposed port on a port of this host's choice");
    add_repeatable(attach, "--expose", command->exposed,
                   "A port for --publish-all: PORT[-PORT][/tcp|udp|sctp]; repeatable");
    attach->add_flag("--json", invocation_.output.json, "Print JSON");
    attach->add_flag("-q,--quiet", invocation_.output.quiet, "Print the endpoint's id only");

    auto [detach, detach_command] =
        leaf<DetachCommand>(&app_, "detach", "Detach an endpoint and release its addresses");
    detach->add_option("NETWORK", detach_command->network, "Name or id")->required();
    detach->add_option("ENDPOINT", detach_command->endpoint, "Name or id")->required();
    detach->add_flag("-f,--force", detach_command->force,
                     "Detach although the managers do not answer");

    CLI::App* endpoint = app_.add_subcommand("endpoint", "Look at endpoints");
    endpoint->require_subcommand(1);
    auto [list, list_command] = leaf<EndpointListCommand>(
        endpoint, "ls", "List endpoints; on a worker, those of this node");
    list->add_option("NETWORK", list_command->network, "Only this network's");
    add_list_output(list);
    auto [inspect, inspect_command] =
        leaf<EndpointInspectCommand>(endpoint, "inspect", "Show endpoints in detail");
    inspect->add_option("ENDPOINT", inspect_command->endpoints, "Name or id")->required();
    inspect->add_option("--network", inspect_command->network, "Network the name is in");
    add_inspect_output(inspect);
  }

  void add_completion() {
    CLI::App* completion = app_.add_subcommand("completion", "Print a shell completion script");
    auto shell = std::make_shared<std::string>();
    completion->add_option("SHELL", *shell, "bash or zsh")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh"}));
    completion->callback([this, shell] { text_ = completion_script(app_, *shell); });
  }

  // A repeatable option that takes one value each time, so that a positional may follow it.
  static void add_repeatable(CLI::App* app, const std::string& name,
                             std::vector<std::string>& values, const std::string& description) {
    app->add_option(name, values, description)->allow_extra_args(false);
  }

  // A repeatable KEY=VALUE (or KEY) option.
  static void add_pairs(CLI::App* app, const std::string& name,
                        std::map<std::string, std::string>& pairs, const std::string& description) {
    app->add_option_function<std::vector<std::string>>(
           name,
           [&pairs, name](const std::vector<std::string>& values) {
             for (const std::string& value : values) {
               const size_t equals = value.find('=');
               if (equals == 0 || value.empty()) {
                 throw CLI::ValidationError(name, "\"" + value + "\" is not KEY=VALUE");
               }
               pairs[value.substr(0, equals)] =
                   equals == std::string::npos ? "" : value.substr(equals + 1);
             }
           },
           description)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  std::optional<std::string> cross_check() const {
    if (const auto* attach = std::get_if<AttachCommand>(&invocation_.command)) {
      if (attach->netns.empty() == (attach->pid == 0)) {
        return "attach needs either --netns PATH or --pid PID";
      }
      if (attach->publish_all != !attach->exposed.empty()) {
        return attach->publish_all
                   ? "a namespace does not say what it listens on: -P needs --expose PORT"
                   : "--expose is for -P: say -P too, or publish the port with -p";
      }
      for (const std::string& port : attach->exposed) {
        if (port.find(':') != port.npos) {
          return "--expose takes PORT[-PORT][/tcp|udp|sctp]; -p \"" + port +
                 "\" says where it is published";
        }
      }
      if (attach->name.empty()) return "--name must not be empty: the endpoint is found by it";
    }
    if (const auto* update = std::get_if<UpdateCommand>(&invocation_.command)) {
      if (!update->autolock) return "nothing to change: give --autolock=true or --autolock=false";
    }
    if (invocation_.output.json && !invocation_.output.format.empty()) {
      return "--json and --format exclude each other";
    }
    return std::nullopt;
  }

  CLI::App app_;
  Invocation invocation_;
  std::string text_;
};

}  // namespace

std::variant<Invocation, Message> parse(const std::vector<std::string>& arguments) {
  return Parser().run(arguments);
}

}  // namespace shoal::cli
