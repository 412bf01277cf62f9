#include "worker/worker.h"

#include <gtest/gtest.h>

#include "worker/worker_test_host.h"

namespace shoal::worker {
namespace {

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
