// Every model value survives the round trip; damaged or unbounded input gets a typed error.
#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <set>

#include "base/ports/ports.h"
#include "manager/store/store.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_wire.h"
#include "proto/store.pb.h"

namespace shoal::manager {
namespace {

using ::testing::HasSubstr;

template <typename Id>
Id id(char c) {
  return Id(std::string(kIdLength, c));
}
Ip ip(const char* text) { return Ip::parse(text).value(); }
Prefix prefix(const char* text) { return Prefix::parse(text).value(); }

Network network() {
  Network out;
  out.id = id<NetworkId>('n');
  out.spec = {.name = "web",
              .attachable = true,
              .internal = true,
              .ipv6 = true,
              .subnets = {{.subnet = prefix("0.0.0.0/24")},
                          {.subnet = prefix("fd00::/64"),
                           .gateway = ip("fd00::1"),
                           .ip_range = prefix("fd00::100/120"),
                           .aux_addresses = {{"router", ip("fd00::9")}}}},
              .options = {{"mtu", "1400"}},
              .labels = {{"a", "1"}, {"b", ""}}};
  out.subnets = {
      {prefix("10.0.0.0/24"), ip("10.0.0.1"), {}, {}},
      {prefix("fd00::/64"), ip("fd00::1"), prefix("fd00::100/120"), {{"router", ip("fd00::9")}}}};
  out.vni = Vni{4097};
  out.created_at = {17};
  out.updated_at = {18};
  out.version = 19;
  return out;
}

Endpoint endpoint() {
  Endpoint out;
  out.id = id<EndpointId>('e');
  out.network_id = id<NetworkId>('n');
  out.node_id = id<NodeId>('h');
  out.spec = {"db", {"postgres", "pg"}, {ip("10.0.0.9")}};
  out.addresses = {prefix("10.0.0.9/24"), prefix("fd00::9/64")};
  out.mac = Mac::from_random(5);
  out.created_at = {20};
  out.version = 21;
  return out;
}

Node node() {
  Node out;
  out.id = id<NodeId>('h');
  out.spec = {Role::kManager, Availability::kDrain, {{"zone", "a"}}};
  out.description = {"host", "linux", "x86_64", "0.1", "6.1", {"vxlan", "esp"}};
  out.addresses = {HostPort::parse("192.0.2.1:2377").value(),
                   HostPort::parse("[2001:db8::1]:7946").value(), ip("192.0.2.1")};
  out.status = {NodeState::kDown, "missed heartbeats"};
  out.raft_id = 77;
  out.certified_role = Role::kManager;
  out.created_at = {22};
  out.version = 23;
  return out;
}

Cluster cluster() {
  Cluster out;
  out.id = id<ClusterId>('c');
  out.root_certificate = "cert";
  out.root_key = "key";
  out.worker_secret = std::string(16, 'w');
  out.manager_secret = std::string(16, 'm');
  out.gossip_keys = {{{1, std::string(32, 'a')}, {2, std::string(32, 'b')}}, 1};
  out.address_pools = {prefix("10.0.0.0/8"), prefix("fd12::/48")};
  out.heartbeat_period = std::chrono::milliseconds(250);
  out.created_at = {24};
  out.removed_nodes = {{id<NodeId>('x'), WallTime{123}}, {id<NodeId>('y'), WallTime{}}};
  out.next_vni = Vni{5000};
  out.version = 25;
  return out;
}

std::vector<Object> objects() {
  return {cluster(),
          network(),
          endpoint(),
          node(),
          Quarantined{id<NetworkId>('n'), ip("fd00::7"), {99}},
          AddressCursor{id<NetworkId>('n'), prefix("10.0.0.0/24"), ip("10.0.0.7")},
          HandledRequest{std::string(kIdLength, 'r'), id<NetworkId>('n'), 98}};
}

std::vector<Operation> operations() {
  return {InitCluster{cluster(), node()},
          CreateNetwork{id<NetworkId>('n'), network().spec, {prefix("192.168.0.0/16")}},
          RemoveNetwork{id<NetworkId>('n')},
          AttachEndpoint{id<EndpointId>('e'), id<NetworkId>('n'), id<NodeId>('h'), endpoint().spec},
          DetachEndpoint{id<EndpointId>('e'), NodeId()},
          DetachEndpoint{id<EndpointId>('e'), id<NodeId>('h')},
          CreateNode{node()},
          UpdateNode{.id = id<NodeId>('h')},
          UpdateNode{.id = id<NodeId>('h'), .status = NodeStatus{}, .raft_id = 0},
          UpdateNode{id<NodeId>('h'), node().spec, node().description, node().addresses,
                     node().status, 9, Role::kManager},
          RemoveNode{id<NodeId>('h'), true},
          RotateJoinToken{Role::kManager, std::string(16, 's')},
          RotateGossipKey{{7, std::string(32, 'k')}}};
}

TEST(WireTest, ObjectsSurviveTheRoundTrip) {
  for (const Object& object : objects()) {
    const auto back = wire::decode_object(wire::encode_object(object));
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(*back == object) << "kind " << object.index();
  }
}

TEST(WireTest, SnapshotsSurviveTheRoundTrip) {
  const auto back = wire::decode_snapshot(wire::encode_snapshot(objects()));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(*back == objects());
}

TEST(WireTest, CommandsSurviveTheRoundTrip) {
  for (const Operation& operation : operations()) {
    const std::string bytes = wire::encode_command({{12}, 34, operation});
    const auto back = wire::decode_command(bytes);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back->proposed_at, WallTime{12});
    EXPECT_EQ(back->seed, 34U);
    EXPECT_EQ(back->operation.index(), operation.index());
    EXPECT_EQ(wire::encode_command(*back), bytes);
  }
}

TEST(WireTest, UpdateNodeKeepsWhatIsAbsentAbsent) {
  const Command command{{1}, 2, UpdateNode{.id = id<NodeId>('h')}};
  const auto back = wire::decode_command(wire::encode_command(command)).value();
  const auto& op = std::get<UpdateNode>(back.operation);
  EXPECT_FALSE(op.spec || op.description || op.addresses || op.status || op.raft_id ||
               op.certified_role);
  const Command clear{{1}, 2, UpdateNode{.id = id<NodeId>('h'), .raft_id = 0}};
  const auto cleared = wire::decode_command(wire::encode_command(clear)).value();
  EXPECT_EQ(std::get<UpdateNode>(cleared.operation).raft_id, 0U);
}

TEST(WireTest, RefusesWhatIsNotWellFormed) {
  common::Network message = wire::to_wire(network());
  message.set_vni(1U << 24);
  EXPECT_THAT(wire::from_wire(message).error().message, HasSubstr("24 bits"));
  message = wire::to_wire(network());
  message.mutable_subnets(0)->set_gateway("not an address");
  EXPECT_EQ(wire::from_wire(message).error().code, ErrorClass::kInvalidArgument);

  common::EndpointSpec spec;
  spec.set_name(std::string(wire::kMaxText + 1, 'a'));
  EXPECT_THAT(wire::from_wire(spec).error().message, HasSubstr("at most 1024"));
  spec.set_name("a");
  for (size_t i = 0; i <= wire::kMaxList; ++i) spec.add_aliases("x");
  EXPECT_THAT(wire::from_wire(spec).error().message, HasSubstr("at most 256"));

  common::NodeSpec role;
  EXPECT_THAT(wire::from_wire(role).error().message, HasSubstr("worker or manager"));

  common::GossipKeyRing ring = wire::to_wire(cluster().gossip_keys);
  ring.set_primary(2);
  EXPECT_FALSE(wire::from_wire(ring).ok());
  ring.set_primary(0);
  ring.mutable_keys(0)->set_key("short");
  EXPECT_FALSE(wire::from_wire(ring).ok());
}

TEST(WireTest, ANewerFormatIsRefusedWithAdvice) {
  // Field 1 (version), a varint, comes last and wins.
  const std::string bytes = wire::encode_command({{1}, 2, operations()[2]}) + "\x08\x02";
  const auto back = wire::decode_command(bytes);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code, ErrorClass::kUnimplemented);
  EXPECT_THAT(back.error().message, HasSubstr("format version 2"));
  EXPECT_THAT(back.error().message, HasSubstr("upgrade"));
}

