#include "worker/worker.h"

#include <gtest/gtest.h>

#include "worker/worker_fakes.h"

namespace shoal::worker {
namespace {

std::string id_text(const std::string& tail) {
  return std::string(kIdLength - tail.size(), '0') + tail;
}
const NodeId kSelf(id_text("self"));
const NodeId kOther(id_text("other"));
const NodeId kThird(id_text("third"));
const Ip kVtep = Ip::v4(0xc0a85a0b);
const Ip kOtherVtep = Ip::v4(0xc0a85a0c);

manager::Network network(const std::string& name, bool internal = false) {
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

TEST(Worker, AttachesAndDetaches) {
  Host host;
  const auto attached = host.attach("front", "/ns/a", "web");
  ASSERT_TRUE(attached.ok()) << attached.error().message;
  EXPECT_EQ(attached->ifname, "eth0");
  EXPECT_EQ(attached->mtu, 1450U);
  ASSERT_EQ(host.kernel.state.local.size(), 1U);
  EXPECT_EQ(host.kernel.state.local[0].dns_port, 40000);
  EXPECT_EQ(host.gossip.entries.at(network("front").id).size(), 1U);
  EXPECT_EQ(host.resolvers.names().size(), 1U);
  EXPECT_EQ(host.disk.saved.attachments.begin()->second.phase, Attachment::Phase::kAttached);
  ASSERT_TRUE(host.detach("web").ok());
  host.expect_clean();
}

// Two starts under one epoch would contradict each other: nobody hears of it before it is written.
TEST(Worker, GossipStartsWhenItsEpochIsWritten) {
  Host host;
  host.worker.reset();
  ASSERT_EQ(host.gossip.observer, nullptr);
  host.disk.hold = true;
  host.boot(host.disk.saved, true);
  EXPECT_EQ(host.gossip.observer, nullptr);
  EXPECT_GT(host.disk.saved.epoch, 0U);
  ASSERT_FALSE(host.disk.held.empty());
  host.disk.hold = false;
  for (const auto& answer : host.disk.held) host.loop.post(answer);
  host.loop.run();
  ASSERT_NE(host.gossip.observer, nullptr);
  EXPECT_EQ(host.gossip.epoch, host.disk.saved.epoch);

  // A disk that refuses does not cut the host off.
  host.disk.error = resource_exhausted("disk full");
  host.boot(host.disk.saved, true);
  EXPECT_NE(host.gossip.observer, nullptr);
}

// Where members were is offered as seeds by the next start, with no manager to say where they are.
TEST(Worker, RemembersWhereMembersWere) {
  Host host;
  const HostPort one{Ip::v4(0xc0a85a01), 7946};
  const HostPort two{Ip::v4(0xc0a85a02), 7946};
  host.gossip.live = {one, two};
  host.loop.advance(Worker::kRememberInterval + Worker::kCacheDelay * 2);
  EXPECT_EQ(host.gossip.seeds, (std::vector<HostPort>{one, two}));
  // Alone, it forgets nobody.
  host.gossip.live.clear();
  host.loop.advance(Worker::kRememberInterval * 3);
  EXPECT_EQ(host.disk.cluster->gossip_seeds, (std::vector<HostPort>{one, two}));
  host.gossip.seeds.clear();
  host.boot(host.disk.saved, false);
  EXPECT_EQ(host.gossip.seeds, (std::vector<HostPort>{one, two}));
  // Who moved is remembered where it is.
  host.gossip.live = {two};
  host.connect();
  host.loop.advance(Worker::kRememberInterval + Worker::kCacheDelay * 2);
  EXPECT_EQ(host.disk.cluster->gossip_seeds, (std::vector<HostPort>{two}));
}

TEST(Worker, WritesTheIntentDownBeforeItAsksForALease) {
  Host host;
  const size_t before = host.disk.history.size();
  host.disk.error = resource_exhausted("disk full");
  const auto refused = host.attach("front", "/ns/a", "web");
  EXPECT_EQ(refused.error().code, ErrorClass::kResourceExhausted);
  EXPECT_EQ(host.managers.attach_calls, 0);
  host.disk.error.reset();
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  EXPECT_EQ(host.disk.history.at(before).attachments.begin()->second.phase,
            Attachment::Phase::kIntent);
}

TEST(Worker, AskedAgainAnswersTheSame) {
  Host host;
  const auto first = host.attach("front", "/ns/a", "web");
  const auto second = host.attach("front", "/ns/a", "web");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->endpoint, first->endpoint);
  EXPECT_EQ(host.managers.attach_calls, 1);
  EXPECT_EQ(host.attach("front", "/ns/a", "other").error().code, ErrorClass::kAlreadyExists);
}

TEST(Worker, ConcurrentAttachesOfOneNamespaceTakeTurns) {
  Host host;
  std::vector<Result<Attached>> answers;
  for (int i = 0; i < 3; ++i) {
    AttachRequest request{"front", {}, {}, ""};
    request.space.path = "/ns/a";
    request.spec.name = "web";
    host.worker->attach(request, [&](Result<Attached> got) { answers.push_back(std::move(got)); });
  }
  host.loop.run();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(host.managers.attach_calls, 1);
  for (const auto& answer : answers) EXPECT_EQ(answer->endpoint, answers[0]->endpoint);
}

TEST(Worker, EveryFailureUndoesWhatWentBefore) {
  Host host;
  EXPECT_EQ(host.attach("front", "/ns/none", "web").error().code, ErrorClass::kNotFound);
  host.expect_clean();
  EXPECT_EQ(host.attach("nothing", "/ns/a", "web").error().code, ErrorClass::kNotFound);
  host.expect_clean();
  host.resolvers.serve_error = resource_exhausted("no socket");
  EXPECT_EQ(host.attach("front", "/ns/a", "web").error().code, ErrorClass::kResourceExhausted);
  host.expect_clean();
  host.resolvers.serve_error.reset();
  host.kernel.endpoint_error = unimplemented("no vxlan in this kernel");
  EXPECT_EQ(host.attach("front", "/ns/a", "web").error().code, ErrorClass::kUnimplemented);
  host.expect_clean();
  host.kernel.endpoint_error.reset();
  EXPECT_TRUE(host.attach("front", "/ns/a", "web").ok());
}

TEST(Worker, ALeaseThatMayHaveBeenGivenIsGivenBack) {
  Host host;
  host.managers.attach_error = deadline_exceeded("too long");
  host.managers.detach_error = unavailable("nobody");
  EXPECT_EQ(host.attach("front", "/ns/a", "web").error().code, ErrorClass::kDeadlineExceeded);
  EXPECT_EQ(host.disk.saved.releases.size(), 1U);
  host.managers.detach_error.reset();
  host.loop.advance(Worker::kReleaseRetry * 2);
  EXPECT_TRUE(host.disk.saved.releases.empty());
}

TEST(Worker, WithoutManagersAFailedAttachIsAnsweredBeforeItsLeaseIsGivenBack) {
  Host host;
  host.managers.attach_error = unavailable("nobody");
  host.managers.up = false;
  EXPECT_EQ(host.attach("front", "/ns/a", "web").error().code, ErrorClass::kUnavailable);
  EXPECT_EQ(host.managers.hurries, 1);
  EXPECT_EQ(host.managers.attach_deadline, Instant::max());
  EXPECT_EQ(host.managers.detach_calls, 0);
  EXPECT_EQ(host.disk.saved.releases.size(), 1U);
  host.managers.up = true;
  host.worker->on_session(true);
  host.loop.run();
  EXPECT_TRUE(host.disk.saved.releases.empty());
}

TEST(Worker, OneResolverForAllNetworksOfANamespace) {
  Host host;
  ASSERT_TRUE(host.attach("back", "/ns/a", "web").ok());
  ASSERT_EQ(host.resolvers.served.size(), 1U);
  EXPECT_FALSE(host.resolvers.served.begin()->second.may_forward) << "internal only";
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  ASSERT_EQ(host.resolvers.served.size(), 1U);
  EXPECT_TRUE(host.resolvers.served.begin()->second.may_forward);
  EXPECT_EQ(host.resolvers.served.begin()->second.networks,
            (std::vector{network("back").id, network("front").id}));
  EXPECT_EQ(host.detach("web").error().code, ErrorClass::kInvalidArgument) << "ambiguous";
}

TEST(Worker, DetachWithoutManagersNeedsForceAndGivesBackLater) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  host.managers.up = false;
  host.managers.detach_error = unavailable("nobody");
  EXPECT_EQ(host.detach("web").error().code, ErrorClass::kUnavailable);
  EXPECT_EQ(host.kernel.state.local.size(), 1U);
  ASSERT_TRUE(host.detach("web", true).ok());
  EXPECT_TRUE(host.kernel.state.local.empty());
  EXPECT_EQ(host.managers.leases.size(), 1U);
  EXPECT_EQ(host.disk.saved.releases.size(), 1U);
  host.managers.detach_error.reset();
  host.connect();
  host.expect_clean();
}

TEST(Worker, ComesBackFromDiskWithoutManagers) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  host.loop.advance(Worker::kCacheDelay * 2);
  const uint64_t epoch = host.gossip.epoch;
  host.resolvers.served.clear();  // sockets die with the process
  host.gossip.entries.clear();
  host.boot(host.disk.saved, false);
  ASSERT_EQ(host.kernel.state.local.size(), 1U);
  EXPECT_NE(host.kernel.state.local[0].dns_port, 0);
  EXPECT_EQ(host.kernel.state.networks.size(), 1U);
  EXPECT_FALSE(host.kernel.state.complete) << "peers are not known yet";
  EXPECT_EQ(host.gossip.entries.at(network("front").id).size(), 1U) << "announced again";
  EXPECT_GT(host.gossip.epoch, epoch);
  host.loop.advance(Worker::kAdoptGrace * 2);
  EXPECT_TRUE(host.kernel.state.complete);
  EXPECT_EQ(host.managers.leases.size(), 1U);
}

