// Fakes of a Worker's ports: one thread, virtual time, every refusal at will. For tests.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/ports.h"

namespace shoal::worker::fakes {

// The strand and the clock: work runs in run(), time passes in advance().
class FakeLoop final : public Clock {
 public:
  class LoopTimer final : public Timer {
   public:
    explicit LoopTimer(FakeLoop& loop) : loop_(loop) { loop_.timers_.insert(this); }
    ~LoopTimer() override { loop_.timers_.erase(this); }
    void wake_at(Instant when, std::function<void()> callback) override {
      when_ = when;
      callback_ = std::move(callback);
    }
    void cancel() override { callback_ = nullptr; }

   private:
    friend class FakeLoop;
    FakeLoop& loop_;
    Instant when_;
    std::function<void()> callback_;
  };

  Instant now() const override { return now_; }
  WallTime wall() const override { return {now_.nanoseconds + 1'700'000'000'000'000'000}; }
  void post(std::function<void()> work) { queue_.push_back(std::move(work)); }
  void run() {
    while (!queue_.empty()) {
      const auto work = std::move(queue_.front());
      queue_.pop_front();
      work();
    }
  }
  void advance(Duration duration) {
    const Instant until = now_ + duration;
    run();
    while (true) {
      LoopTimer* next = nullptr;
      for (LoopTimer* timer : timers_) {
        const bool due = timer->callback_ && timer->when_ <= until;
        if (due && (next == nullptr || timer->when_ < next->when_)) next = timer;
      }
      if (next == nullptr) break;
      now_ = std::max(now_, next->when_);
      std::exchange(next->callback_, nullptr)();
      run();
    }
    now_ = until;
  }

 private:
  Instant now_{1'000'000'000};
  std::deque<std::function<void()>> queue_;
  std::set<LoopTimer*> timers_;
};

class FakeManagers final : public ManagerCalls {
 public:
  explicit FakeManagers(FakeLoop& loop) : loop_(loop) {}

  void attach(const EndpointId& id, const std::string& network, const manager::EndpointSpec& spec,
              Instant deadline, std::function<void(Result<Lease>)> done) override {
    ++attach_calls;
    attach_deadline = deadline;
    std::optional<Error> error = attach_error;
    Result<Lease> answer = error ? Result<Lease>(*error) : Result<Lease>(lease(id, network, spec));
    loop_.post([done, answer] { done(answer); });
  }
  void detach(const EndpointId& id, std::function<void(Status)> done) override {
    ++detach_calls;
    if (detach_error) {
      loop_.post([done, error = *detach_error] { done(error); });
      return;
    }
    leases.erase(id);
    loop_.post([done] { done(ok_status()); });
  }
  bool reachable() const override { return up; }
  void hurry() override { ++hurries; }
  void doubt(const HostPort& manager) override { doubted.push_back(manager); }

  std::vector<HostPort> doubted;
  std::map<std::string, manager::Network> networks;  // by name
  std::map<EndpointId, manager::Endpoint> leases;
  bool up = true;
  std::optional<Error> attach_error;
  std::optional<Error> detach_error;
  int attach_calls = 0;
  int detach_calls = 0;
  int hurries = 0;
  Instant attach_deadline;

 private:
  Result<Lease> lease(const EndpointId& id, const std::string& name,
                      const manager::EndpointSpec& spec) {
    const auto network = networks.find(name);
    if (network == networks.end()) return not_found("there is no network " + name);
    manager::Endpoint endpoint;
    endpoint.id = id;
    endpoint.network_id = network->second.id;
    endpoint.spec = spec;
    const uint32_t number = next_++;
    endpoint.addresses = {Prefix{Ip::v4(0x0a000100U + number), 24}};
    endpoint.mac = Mac::from_random(number);
    endpoint.created_at = {number};
    leases[id] = endpoint;
    return Lease{endpoint, network->second};
  }

  FakeLoop& loop_;
  uint32_t next_ = 2;
};

class FakeKernel final : public Kernel {
 public:
  explicit FakeKernel(FakeLoop& loop) : loop_(loop) {}

  void set_state(WorkerState next, std::function<void(PassResult)> done) override {
    state = std::move(next);
    ++passes;
    PassResult result;
    for (const LocalEndpoint& local : state.local) {
      if (endpoint_error) {
        result.endpoint_errors.emplace(local.id, *endpoint_error);
      } else {
        result.attached[local.id] = {local.ifname.empty() ? "eth0" : local.ifname, 1450};
      }
    }
    for (const DepartedEndpoint& departed : state.departed) {
      if (departed_error) continue;
      result.departed.insert(departed.id);
      taken_out[departed.id] = departed.space;
    }
    loop_.post([done, result] { done(result); });
  }
  void check_namespace(NamespaceRef ref, std::string,
                       std::function<void(Result<NamespaceRef>)> done) override {
    const auto known = spaces.find(ref.path);
    Result<NamespaceRef> answer = not_found("there is no namespace " + ref.path);
    if (known != spaces.end()) {
      ref.device = 4;
      ref.inode = known->second;
      answer = ref;
    }
    loop_.post([done, answer] { done(answer); });
  }
  void remove_all(std::function<void(Status)> done) override {
    state = WorkerState{};
    removed_all = true;
    loop_.post([done] { done(ok_status()); });
  }

