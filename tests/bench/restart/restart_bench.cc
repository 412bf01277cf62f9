// How a manager with many objects starts: time, memory, entries replayed. See README.md.
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>

#include "base/runtime/system_ports.h"
#include "manager/control/commands.h"
#include "manager/tables/state_machine.h"
#include "manager/wire/store_wire.h"
#include "raft/driver/driver.h"
#include "raft/storage/store.h"

namespace shoal::manager {
namespace {

const crypto::Key kTablesKey{1};
const crypto::Key kRaftKey{2};
const raft::Member kSelf{1, "127.0.0.1:2377", false};
constexpr raft::Term kTerm = 3;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

// Of this process, whatever else the machine does.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

template <typename T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) std::exit((std::fprintf(stderr, "%s\n", status.error().message.c_str()), 1));
}

std::unique_ptr<StateMachine> open_machine(const std::string& directory) {
  return must(StateMachine::open(must(Tables::open(directory + "/tables", kTablesKey))));
}

// Commands in the order of the log; the first three make the cluster and its network.
class Commands {
 public:
  Command next(const Store& store) {
    const control::Draw draw{WallTime{5}, rng_};
    if (count_++ == 0) {
      Cluster cluster;
      cluster.root_certificate = "certificate";
      cluster.root_key = "key";
      Node node;
      node.id = node_;
      node.spec.role = Role::kManager;
      return must(control::init_cluster(store, cluster, node, draw));
    }
    if (count_ == 2) {
      NetworkSpec spec;
      spec.name = "large";
      spec.attachable = true;
      spec.subnets.resize(1);
      spec.subnets[0].subnet = must(Prefix::parse("10.0.0.0/9"));
      const Command command = must(control::create_network(store, spec, {}, draw));
      network_ = std::get<CreateNetwork>(command.operation).id;
      return command;
    }
    std::array<uint8_t, 16> id{};
    rng_.fill(id);
    EndpointSpec spec;
    spec.name = "endpoint-" + std::to_string(count_);
    return {WallTime{5}, rng_.next(),
            AttachEndpoint{EndpointId::from_random(id), network_, node_, spec}};
  }

 private:
  SeededRng rng_{7};
  const NodeId node_{std::string(kIdLength, 'm')};
  NetworkId network_;
  uint64_t count_ = 0;
};

void save(raft::RocksLogStore& store, raft::LogStore::Batch batch) {
  std::promise<Status> done;
  store.save(std::move(batch), [&](Status status) { done.set_value(std::move(status)); });
  must(done.get_future().get());
}

void build(const std::string& directory, uint64_t objects, uint64_t tail) {
  const Stopwatch watch;
  Strand strand;
  strand.start("bench");
  Commands commands;
  {
    auto machine = open_machine(directory);
    const raft::Index applied = objects + 2;
    for (raft::Index index = 1; index <= applied; ++index) {
      const std::string command = wire::encode_command(commands.next(machine->store()));
      must(machine->apply(index, kTerm, command));
      must(machine->last_answer());
      if (index % 4096 == 0) machine->drain();
    }
    must(machine->snapshot(applied)->make_durable());
    auto store = must(raft::RocksLogStore::open(directory + "/raft", kRaftKey, strand));
    must(store->load());
    raft::LogStore::Batch batch;
    batch.hard_state = raft::HardState{kTerm, kSelf.id, applied + tail};
    batch.snapshot =
        std::make_shared<raft::Snapshot>(raft::Snapshot{{applied, kTerm, {kSelf}}, nullptr});
    batch.snapshot_replaces_log = true;
    for (raft::Index index = applied + 1; index <= applied + tail; ++index) {
      batch.entries.push_back({kTerm, index, raft::EntryType::kCommand,
                               wire::encode_command(commands.next(machine->store()))});
    }
    save(*store, std::move(batch));
  }
  strand.stop();
  std::printf("built: %.1f s\n", watch.seconds());
}

class Nobody final : public raft::Transport, public raft::Observer {
 public:
  void send(raft::RaftId, raft::Message) override {}
  void set_members(const std::vector<raft::Member>&) override {}
  void on_leader_change(raft::RaftId, raft::Term, bool is_self) override {
    if (is_self && leads) std::exchange(leads, nullptr)();
  }
  void on_members(const std::vector<raft::Member>&) override {}

  std::function<void()> leads;
};

void start(const std::string& directory) {
  const Stopwatch watch;
  Strand strand;
  strand.start("bench");
  SystemClock clock;
  SystemRng rng;
  Nobody nobody;
  auto store = must(raft::RocksLogStore::open(directory + "/raft", kRaftKey, strand));
  auto machine = open_machine(directory);
  const raft::Index before = machine->applied_index();
  std::printf("tables loaded: %zu objects, %.2f s\n", machine->store().object_count(),
              watch.seconds());
  auto timer = strand.make_timer();
  raft::DriverConfig config;
  config.core.id = kSelf.id;
  std::unique_ptr<raft::Driver> driver;
  std::promise<Status> ready;
  nobody.leads = [&] {
    strand.post(
        [&] { driver->read_index([&](Status status) { ready.set_value(std::move(status)); }); });
  };
  strand.post([&] {
    driver = std::make_unique<raft::Driver>(config, *store, nobody, *machine, clock, *timer, rng,
                                            nobody);
    must(driver->start());
  });
  must(ready.get_future().get());
  std::printf("serves reads: %.2f s after the start, %llu entries replayed\n", watch.seconds(),
              static_cast<unsigned long long>(machine->applied_index() - before));
  std::printf("peak memory: %.0f MiB, processor time: %.1f s\n", peak_mib(), cpu_seconds());

  const Stopwatch writing;
  std::promise<Result<std::shared_ptr<const raft::Snapshot>>> written;
  strand.post([&] {
    store->write_out({machine->applied_index(), kTerm, {kSelf}},
                     machine->snapshot(machine->applied_index()), true,
                     [&](auto result) { written.set_value(std::move(result)); });
  });
  const auto snapshot = must(written.get_future().get());
  std::printf("whole state written out: %.1f MiB in %.2f s, peak memory then %.0f MiB\n",
              static_cast<double>(snapshot->data->size()) / (1 << 20), writing.seconds(),
              peak_mib());
  strand.call([&] {
    driver.reset();
    timer.reset();
    return 0;
  });
  machine.reset();
  store.reset();
  strand.stop();
}

// In a process of its own, so that its peak memory is its own.
void apart(const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    work();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) std::exit(1);
}

}  // namespace
}  // namespace shoal::manager

int main(int argc, char** argv) {
  uint64_t objects = 1'000'000;
  uint64_t tail = 5000;
  std::string directory;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::string value = argument.substr(std::min(argument.size(), argument.find('=') + 1));
    if (argument.starts_with("--objects=")) {
      objects = strtoull(value.c_str(), nullptr, 10);
    } else if (argument.starts_with("--tail=")) {
      tail = strtoull(value.c_str(), nullptr, 10);
    } else if (argument.starts_with("--dir=")) {
      directory = value;
    } else {
      std::fprintf(stderr, "usage: restart_bench [--objects=N] [--tail=N] [--dir=DIR]\n");
      return 2;
    }
  }
  const bool own = directory.empty();
  if (own) {
    char pattern[] = "/tmp/shoal-restart-XXXXXX";
    directory = mkdtemp(pattern);
  }
  using namespace shoal::manager;
  if (own || !std::filesystem::exists(directory + "/raft")) {
    apart([&] { build(directory, objects, tail); });
  }
  apart([&] { start(directory); });
  if (own) std::filesystem::remove_all(directory);
  return 0;
}
