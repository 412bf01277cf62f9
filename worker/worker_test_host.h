// A Worker on fakes, for its tests: one host, two networks, two namespaces.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "worker/worker.h"
#include "worker/worker_fakes.h"

namespace shoal::worker {

inline std::string id_text(const std::string& tail) {
  return std::string(kIdLength - tail.size(), '0') + tail;
}
inline const NodeId kSelf(id_text("self"));
inline const NodeId kOther(id_text("other"));
inline const NodeId kThird(id_text("third"));
inline const Ip kVtep = Ip::v4(0xc0a85a0b);
inline const Ip kOtherVtep = Ip::v4(0xc0a85a0c);

inline manager::Network network(const std::string& name, bool internal = false) {
  manager::Network out;
  out.id = NetworkId(id_text(name));
  out.spec.name = name;
  out.spec.internal = internal;
  out.vni = {4096};
  out.subnets = {{*Prefix::parse("10.0.1.0/24"), Ip::v4(0x0a000101), {}, {}}};
  return out;
}

struct Host {
  fakes::FakeLoop loop;
  SeededRng rng{11};
  fakes::FakeManagers managers{loop};
  fakes::FakeKernel kernel{loop};
  fakes::FakeResolvers resolvers;
  fakes::FakeDisk disk{loop};
  fakes::GossipState gossip;
  std::unique_ptr<Worker> worker;

  Host() {
    managers.networks = {{"front", network("front")}, {"back", network("back", true)}};
    kernel.spaces = {{"/ns/a", 100}, {"/ns/b", 200}};
    boot({}, true);
  }
  // A new process on the same disk.
  void boot(PersistedState state, bool with_managers) {
    worker.reset();
    managers.up = with_managers;
    worker = std::make_unique<Worker>(
        WorkerConfig{kSelf, kVtep},
        Ports{managers, kernel, resolvers, disk, loop, rng,
              [this](std::function<void()> work) { loop.post(std::move(work)); },
              [this] { return std::make_unique<fakes::FakeLoop::LoopTimer>(loop); },
              [this](gossip::KeyRing, uint64_t epoch,
                     gossip::Observer& observer) -> Result<std::unique_ptr<gossip::Gossip>> {
                gossip.observer = &observer;
                gossip.epoch = epoch;
                return {std::make_unique<fakes::FakeGossip>(gossip, loop)};
              }});
    worker->start(std::move(state), disk.cluster, disk.assignments);
    loop.run();
    if (with_managers) connect();
  }
  void connect() {
    managers.up = true;
    worker->on_session(true);
    ClusterInfo info;
    info.data_path_port = 4789;
    worker->on_cluster(info);
    worker->on_assignments(complete(), loop.now());
    loop.run();
  }
  // What the managers would say now.
  Assignments complete() const {
    Assignments out;
    out.complete = true;
    out.nodes.emplace_back().id = kSelf;
    for (const auto& [name, value] : managers.networks) out.networks.push_back(value);
    for (const auto& [id, endpoint] : managers.leases) out.endpoints.push_back(endpoint);
    return out;
  }
  Result<Attached> attach(const std::string& network, const std::string& space,
                          const std::string& name) {
    std::optional<Result<Attached>> answer;
    AttachRequest request;
    request.network = network;
    request.space.path = space;
    request.spec.name = name;
    worker->attach(request, [&](Result<Attached> got) { answer = std::move(got); });
    loop.run();
    EXPECT_TRUE(answer.has_value()) << "the attach was not answered";
    return answer ? *answer : Result<Attached>(internal_error("not answered"));
  }
  Status detach(const std::string& name, bool force = false) {
    std::optional<Status> answer;
    worker->detach("", name, force, [&](Status got) { answer = std::move(got); });
    loop.run();
    if (!answer) loop.advance(Worker::kManagerPatience);
    EXPECT_TRUE(answer.has_value()) << "the detach was not answered";
    return answer ? *answer : Status(internal_error("not answered"));
  }
  // Nothing of any endpoint is anywhere.
  void expect_clean() {
    EXPECT_TRUE(kernel.state.local.empty());
    EXPECT_TRUE(resolvers.served.empty());
    EXPECT_TRUE(managers.leases.empty());
    EXPECT_TRUE(disk.saved.attachments.empty());
    EXPECT_TRUE(disk.saved.releases.empty());
    EXPECT_TRUE(gossip.entries.empty());
    EXPECT_EQ(resolvers.names().size(), 0U);
  }
};

}  // namespace shoal::worker
