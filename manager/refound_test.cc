// A manager that goes on alone: after the others were lost, or from a backup.
#include <atomic>

#include "manager/backup/backup.h"
#include "manager/manager_test_fixture.h"
#include "manager/wire/store_wire.h"

namespace shoal::manager {
namespace {

using test::eventually;
using test::Host;
using ::testing::HasSubstr;

class RefoundTest : public test::ManagerTest {};

TEST_F(RefoundTest, ASurvivorGoesOnAloneAndTheOthersAreTold) {
  Host& a = *hosts_[0];
  Host& b = add_manager("b", a);
  Host& c = add_manager("c", a);
  ASSERT_TRUE(create_network(a, "web").ok());
  ASSERT_TRUE(eventually([&] { return b.status().applied_index == a.status().applied_index; }));
  const auto before = b.status().members.size();
  EXPECT_EQ(before, 3U);
  const auto may_go_on_alone = [&] {
    return b.wait_for([&](Manager::Done done) { b.manager->require_no_quorum(std::move(done)); });
  };
  const Status healthy = may_go_on_alone();
  ASSERT_FALSE(healthy.ok());
  EXPECT_EQ(healthy.error().code, ErrorClass::kConflict);
  EXPECT_THAT(healthy.error().message, HasSubstr("have their quorum (3 voters)"));
  a.stop();
  c.stop();
  ASSERT_TRUE(eventually([&] { return !b.status().quorum_lost.empty(); }));
  EXPECT_THAT(b.status().quorum_lost, HasSubstr("2 of 3 do not answer"));
  const grpc::Status refused = create_network(b, "lost");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), HasSubstr("--force-new-cluster"));
  EXPECT_TRUE(may_go_on_alone().ok());

  b.stop();
  b.open();
  const Status alone =
      b.wait_for([&](Manager::Done done) { b.manager->refound(std::nullopt, std::move(done)); });
  ASSERT_TRUE(alone.ok()) << alone.error().message;
  EXPECT_TRUE(b.status().is_leader);
  EXPECT_EQ(b.status().members.size(), 1U);
  EXPECT_TRUE(create_network(b, "later").ok());
  EXPECT_EQ(create_network(b, "web").error_code(), grpc::StatusCode::ALREADY_EXISTS);

  // It is that way after a restart too.
  b.stop();
  b.open();
  ASSERT_TRUE(b.strand->call([&] { return b.manager->resume(); }).ok());
  ASSERT_TRUE(eventually([&] { return b.status().is_leader; }));
  EXPECT_EQ(b.status().members.size(), 1U);

  // Both others come back, a majority of the group they knew.
  std::atomic<int> told = 0;
  for (Host* former : {&a, &c}) {
    former->open();
    const Status resumed = former->strand->call([&] {
      former->manager->on_removed([&told] { ++told; });
      return former->manager->resume();
    });
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  }
  EXPECT_TRUE(eventually([&] { return told == 2; }));
}

TEST_F(RefoundTest, ABackupIsTheWholeStateAndBecomesAClusterOfItsOwn) {
  Host& a = *hosts_[0];
  ASSERT_TRUE(create_network(a, "web").ok());
  std::promise<Result<Manager::Copy>> promise;
  a.strand->post(
      [&] { a.manager->backup([&](auto copy) { promise.set_value(std::move(copy)); }); });
  const auto copy = promise.get_future().get();
  ASSERT_TRUE(copy.ok()) << copy.error().message;
  EXPECT_EQ(copy->notice, "");
  EXPECT_FALSE(copy->locked);
  const auto backup = decode_backup(copy->file, "");
  ASSERT_TRUE(backup.ok()) << backup.error().message;
  EXPECT_EQ(backup->header.networks, 1U);
  Restoration restoration{wire::decode_snapshot(backup->state).value(), backup->header.index,
                          backup->header.term, Node{}};
  Host& other = add_host("other");
  std::array<uint8_t, 16> random;
  rng_.fill(random);
  other.id = restoration.self.id = NodeId::from_random(random);
  other.cluster = a.cluster;
  const auto request = make_signing_request().value();
  other.write_identity(
      *sign_node_certificate(root_, request.csr, {other.id, other.cluster, Role::kManager},
                             std::chrono::hours(1), clock_.wall()),
      request.private_key, root_.certificate);
  a.stop();
  other.open();
  const Status restored = other.wait_for(
      [&](Manager::Done done) { other.manager->refound(restoration, std::move(done)); });
  ASSERT_TRUE(restored.ok()) << restored.error().message;
  EXPECT_EQ(create_network(other, "web").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(create_network(other, "later").ok());
}

}  // namespace
}  // namespace shoal::manager