TEST(Worker, AnAttachedEndpointOutlivesACrashRightAfterTheAnswer) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  EXPECT_EQ(host.disk.saved.attachments.size(), 1U);
  const auto& cached = host.disk.assignments.networks;
  EXPECT_TRUE(std::any_of(cached.begin(), cached.end(), [](const manager::Network& one) {
    return one.id == network("front").id;
  })) << "or its interface could not be kept";
}

TEST(Worker, DetachWaitsForAManagerToAnswer) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  host.managers.up = false;
  std::optional<Status> answer;
  host.worker->detach("", "web", false, [&](Status got) { answer = std::move(got); });
  host.loop.advance(Worker::kManagerPatience / 2);
  EXPECT_FALSE(answer.has_value());
  EXPECT_EQ(host.kernel.state.local.size(), 1U);
  host.connect();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
  host.expect_clean();
  host.loop.advance(Worker::kManagerPatience);
}

TEST(Worker, AnIntentFoundAtStartIsUndone) {
  Host host;
  PersistedState state;
  Attachment intent;
  intent.endpoint.id = EndpointId(id_text("intent"));
  intent.space.path = "/ns/a";
  state.attachments[intent.endpoint.id] = intent;
  host.managers.leases[intent.endpoint.id] = intent.endpoint;
  host.boot(state, true);
  host.expect_clean();
  EXPECT_EQ(host.kernel.taken_out.at(intent.endpoint.id).path, "/ns/a");
}

