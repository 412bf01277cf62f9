// What was applied is there after reopening; a snapshot replaces all; damage is told as such.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "manager/control/commands.h"
#include "manager/tables/state_machine.h"
#include "manager/wire/store_wire.h"
#include "raft/storage/rocksdb_options.h"

namespace shoal::manager {
namespace {

using ::testing::HasSubstr;

const crypto::Key kKey{6};

class TablesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shoal-tables-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    path_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  std::unique_ptr<StateMachine> open() {
    auto tables = Tables::open(path_ + "/tables", kKey);
    EXPECT_TRUE(tables.ok()) << tables.error().message;
    auto machine = StateMachine::open(std::move(*tables));
    EXPECT_TRUE(machine.ok()) << machine.error().message;
    return std::move(*machine);
  }
  // A cluster with a network and endpoints that come and go.
  void fill(StateMachine& machine, int endpoints) {
    const control::Draw draw{WallTime{5}, rng_};
    if (machine.store().cluster() == nullptr) {
      Cluster cluster;
      cluster.root_certificate = "certificate";
      cluster.root_key = "key";
      Node node;
      node.id = NodeId(std::string(kIdLength, 'm'));
      node.spec.role = Role::kManager;
      apply(machine, control::init_cluster(machine.store(), cluster, node, draw));
      NetworkSpec spec;
      spec.name = "web";
      spec.attachable = true;
      apply(machine, control::create_network(machine.store(), spec, {}, draw));
    }
    for (int i = 0; i < endpoints; ++i) {
      const NodeId node(std::string(kIdLength, 'm'));
      apply(machine, control::attach_endpoint(machine.store(), {}, "web", node, {}, draw));
      const auto id = std::get<Endpoint>(*machine.last_answer()).id;
      if (i % 3 == 0) apply(machine, Command{{5}, 1, DetachEndpoint{id, {}}});
    }
  }
  void apply(StateMachine& machine, const Result<Command>& command) {
    ASSERT_TRUE(command.ok()) << command.error().message;
    ASSERT_TRUE(machine.apply(machine.applied_index() + 1, 1, wire::encode_command(*command)));
    ASSERT_TRUE(machine.last_answer().ok()) << machine.last_answer().error().message;
  }

