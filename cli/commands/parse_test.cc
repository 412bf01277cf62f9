#include <gtest/gtest.h>

#include "cli/client/execute.h"
#include "cli/client/network_spec.h"
#include "cli/commands/invocation.h"

namespace shoal::cli {
namespace {

template <typename T>
T command(const std::vector<std::string>& arguments) {
  auto parsed = parse(arguments);
  if (const auto* message = std::get_if<Message>(&parsed)) {
    ADD_FAILURE() << message->text;
    return {};
  }
  return std::get<T>(std::get<Invocation>(parsed).command);
}

Message message(const std::vector<std::string>& arguments) {
  auto parsed = parse(arguments);
  if (!std::holds_alternative<Message>(parsed)) {
    ADD_FAILURE() << "was taken as a command";
    return {};
  }
  return std::get<Message>(parsed);
}

TEST(Parse, ClusterCommands) {
  const auto init =
      command<InitCommand>({"init", "--advertise-addr", "eth0", "--data-path-port", "4790",
                            "--default-addr-pool", "10.1.0.0/16", "--default-addr-pool",
                            "10.2.0.0/16", "--default-addr-pool-mask-length", "26"});
  EXPECT_EQ(init.addresses.advertise_addr, "eth0");
  EXPECT_EQ(init.data_path_port, 4790U);
  EXPECT_EQ(init.default_addr_pools, (std::vector<std::string>{"10.1.0.0/16", "10.2.0.0/16"}));
  EXPECT_EQ(init.default_addr_pool_mask_length, 26U);
  const auto join = command<JoinCommand>({"join", "--token", "T", "10.0.0.1:2377"});
  EXPECT_EQ(join.token, "T");
  EXPECT_EQ(join.remotes, std::vector<std::string>{"10.0.0.1:2377"});
  EXPECT_TRUE(command<JoinTokenCommand>({"join-token", "worker", "-q", "--rotate"}).rotate);
  EXPECT_TRUE(command<LeaveCommand>({"leave", "--force"}).force);
}

TEST(Parse, AutolockCommands) {
  EXPECT_TRUE(command<InitCommand>({"init", "--autolock"}).autolock);
  EXPECT_FALSE(command<InitCommand>({"init"}).autolock);
  EXPECT_EQ(command<UpdateCommand>({"update", "--autolock"}).autolock, true);
  EXPECT_EQ(command<UpdateCommand>({"update", "--autolock=true"}).autolock, true);
  EXPECT_EQ(command<UpdateCommand>({"update", "--autolock=false"}).autolock, false);
  EXPECT_FALSE(command<UnlockKeyCommand>({"unlock-key", "-q"}).rotate);
  EXPECT_TRUE(command<UnlockKeyCommand>({"unlock-key", "--rotate"}).rotate);
  command<UnlockCommand>({"unlock"});
}

TEST(Parse, NodeCommands) {
  EXPECT_TRUE(command<NodeRoleCommand>({"node", "promote", "h2", "h3"}).promote);
  EXPECT_FALSE(command<NodeRoleCommand>({"node", "demote", "h2"}).promote);
  const auto update = command<NodeUpdateCommand>(
      {"node", "update", "--label-add", "a=b=c", "--label-rm", "x", "h2"});
  EXPECT_EQ(update.label_add.at("a"), "b=c");
  EXPECT_EQ(update.label_rm, std::vector<std::string>{"x"});
}

TEST(Parse, NetworkCreateSortsFlagsBySubnet) {
  const auto create = command<NetworkCreateCommand>({"network",
                                                     "create",
                                                     "-d",
                                                     "overlay",
                                                     "--attachable",
                                                     "--subnet",
                                                     "10.20.0.0/24",
                                                     "--subnet",
                                                     "fd20::/64",
                                                     "--gateway",
                                                     "fd20::1",
                                                     "--gateway",
                                                     "10.20.0.254",
                                                     "--ip-range",
                                                     "10.20.0.128/25",
                                                     "--aux-address",
                                                     "router=10.20.0.5",
                                                     "-o",
                                                     "com.docker.network.driver.mtu=1400",
                                                     "-o",
                                                     "encrypted",
                                                     "--label",
                                                     "tier=front",
                                                     "shop"});
  const auto spec = network_spec(create);
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->subnets(0).gateway(), "10.20.0.254");
  EXPECT_EQ(spec->subnets(0).ip_range(), "10.20.0.128/25");
  EXPECT_EQ(spec->subnets(0).aux_addresses().at("router"), "10.20.0.5");
  EXPECT_EQ(spec->subnets(1).gateway(), "fd20::1");
  EXPECT_EQ(spec->options().at("com.docker.network.driver.mtu"), "1400");
  EXPECT_EQ(spec->options().at("encrypted"), "");
  EXPECT_TRUE(spec->attachable());
}

TEST(Parse, PositionalsMayFollowRepeatableFlags) {
  EXPECT_EQ(
      command<NetworkCreateCommand>({"network", "create", "--subnet", "10.1.0.0/24", "shop"}).name,
      "shop");
  EXPECT_EQ(command<NetworkCreateCommand>({"network", "create", "-o", "a=1", "shop", "-o", "b=2"})
                .options,
            (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(command<AttachCommand>({"attach", "--alias", "a", "shop", "--pid", "2", "--name", "n"})
                .network,
            "shop");
}

TEST(Parse, NetworkCreateRefusals) {
  const auto refusal = [](std::vector<std::string> flags) {
    std::vector<std::string> all = {"network", "create"};
    all.insert(all.end(), flags.begin(), flags.end());
    all.push_back("shop");
    const auto spec = network_spec(command<NetworkCreateCommand>(all));
    return spec.ok() ? std::string("accepted") : spec.error().message;
  };
  EXPECT_EQ(refusal({"--subnet", "10.20.0.0/24", "--gateway", "10.21.0.1"}),
            "no --subnet contains gateway 10.21.0.1: give one that does, for example --subnet "
            "10.20.0.0/24");
  EXPECT_EQ(
      refusal({"--subnet", "10.20.0.0/24", "--gateway", "10.20.0.1", "--gateway", "10.20.0.2"}),
      "subnet 10.20.0.0/24 has two gateways, 10.20.0.1 and 10.20.0.2: keep one");
  EXPECT_EQ(refusal({"--subnet", "10.20.0.0"}),
            "\"10.20.0.0\" is not a subnet: write ADDRESS/LENGTH, for example 10.0.1.0/24");
  EXPECT_EQ(refusal({"--subnet", "10.20.0.0/24", "--ip-range", "10.30.0.0/25"}),
            "no --subnet contains range 10.30.0.0/25: give one that does, for example --subnet "
            "10.20.0.0/24");
}

TEST(Parse, EndpointCommands) {
  const auto attach = command<AttachCommand>({"attach", "shop", "--netns", "/run/netns/web",
                                              "--name", "web", "--alias", "www", "--alias", "w",
                                              "--ip", "10.0.1.9", "--ifname", "eth5"});
  EXPECT_EQ(attach.aliases, (std::vector<std::string>{"www", "w"}));
  EXPECT_EQ(attach.netns, "/run/netns/web");
  EXPECT_EQ(command<AttachCommand>({"attach", "shop", "--pid", "12", "--name", "web"}).pid, 12);
  const std::vector<std::string> web = {"attach", "shop", "--pid", "12", "--name", "web"};
  const auto with = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), web.begin(), web.end());
    return flags;
  };
  EXPECT_EQ(command<AttachCommand>(with({"-p", "8080:80", "--publish", "53:53/udp"})).ports,
            (std::vector<std::string>{"8080:80", "53:53/udp"}));
  EXPECT_EQ(command<AttachCommand>(with({"-P", "--expose", "80"})).exposed,
            std::vector<std::string>{"80"});
  for (const auto& flags : std::vector<std::vector<std::string>>{
           {"-P"}, {"--expose", "80"}, {"-P", "--expose", "80:80"}}) {
    EXPECT_TRUE(std::holds_alternative<Message>(parse(with(flags)))) << flags.back();
  }
  const auto detach = command<DetachCommand>({"detach", "shop", "web"});
  EXPECT_EQ(detach.network + "/" + detach.endpoint, "shop/web");
}