TEST(Worker, WhatTheKernelMayStillHoldOfAnIntentIsNotForgotten) {
  Host host;
  PersistedState state;
  Attachment intent;
  intent.endpoint.id = EndpointId(id_text("intent"));
  state.attachments[intent.endpoint.id] = intent;
  host.kernel.departed_error = true;
  host.boot(state, true);
  EXPECT_EQ(host.disk.saved.attachments.count(intent.endpoint.id), 1U);
  host.kernel.departed_error = false;
  host.connect();
  host.expect_clean();
}

TEST(Worker, ADetachTakesTheEndpointOutBeforeTheStateIsComplete) {
  Host host;
  const auto attached = host.attach("front", "/ns/a", "web");
  ASSERT_TRUE(attached.ok());
  host.boot(host.disk.saved, true);
  ASSERT_TRUE(host.detach("web").ok());
  EXPECT_FALSE(host.kernel.state.complete);
  EXPECT_EQ(host.kernel.taken_out.count(attached->endpoint.id), 1U);
}

TEST(Worker, AnEndpointOnlyTheManagersKnowIsGivenBack) {
  Host host;
  manager::Endpoint orphan;
  orphan.id = EndpointId(id_text("orphan"));
  host.managers.leases[orphan.id] = orphan;
  host.worker->on_assignments(host.complete(), host.loop.now());
  host.loop.run();
  host.expect_clean();
  EXPECT_EQ(host.worker->snapshot().counters.at("worker_orphans_released_total"), 1U);
}