TEST(WireTest, AnOperationOrObjectOfANewerVersionIsNotTakenForDamage) {
  // Field 99, a message.
  const std::string unknown = "\x9a\x06\x02\x08\x01";
  store::Command command;
  command.set_version(1);
  const auto operation = wire::decode_command(command.SerializeAsString() + unknown);
  ASSERT_FALSE(operation.ok());
  EXPECT_EQ(operation.error().code, ErrorClass::kUnimplemented);
  EXPECT_THAT(operation.error().message, HasSubstr("upgrade"));
  EXPECT_EQ(wire::decode_object(unknown).error().code, ErrorClass::kUnimplemented);
  std::string snapshot = wire::snapshot_head();
  wire::add_to_snapshot(unknown, snapshot);
  EXPECT_EQ(wire::decode_snapshot(snapshot).error().code, ErrorClass::kUnimplemented);
}

// Puts field 1234 into a message and every message in it, as a newer version would.
void add_fields(google::protobuf::Message& message, int& count) {
  const auto* reflection = message.GetReflection();
  const auto* type = message.GetDescriptor();
  static const std::set<std::string> kKeeps = {
      "Subnet",          "NetworkSpec",   "Network",    "EndpointSpec",  "Endpoint", "NodeSpec",
      "NodeDescription", "NodeAddresses", "NodeStatus", "GossipKeyRing", "Node",     "Cluster"};
  if (kKeeps.contains(type->name())) {
    reflection->MutableUnknownFields(&message)->AddLengthDelimited(
        1234, "added to " + type->name() + std::to_string(count++));
  }
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->is_map()) continue;
    if (!field->is_repeated()) {
      add_fields(*reflection->MutableMessage(&message, field), count);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      add_fields(*reflection->MutableRepeatedMessage(&message, field, i), count);
    }
  }
}