  std::map<std::string, uint64_t> spaces;  // path -> inode
  WorkerState state;
  std::optional<Error> endpoint_error;
  bool departed_error = false;
  std::map<EndpointId, NamespaceRef> taken_out;
  int passes = 0;
  bool removed_all = false;

 private:
  FakeLoop& loop_;
};

class FakeResolvers final : public Resolvers {
 public:
  Result<uint16_t> serve(const std::string& sandbox, const NamespaceRef&,
                         std::vector<NetworkId> networks, bool may_forward) override {
    if (serve_error) return *serve_error;
    if (served.contains(sandbox)) return already_exists(sandbox);
    served[sandbox] = {std::move(networks), may_forward};
    return next_port_++;
  }
  Status update(const std::string& sandbox, std::vector<NetworkId> networks,
                bool may_forward) override {
    if (!served.contains(sandbox)) return not_found(sandbox);
    served[sandbox] = {std::move(networks), may_forward};
    return ok_status();
  }
  void stop(const std::string& sandbox) override { served.erase(sandbox); }
  dns::NameTable& names() override { return names_; }

  struct Served {
    std::vector<NetworkId> networks;
    bool may_forward = false;
  };
  std::map<std::string, Served> served;
  std::optional<Error> serve_error;

 private:
  dns::NameTable names_;
  uint16_t next_port_ = 40000;
};

class FakeDisk final : public Disk {
 public:
  explicit FakeDisk(FakeLoop& loop) : loop_(loop) {}

  void save(PersistedState state, std::function<void(Status)> done) override {
    if (error) {
      loop_.post([done, failed = *error] { done(failed); });
      return;
    }
    saved = std::move(state);
    history.push_back(saved);
    if (hold) {
      held.push_back([done] { done(ok_status()); });
      return;
    }
    loop_.post([done] { done(ok_status()); });
  }
  void save_cluster(ClusterInfo info, Catalogue::Content content) override {
    cluster = std::move(info);
    assignments = {};
    for (const auto& network : content.networks) assignments.networks.push_back(*network);
    assignments.endpoints = content.endpoints;
    assignments.nodes = content.nodes;
  }

  PersistedState saved;
  std::vector<PersistedState> history;
  std::optional<ClusterInfo> cluster;
  Assignments assignments;
  std::optional<Error> error;
  bool hold = false;  // a slow disk: answers wait in `held`
  std::vector<std::function<void()>> held;

 private:
  FakeLoop& loop_;
};

// What a worker told gossip, kept outside so that it outlives the gossip object.
struct GossipState {
  std::map<NetworkId, std::map<std::string, Bytes>> entries;  // joined networks
  std::set<NodeId> forgotten;
  gossip::Observer* observer = nullptr;
  uint64_t epoch = 0;
  bool left = false;
  std::vector<HostPort> seeds;
  std::vector<HostPort> live;  // what is to be remembered
};

class FakeGossip final : public gossip::Gossip {
 public:
  FakeGossip(GossipState& state, FakeLoop& loop) : state_(state), loop_(loop) {}

  Status set_keys(gossip::KeyRing) override { return ok_status(); }
  void set_seeds(std::vector<HostPort> seeds) override { state_.seeds = std::move(seeds); }
  void join_network(const NetworkId& network) override { state_.entries[network]; }
  void leave_network(const NetworkId& network) override { state_.entries.erase(network); }
  Status upsert(const NetworkId& network, std::string key, Bytes value) override {
    if (!state_.entries.contains(network)) return conflict("not joined");
    state_.entries[network][std::move(key)] = std::move(value);
    return ok_status();
  }
  void remove(const NetworkId& network, const std::string& key) override {
    if (state_.entries.contains(network)) state_.entries[network].erase(key);
  }
  void forget(const NodeId& node) override { state_.forgotten.insert(node); }
  void leave(std::function<void()> done) override {
    state_.left = true;
    loop_.post(std::move(done));
  }
  void stop() override { state_.observer = nullptr; }
  std::vector<gossip::MemberInfo> members() const override { return {}; }
  std::vector<HostPort> remembered() const override { return state_.live; }
  gossip::Counters counters() const override { return {}; }
  HostPort bound() const override { return {}; }
  HostPort advertised() const override { return {}; }

 private:
  GossipState& state_;
  FakeLoop& loop_;
};

}  // namespace shoal::worker::fakes