TEST(Worker, AnEndpointTheManagersDoNotAssignIsRemoved) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  const Instant before_lease{0};
  host.managers.leases.clear();
  host.worker->on_assignments(host.complete(), before_lease);
  host.loop.run();
  EXPECT_EQ(host.kernel.state.local.size(), 1U) << "that session was opened before the lease";
  host.loop.advance(std::chrono::seconds(1));
  host.worker->on_assignments(host.complete(), host.loop.now());
  host.loop.run();
  host.expect_clean();
  EXPECT_EQ(host.managers.detach_calls, 0);
}

TEST(Worker, ANamespaceThatIsGoneDetachesItself) {
  Host host;
  const auto attached = host.attach("front", "/ns/a", "web");
  host.worker->on_endpoint_gone(attached->endpoint.id, "process 12 ended");
  host.loop.run();
  host.expect_clean();
}

TEST(Worker, PeersComeAndGoWithGossip) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  const NetworkId front = network("front").id;
  const std::string key = id_text("peer");
  EndpointRecord record{"db", {}, {Ip::v4(0x0a000120)}, Mac::from_random(5), kOtherVtep};
  host.gossip.observer->on_entry(front, key, kOther, encode_record(record));
  host.loop.run();
  ASSERT_EQ(host.kernel.state.remote.size(), 1U);
  EXPECT_EQ(host.kernel.state.remote[0].vtep, kOtherVtep);
  EXPECT_EQ(host.resolvers.names().size(), 2U);
  host.gossip.observer->on_entry(front, key, kOther, Bytes{1, 2, 3});
  host.gossip.observer->on_entry_removed(front, key, kSelf);
  host.loop.run();
  EXPECT_EQ(host.kernel.state.remote.size(), 1U) << "neither noise nor a stranger removes it";
  host.gossip.observer->on_entry_removed(front, key, kOther);
  host.loop.run();
  EXPECT_TRUE(host.kernel.state.remote.empty());
  EXPECT_EQ(host.resolvers.names().size(), 1U);
}

TEST(Worker, AManagerThatGossipMissesIsDoubted) {
  Host host;
  const HostPort control{kOtherVtep, 2377};
  const HostPort address{kOtherVtep, 7946};
  ClusterInfo info;
  info.data_path_port = 4789;
  info.managers.emplace_back().id = kOther;
  info.managers.back().addresses.control = control;
  info.managers.emplace_back().id = kThird;
  host.worker->on_cluster(info);
  host.loop.run();
  gossip::Observer& observer = *host.gossip.observer;
  observer.on_member({kOther, address, gossip::MemberState::kAlive});
  observer.on_member({kThird, address, gossip::MemberState::kFailed});
  observer.on_member({kSelf, address, gossip::MemberState::kSuspect});
  EXPECT_TRUE(host.managers.doubted.empty());
  observer.on_member({kOther, address, gossip::MemberState::kSuspect});
  EXPECT_EQ(host.managers.doubted, std::vector<HostPort>{control});
}

