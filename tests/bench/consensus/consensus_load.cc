// One measurement of one system, as a line of JSON. Started by tests/bench/consensus.py.
//
//   consensus_load --api etcd|shoal --address HOST:PORT --cert F --key F --ca F [--server-name N]
//                  --op create|update|read [--clients N] [--rate R] [--count N] ...
//
// "first" numbers objects: names are PREFIX and a number, and the line says how many were used.
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/bench/consensus/load.h"

namespace shoal::bench {
namespace {

struct Options {
  std::string api;
  std::string address;
  std::string certificate;
  std::string key;
  std::string root;
  std::string server_name;
  std::string op = "create";
  Workload workload;
  Phase phase;
  unsigned clients_per_connection = 32;
  double warm_up_seconds = 1;
  double seconds = 3;
};

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::shared_ptr<grpc::Channel>> connect(const Options& options) {
  const auto credentials = grpc::SslCredentials(
      {content(options.root), content(options.key), content(options.certificate)});
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection for each
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  std::vector<std::shared_ptr<grpc::Channel>> out;
  const unsigned per = options.clients_per_connection;
  for (unsigned i = 0; i < (options.phase.clients + per - 1) / per; ++i) {
    out.push_back(grpc::CreateCustomChannel(options.address, credentials, arguments));
  }
  const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(10);
  for (const auto& channel : out) {
    if (!channel->WaitForConnected(deadline)) out.clear();
    if (out.empty()) break;
  }
  return out;
}

Op op_of(const std::string& name) {
  return name == "create" ? Op::kCreate : name == "update" ? Op::kUpdate : Op::kRead;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= ' ' ? c : ' ';
  }
  return out + '"';
}

void print(const Report& report) {
  const auto us = [&](double part) {
    return static_cast<double>(report.latency.percentile(part)) / 1e3;
  };
  std::printf(
      "{\"rate\": %.1f, \"calls\": %llu, \"succeeded\": %llu, \"p50_us\": %.1f, \"p90_us\": %.1f, "
      "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"errors\": {",
      report.rate(), static_cast<unsigned long long>(report.calls),
      static_cast<unsigned long long>(report.latency.total()), us(0.5), us(0.9), us(0.99),
      us(0.999), static_cast<double>(report.latency.max()) / 1e3);
  const char* separator = "";
  for (const auto& [what, count] : report.errors) {
    std::printf("%s%s: %llu", separator, quoted(what).c_str(),
                static_cast<unsigned long long>(count));
    separator = ", ";
  }
  std::printf("}}\n");
}

int run_main(int argc, char** argv) {
  Options options;
  CLI::App app("Load for etcd and Shoal alike", "consensus_load");
  app.add_option("--api", options.api)->required()->check(CLI::IsMember({"etcd", "shoal"}));
  app.add_option("--address", options.address, "HOST:PORT of the leader")->required();
  app.add_option("--cert", options.certificate)->required()->check(CLI::ExistingFile);
  app.add_option("--key", options.key)->required()->check(CLI::ExistingFile);
  app.add_option("--ca", options.root)->required()->check(CLI::ExistingFile);
  app.add_option("--server-name", options.server_name, "What the server's certificate must name");
  app.add_option("--op", options.op)->check(CLI::IsMember({"create", "update", "read"}));
  app.add_option("--prefix", options.workload.prefix, "Of the objects' names");
  app.add_option("--value-bytes", options.workload.value_bytes);
  app.add_option("--objects", options.workload.objects, "How many there are to be read");
  app.add_option("--nodes", options.workload.nodes, "Whose labels Shoal's update changes");
  app.add_option("--clients", options.phase.clients)->check(CLI::Range(1, 10000));
  app.add_option("--clients-per-connection", options.clients_per_connection)
      ->check(CLI::PositiveNumber);
  app.add_option("--rate", options.phase.rate, "Open loop: calls per second");
  app.add_option("--count", options.phase.count, "Closed loop: so many calls");
  app.add_option("--first", options.phase.first, "Number of the first object");
  app.add_option("--warm-up", options.warm_up_seconds, "Seconds");
  app.add_option("--seconds", options.seconds);
  CLI11_PARSE(app, argc, argv);
  options.phase.op = op_of(options.op);
  const auto to_ns = [](double seconds) {
    return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  };
  options.phase.warm_up = options.phase.count != 0 ? to_ns(0) : to_ns(options.warm_up_seconds);
  options.phase.measured = to_ns(options.seconds);
  const auto channels = connect(options);
  if (channels.empty()) {
    std::fprintf(stderr, "consensus_load: %s does not answer\n", options.address.c_str());
    return 1;
  }
  const auto api = options.api == "etcd" ? etcd_api(options.workload) : shoal_api(options.workload);
  print(run(*api, channels, options.phase));
  return 0;
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  // As shoald does; etcd gains from a client that costs less too.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return shoal::bench::run_main(argc, argv);
}