TEST(Parse, StateCommands) {
  EXPECT_TRUE(command<InitCommand>({"init", "--force-new-cluster"}).force_new_cluster);
  EXPECT_FALSE(command<InitCommand>({"init"}).force_new_cluster);
  EXPECT_EQ(command<BackupCommand>({"backup", "/b"}).file, "/b");
  const auto restore = command<RestoreCommand>({"restore", "/b", "--advertise-addr", "eth1"});
  EXPECT_EQ(restore.file + " " + restore.addresses.advertise_addr, "/b eth1");
  EXPECT_EQ(command<RestoreCommand>({"restore", "/b", "--unlock-key-file", "/k"}).unlock_key_file,
            "/k");
  (void)command<RaftStatusCommand>({"raft", "status", "--json"});
}

TEST(Parse, WrongUseExitsWithTwoAndASentence) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {},
           {"frobnicate"},
           {"init", "--nope"},
           {"join", "10.0.0.1:2377"},
           {"join-token", "boss"},
           {"init", "--autolock=perhaps"},
           {"update"},
           {"update", "--autolock=perhaps"},
           {"update", "--autolock=99999999999999999999"},
           {"unlock", "SWMKEY-1-on-the-command-line"},
           {"attach", "shop", "--name", "web"},
           {"attach", "shop", "--name", "", "--pid", "2"},
           {"attach", "shop", "--name", "web", "--pid", "1", "--netns", "/x"},
           {"attach", "shop", "--name", "web", "--pid", "-4"},
           {"network", "ls", "--json", "--format", "json"},
           {"network", "create", "--label", "=x", "shop"},
           {"network"},
           {"raft"},
           {"backup"},
           {"restore"}}) {
    const Message refused = message(arguments);
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_TRUE(refused.text.starts_with("shoal: ")) << refused.text;
  }
}

TEST(Parse, HelpEverywhereVersionAndCompletion) {
  for (const auto& path : std::vector<std::vector<std::string>>{
           {"--help"}, {"init", "--help"}, {"network", "create", "--help"}, {"endpoint", "-h"}}) {
    const Message help = message(path);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_NE(help.text.find("Usage: shoal"), std::string::npos) << help.text;
  }
  EXPECT_NE(message({"--version"}).text.find("shoal version "), std::string::npos);
  const Message completion = message({"completion", "bash"});
  EXPECT_NE(completion.text.find("\"shoal network create\") words="), std::string::npos);
  EXPECT_NE(completion.text.find("--attachable"), std::string::npos);
  EXPECT_NE(completion.text.find("--unlock-key-file"), std::string::npos);
  EXPECT_NE(completion.text.find("complete -o default"), std::string::npos);  // names of files
}

TEST(ExitCode, OnePerClass) {
  EXPECT_EQ(exit_code(ErrorClass::kInvalidArgument), 2);
  EXPECT_EQ(exit_code(ErrorClass::kUnavailable), 9);
  EXPECT_EQ(exit_code(ErrorClass::kUnimplemented), 12);
}

}  // namespace
}  // namespace shoal::cli