// Its daemon may be all that is gone: the way to its endpoints stays, their names do not.
TEST(Worker, EndpointsOfAFailedNodeAreHiddenAndStayReachable) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  const NetworkId front = network("front").id;
  const std::string key = id_text("peer");
  const HostPort address{kOtherVtep, 7946};
  EndpointRecord record{"db", {}, {Ip::v4(0x0a000120)}, Mac::from_random(5), kOtherVtep};
  gossip::Observer& observer = *host.gossip.observer;
  const auto fail = [&] {
    observer.on_entry(front, key, kOther, encode_record(record));
    observer.on_member({kOther, address, gossip::MemberState::kFailed});
    observer.on_entry_removed(front, key, kOther);
    host.loop.run();
    ASSERT_EQ(host.kernel.state.remote.size(), 1U);
    ASSERT_EQ(host.resolvers.names().size(), 1U);
    ASSERT_EQ(host.worker->snapshot().peers, 0U);
  };
  fail();
  observer.on_member({kOther, address, gossip::MemberState::kAlive});
  observer.on_entry(front, key, kOther, encode_record(record));
  host.loop.advance(Worker::kAdoptGrace * 2);
  EXPECT_EQ(host.kernel.state.remote.size(), 1U) << "it is back";
  EXPECT_EQ(host.resolvers.names().size(), 2U);

  fail();
  observer.on_member({kOther, address, gossip::MemberState::kAlive});
  host.loop.advance(Worker::kAdoptGrace * 2);
  EXPECT_TRUE(host.kernel.state.remote.empty()) << "the node is back and does not have it";

  fail();
  observer.on_member({kOther, address, gossip::MemberState::kLeft});
  host.loop.run();
  EXPECT_TRUE(host.kernel.state.remote.empty()) << "the node left";

  fail();
  observer.on_entry(front, id_text("heir"), kThird, encode_record(record));
  host.loop.run();
  EXPECT_EQ(host.kernel.state.remote.size(), 1U) << "the address is another's";
}

TEST(Worker, AnEntryThatNamesThisHostsVtepIsALeftover) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  EndpointRecord record{"db", {}, {Ip::v4(0x0a000120)}, Mac::from_random(5), kVtep};
  host.gossip.observer->on_entry(network("front").id, id_text("old"), kOther,
                                 encode_record(record));
  host.loop.run();
  EXPECT_TRUE(host.kernel.state.remote.empty());
}

TEST(Worker, LeaveTakesEverythingAway) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  ASSERT_TRUE(host.attach("back", "/ns/b", "db").ok());
  bool left = false;
  host.worker->leave([&](const Status& status) { left = status.ok(); });
  host.loop.run();
  EXPECT_TRUE(left);
  EXPECT_TRUE(host.gossip.left);
  EXPECT_TRUE(host.kernel.removed_all);
  host.expect_clean();
}

TEST(Worker, StoppingAnswersWhatIsInFlightAndLeavesTheKernelAlone) {
  Host host;
  ASSERT_TRUE(host.attach("front", "/ns/a", "web").ok());
  std::optional<Result<Attached>> answer;
  AttachRequest request{"front", {}, {}, ""};
  request.space.path = "/ns/b";
  host.worker->attach(request, [&](Result<Attached> got) { answer = std::move(got); });
  host.worker->stop();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->error().code, ErrorClass::kUnavailable);
  host.loop.run();
  EXPECT_EQ(host.kernel.state.local.size(), 1U);
  EXPECT_FALSE(host.kernel.removed_all);
}

}  // namespace
}  // namespace shoal::worker