  SeededRng rng_{11};
  std::string path_;
};

TEST_F(TablesTest, EverythingIsThereAfterReopening) {
  auto machine = open();
  EXPECT_EQ(machine->applied_index(), 0U);
  fill(*machine, 30);
  const auto objects = machine->store().objects();
  const auto applied = machine->applied_index();
  machine.reset();
  machine = open();
  EXPECT_EQ(machine->applied_index(), applied);
  EXPECT_TRUE(machine->store().objects() == objects);
  fill(*machine, 5);  // goes on
  EXPECT_GT(machine->applied_index(), applied);
}

TEST_F(TablesTest, ASnapshotReplacesEverything) {
  auto source = open();
  fill(*source, 10);
  auto reading = source->snapshot(source->applied_index());
  // What is applied later is not in it.
  const auto before = source->store().objects();
  fill(*source, 7);
  std::string snapshot;
  while (true) {
    const auto piece = reading->next(1000);
    ASSERT_TRUE(piece) << piece.error().message;
    if (piece->empty()) break;
    EXPECT_LT(piece->size(), 5000U);
    snapshot += *piece;
  }
  reading.reset();
  const auto objects = before;
  source.reset();
  path_ += "/other";
  std::filesystem::create_directory(path_);
  auto machine = open();
  fill(*machine, 20);
  bool replaced = false;
  machine->listen({{}, [&] { replaced = true; }, {}});
  ASSERT_TRUE(machine->restore(1000, raft::snapshot_text(snapshot)).ok());
  EXPECT_TRUE(replaced);
  EXPECT_TRUE(machine->store().objects() == objects);
  machine.reset();
  machine = open();
  EXPECT_EQ(machine->applied_index(), 1000U);
  EXPECT_TRUE(machine->store().objects() == objects);
  path_ = std::filesystem::path(path_).parent_path();
}

TEST_F(TablesTest, WhatWasMadeDurableCountsWhereItWas) {
  auto machine = open();
  fill(*machine, 3);
  // Entries that change nothing are not in the tables, until they are made durable.
  const auto refused = machine->apply(
      machine->applied_index() + 1, 1,
      wire::encode_command({{5}, 1, RemoveNode{NodeId(std::string(kIdLength, 'x')), false}}));
  ASSERT_TRUE(refused);
  // Nor is an entry that is no command.
  const auto applied = machine->applied_index() + 1;
  auto state = machine->snapshot(applied);
  EXPECT_GT(state->size_hint(), 0U);
  ASSERT_TRUE(state->make_durable());
  state.reset();  // it holds the tables
  machine.reset();
  machine = open();
  EXPECT_EQ(machine->applied_index(), applied);
}

TEST_F(TablesTest, WhatIsMadeDurableLateTakesNothingBack) {
  auto machine = open();
  fill(*machine, 3);
  auto state = machine->snapshot(machine->applied_index());
  fill(*machine, 4);
  const auto applied = machine->applied_index();
  const auto objects = machine->store().objects();
  machine->drain();
  ASSERT_TRUE(state->make_durable());
  state.reset();
  machine.reset();
  machine = open();
  EXPECT_EQ(machine->applied_index(), applied);
  EXPECT_TRUE(machine->store().objects() == objects);
}

TEST_F(TablesTest, WhatLiesNowhereElseIsReplacedInOneStep) {
  {
    auto machine = open();
    fill(*machine, 3);
  }
  // It breaks off after more than one write batch's worth.
  const auto broken = [](const Tables::Visit& visit) -> Status {
    for (int i = 0; i < 100; ++i) {
      Network network;
      network.id = NetworkId(std::to_string(i) + std::string(kIdLength - 3, 'n'));
      network.spec.labels["large"] = std::string(60'000, 'x');
      visit(network);
    }
    return resource_exhausted("the disk");
  };
  auto tables = Tables::open(path_ + "/tables", kKey);
  ASSERT_TRUE(tables.ok());
  const auto before = (*tables)->load();
  ASSERT_TRUE(before.ok());
  EXPECT_FALSE((*tables)->replace(broken, 1000, true).ok());
  const auto after = (*tables)->load();
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ(after->applied_index, before->applied_index);
  EXPECT_TRUE(after->objects == before->objects);
  EXPECT_FALSE((*tables)->replace(broken, 1000, false).ok());
  EXPECT_EQ((*tables)->load().error().code, ErrorClass::kDataLoss);
}

TEST_F(TablesTest, ABadSnapshotChangesNothing) {
  auto machine = open();
  fill(*machine, 3);
  const auto objects = machine->store().objects();
  EXPECT_EQ(machine->restore(1000, raft::snapshot_text("nonsense")).error().code,
            ErrorClass::kDataLoss);
  EXPECT_TRUE(machine->store().objects() == objects);
}

TEST_F(TablesTest, AnUnreadableEntryIsNotApplied) {
  auto machine = open();
  fill(*machine, 1);
  const auto objects = machine->store().objects();
  const auto applied = machine->applied_index();
  const auto result = machine->apply(applied + 1, 1, "nonsense");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorClass::kDataLoss);
  EXPECT_EQ(machine->applied_index(), applied);
  EXPECT_TRUE(machine->store().objects() == objects);
}

TEST_F(TablesTest, OpenTwiceIsAConflict) {
  auto first = Tables::open(path_ + "/tables", kKey);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Tables::open(path_ + "/tables", kKey).error().code, ErrorClass::kConflict);
}

TEST_F(TablesTest, DamageAndNewerFormatsAreToldApart) {
  fill(*open(), 3);
  const auto put = [&](const std::string& key, const std::string& value) {
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(raft::small_rocksdb_options(), path_ + "/tables", &db).ok());
    ASSERT_TRUE(db->Put({}, key, value).ok());
    delete db;
  };
  put("o/node/zzz", "nonsense");
  {
    const auto tables = Tables::open(path_ + "/tables", kKey);
    ASSERT_TRUE(tables.ok());
    const auto content = (*tables)->load();
    ASSERT_FALSE(content.ok());
    EXPECT_EQ(content.error().code, ErrorClass::kDataLoss);
    EXPECT_THAT(content.error().message, HasSubstr("damaged"));
  }
  put("m/format", "3");
  const auto newer = Tables::open(path_ + "/tables", kKey);
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.error().code, ErrorClass::kUnimplemented);
  EXPECT_THAT(newer.error().message, HasSubstr("format \"3\""));
}

}  // namespace
}  // namespace shoal::manager
