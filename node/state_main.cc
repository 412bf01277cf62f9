// shoal-state: checks or dumps a state directory without a daemon. See node/inspect.h and
// node/gossip_keys.h.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/runtime/prompt.h"
#include "node/gossip_keys.h"
#include "node/inspect.h"
#include "node/paths.h"

namespace {

// As the command line's (docs/NOMENCLATURE.md).
int exit_code(shoal::ErrorClass error_class) {
  switch (error_class) {
    case shoal::ErrorClass::kInvalidArgument:
      return 2;
    case shoal::ErrorClass::kNotFound:
      return 3;
    case shoal::ErrorClass::kConflict:
      return 5;
    case shoal::ErrorClass::kPermissionDenied:
      return 7;
    case shoal::ErrorClass::kDataLoss:
      return 11;
    default:
      return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("shoal-state: looks at the state directory of a shoald that does not run",
               "shoal-state");
  app.require_subcommand(1);
  app.set_version_flag("--version", "shoal-state " SHOAL_VERSION);
  std::string directory = shoal::node::Paths{}.state_dir;
  std::string key_file;
  CLI::App* check = app.add_subcommand("check", "Verify checksums, order and consistency");
  CLI::App* dump = app.add_subcommand("dump", "The same, with each log entry and object");
  for (CLI::App* command : {check, dump}) {
    command->add_option("DIR", directory, "State directory")->capture_default_str();
    command->add_option("--unlock-key-file", key_file,
                        "File with the unlock key of a locked manager (default: it is asked for, "
                        "or read from standard input)");
  }
  CLI::App* keys = app.add_subcommand(
      "gossip-keys", "Print the gossip keys of the cluster, for tools/wireshark; keep them secret");
  keys->add_option("DIR", directory, "State directory")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "shoal-state: %s\nRun 'shoal-state --help' for usage.\n", error.what());
    return 2;
  }
  if (keys->parsed()) {
    const auto listed = shoal::node::list_gossip_keys(directory);
    if (!listed) {
      std::fprintf(stderr, "shoal-state: %s\n", listed.error().message.c_str());
      return exit_code(listed.error().code);
    }
    std::fputs(listed->c_str(), stdout);
    return 0;
  }
  const auto inspected = shoal::node::inspect_state(directory, dump->parsed(), [&key_file] {
    return shoal::read_secret("Please enter unlock key: ", key_file);
  });
  if (!inspected) {
    std::fprintf(stderr, "shoal-state: %s\n", inspected.error().message.c_str());
    return exit_code(inspected.error().code);
  }
  std::fputs(inspected->text.c_str(), stdout);
  for (const std::string& problem : inspected->problems) {
    std::printf("PROBLEM: %s\n", problem.c_str());
  }
  std::printf("%s\n", inspected->problems.empty() ? "sound" : "damaged");
  return inspected->problems.empty() ? 0 : exit_code(shoal::ErrorClass::kDataLoss);
}
