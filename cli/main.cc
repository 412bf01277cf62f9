// `shoal`: parse, call the daemon, print. Results on stdout, one-sentence errors on stderr.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/client/execute.h"

namespace {

int run(int argc, char** argv) {
  using namespace shoal;
  const auto parsed = cli::parse(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* message = std::get_if<cli::Message>(&parsed)) {
    std::fputs(message->text.c_str(), message->exit_code == 0 ? stdout : stderr);
    return message->exit_code;
  }
  const auto& invocation = std::get<cli::Invocation>(parsed);
  // Never destroyed: see main().
  auto& client = *new cli::Client(invocation.socket, invocation.timeout_seconds);
  std::string out;
  const Status status = cli::execute(invocation, client, out);
  std::fputs(out.c_str(), stdout);
  if (!client.notice().empty()) {
    std::fflush(stdout);
    std::fprintf(stderr, "shoal: %s\n", client.notice().c_str());
  }
  if (status.ok()) return std::fflush(stdout) == 0 ? 0 : 1;
  std::fflush(stdout);
  std::fprintf(stderr, "shoal: %s\n", status.error().message.c_str());
  return cli::exit_code(status.error().code);
}

}  // namespace

int main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // a refusal is one sentence, not a library's log
  const int code = run(argc, argv);
  // Skips the shutdown of gRPC's threads, which would cost a fast command more than its work.
  std::fflush(nullptr);
  _Exit(code);
}