TEST(WireTest, FieldsOfANewerVersionSurviveARoundTrip) {
  int added = 0;
  for (const Object& object : objects()) {
    store::Object newer;
    ASSERT_TRUE(newer.ParseFromString(wire::encode_object(object)));
    add_fields(newer, added);
    const auto known = wire::decode_object(newer.SerializeAsString());
    ASSERT_TRUE(known.ok()) << known.error().message;
    store::Object again;
    ASSERT_TRUE(again.ParseFromString(wire::encode_object(*known)));
    EXPECT_EQ(again.DebugString(), newer.DebugString());
  }
  EXPECT_GE(added, 13) << "every kind of message was among them";
}

// The next version's leader makes a network with a field that this version does not know: the
// object has it on every manager, and gives it back when it is asked for.
TEST(WireTest, FieldsOfANewerVersionComeIntoTheStoreByACommand) {
  InitCluster init;
  init.cluster = cluster();
  init.cluster.removed_nodes.clear();
  init.node = node();
  init.node.spec.role = Role::kManager;
  Store older;
  const Outcome made = older.apply(1, {{1}, 2, init});
  ASSERT_TRUE(made.answer.ok()) << made.answer.error().message;
  CreateNetwork op;
  op.id = NetworkId(std::string(kIdLength, 'w'));
  op.spec.name = "new";
  store::Command newer;
  ASSERT_TRUE(newer.ParseFromString(wire::encode_command({{1}, 2, op})));
  auto* spec = newer.mutable_create_network()->mutable_spec();
  spec->GetReflection()->MutableUnknownFields(spec)->AddVarint(1234, 7);
  const auto known = wire::decode_command(newer.SerializeAsString());
  ASSERT_TRUE(known.ok()) << known.error().message;
  const Outcome applied = older.apply(2, *known);
  ASSERT_TRUE(applied.answer.ok()) << applied.answer.error().message;
  const common::Network stored = wire::to_wire(*older.network(op.id));
  EXPECT_EQ(stored.spec().GetReflection()->GetUnknownFields(stored.spec()).field_count(), 1);
}

TEST(WireTest, TooManyFieldsOfANewerVersionAreRefused) {
  common::NetworkSpec spec;
  spec.set_name("x");
  spec.GetReflection()->MutableUnknownFields(&spec)->AddLengthDelimited(1234,
                                                                        std::string(20'000, 'x'));
  EXPECT_FALSE(wire::from_wire(spec).ok());
}

TEST(WireTest, ASnapshotInPiecesIsTheSameAsOneString) {
  std::string pieces = wire::snapshot_head();
  for (const Object& object : objects()) {
    wire::add_to_snapshot(wire::encode_object(object), pieces);
  }
  EXPECT_EQ(pieces, wire::encode_snapshot(objects()));
  for (const size_t size : {1, 7, 4096}) {
    size_t at = 0;
    std::vector<Object> back;
    const auto next = [&] {
      std::string piece = pieces.substr(at, size);
      at += piece.size();
      return Result<std::string>(std::move(piece));
    };
    ASSERT_TRUE(wire::decode_snapshot(next, [&](Object o) { back.push_back(std::move(o)); }));
    EXPECT_TRUE(back == objects());
  }
  const auto breaks = [] { return Result<std::string>(resource_exhausted("the disk")); };
  const Status broken = wire::decode_snapshot(breaks, [](const Object&) {});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorClass::kResourceExhausted);
}

bool is_decoding_error(const Error& error) {
  return error.code == ErrorClass::kDataLoss || error.code == ErrorClass::kUnimplemented;
}

// Whatever happened to the bytes, the answer is a value, damage, or a newer version.
TEST(WireTest, DamagedBytesNeverCrash) {
  const google::protobuf::LogSilencer silencer;  // it reports each text that is not UTF-8
  SeededRng rng(7);
  std::vector<std::string> samples = {wire::encode_snapshot(objects())};
  for (const Operation& op : operations()) samples.push_back(wire::encode_command({{1}, 2, op}));
  size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = samples[rng.below(samples.size())];
    for (uint64_t flips = 1 + rng.below(4); flips > 0 && !bytes.empty(); --flips) {
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    }
    if (rng.below(4) == 0) bytes.resize(rng.below(bytes.size() + 1));
    const auto command = wire::decode_command(bytes);
    const auto snapshot = wire::decode_snapshot(bytes);
    if (!command.ok()) {
      ++refused;
      EXPECT_TRUE(is_decoding_error(command.error()));
    }
    if (!snapshot.ok()) {
      EXPECT_TRUE(is_decoding_error(snapshot.error()));
    }
  }
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace shoal::manager
