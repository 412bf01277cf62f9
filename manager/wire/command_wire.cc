#include <type_traits>

#include "manager/wire/checks.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_messages.h"
#include "manager/wire/store_wire.h"

namespace shoal::manager::wire {
namespace {

void put(store::Command& out, const InitCluster& op) {
  *out.mutable_init_cluster()->mutable_cluster() = to_wire(op.cluster);
  *out.mutable_init_cluster()->mutable_node() = to_wire(op.node);
}
void put(store::Command& out, const CreateNetwork& op) {
  out.mutable_create_network()->set_id(op.id.str());
  *out.mutable_create_network()->mutable_spec() = to_wire(op.spec);
  for (const Prefix& route : op.avoid) out.mutable_create_network()->add_avoid(route.str());
}
void put(store::Command& out, const RemoveNetwork& op) {
  out.mutable_remove_network()->set_id(op.id.str());
}
void put(store::Command& out, const AttachEndpoint& op) {
  auto* message = out.mutable_attach_endpoint();
  message->set_id(op.id.str());
  message->set_network_id(op.network_id.str());
  message->set_node_id(op.node_id.str());
  *message->mutable_spec() = to_wire(op.spec);
}
void put(store::Command& out, const DetachEndpoint& op) {
  out.mutable_detach_endpoint()->set_id(op.id.str());
  out.mutable_detach_endpoint()->set_node_id(op.node_id.str());
}
void put(store::Command& out, const CreateNode& op) {
  *out.mutable_create_node()->mutable_node() = to_wire(op.node);
}
void put(store::Command& out, const UpdateNode& op) {
  auto* message = out.mutable_update_node();
  message->set_id(op.id.str());
  if (op.spec) *message->mutable_spec() = to_wire(*op.spec);
  if (op.description) *message->mutable_description() = to_wire(*op.description);
  if (op.addresses) *message->mutable_addresses() = to_wire(*op.addresses);
  if (op.status) *message->mutable_status() = to_wire(*op.status);
  if (op.raft_id) {
    message->set_raft_id(*op.raft_id);
    message->set_clear_raft_id(*op.raft_id == 0);
  }
  if (op.certified_role) message->set_certified_role(to_wire(*op.certified_role));
}
void put(store::Command& out, const RemoveNode& op) {
  out.mutable_remove_node()->set_id(op.id.str());
  out.mutable_remove_node()->set_force(op.force);
}
void put(store::Command& out, const RotateJoinToken& op) {
  out.mutable_rotate_join_token()->set_role(to_wire(op.role));
  out.mutable_rotate_join_token()->set_secret(op.secret);
}
void put(store::Command& out, const RotateGossipKey& op) {
  out.mutable_rotate_gossip_key()->set_id(op.key.id);
  out.mutable_rotate_gossip_key()->set_key(op.key.key);
}
void put(store::Command& out, const SetUnlockKey& op) {
  out.mutable_set_unlock_key()->set_key(op.key);
}

Result<Operation> read(const store::InitCluster& message) {
  InitCluster op;
  op.cluster = SHOAL_TRY(from_wire(message.cluster()));
  op.node = SHOAL_TRY(from_wire(message.node()));
  return Operation(std::move(op));
}

Result<Operation> read(const store::CreateNetwork& message) {
  CreateNetwork op;
  op.id = SHOAL_TRY(NetworkId::parse(message.id()));
  op.spec = SHOAL_TRY(from_wire(message.spec()));
  op.avoid = SHOAL_TRY(list<Prefix>(message.avoid(), "the routes to avoid", kMaxAvoided,
                                    [](const std::string& route) { return Prefix::parse(route); }));
  return Operation(std::move(op));
}

Result<Operation> read(const store::AttachEndpoint& message) {
  AttachEndpoint op;
  op.id = SHOAL_TRY(EndpointId::parse(message.id()));
  op.network_id = SHOAL_TRY(NetworkId::parse(message.network_id()));
  op.node_id = SHOAL_TRY(NodeId::parse(message.node_id()));
  op.spec = SHOAL_TRY(from_wire(message.spec()));
  return Operation(std::move(op));
}

Result<Operation> read(const store::DetachEndpoint& message) {
  DetachEndpoint op;
  op.id = SHOAL_TRY(EndpointId::parse(message.id()));
  op.node_id = SHOAL_TRY(optional_id<NodeId>(message.node_id()));
  return Operation(std::move(op));
}

Result<Operation> read(const store::UpdateNode& message) {
  UpdateNode op;
  op.id = SHOAL_TRY(NodeId::parse(message.id()));
  if (message.has_spec()) op.spec = SHOAL_TRY(from_wire(message.spec()));
  if (message.has_description()) op.description = SHOAL_TRY(from_wire(message.description()));
  if (message.has_addresses()) op.addresses = SHOAL_TRY(from_wire(message.addresses()));
  if (message.has_status()) op.status = SHOAL_TRY(from_wire(message.status()));
  if (message.clear_raft_id()) {
    op.raft_id = 0;
  } else if (message.raft_id() != 0) {
    op.raft_id = message.raft_id();
  }
  if (message.certified_role() != common::ROLE_UNSPECIFIED) {
    op.certified_role = SHOAL_TRY(from_wire(message.certified_role()));
  }
  return Operation(std::move(op));
}

Result<Operation> read(const store::RotateJoinToken& message) {
  if (message.secret().size() != kSecretSize) {
    return invalid_argument("a join secret must be 16 bytes long");
  }
  return Operation(RotateJoinToken{SHOAL_TRY(from_wire(message.role())), message.secret()});
}

Result<Operation> read(const store::RotateGossipKey& message) {
  if (message.key().size() != kGossipKeySize) {
    return invalid_argument("a gossip key must be 32 bytes long");
  }
  return Operation(RotateGossipKey{{message.id(), message.key()}});
}

Result<Operation> read(const store::SetUnlockKey& message) {
  if (!message.key().empty() && message.key().size() != kUnlockKeySize) {
    return invalid_argument("an unlock key must be 32 bytes long");
  }
  return Operation(SetUnlockKey{message.key()});
}

}  // namespace

void put_operation(store::Command& message, const Operation& operation) {
  std::visit([&message](const auto& op) { put(message, op); }, operation);
}

Result<Operation> operation_from_wire(const store::Command& message) {
  switch (message.op_case()) {
    case store::Command::kInitCluster:
      return read(message.init_cluster());
    case store::Command::kCreateNetwork:
      return read(message.create_network());
    case store::Command::kRemoveNetwork:
      return Operation(RemoveNetwork{SHOAL_TRY(NetworkId::parse(message.remove_network().id()))});
    case store::Command::kAttachEndpoint:
      return read(message.attach_endpoint());
    case store::Command::kDetachEndpoint:
      return read(message.detach_endpoint());
    case store::Command::kCreateNode:
      return Operation(CreateNode{SHOAL_TRY(from_wire(message.create_node().node()))});
    case store::Command::kUpdateNode:
      return read(message.update_node());
    case store::Command::kRemoveNode:
      return Operation(RemoveNode{SHOAL_TRY(NodeId::parse(message.remove_node().id())),
                                  message.remove_node().force()});
    case store::Command::kRotateJoinToken:
      return read(message.rotate_join_token());
    case store::Command::kRotateGossipKey:
      return read(message.rotate_gossip_key());
    case store::Command::kSetUnlockKey:
      return read(message.set_unlock_key());
    case store::Command::OP_NOT_SET:
      break;
  }
  return unimplemented("its operation is not known to this version of shoald: upgrade it");
}

}  // namespace shoal::manager::wire
