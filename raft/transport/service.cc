#include "raft/transport/service.h"

#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

grpc::StatusCode code_of(const Error& error) {
  switch (error.code) {
    case ErrorClass::kInvalidArgument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorClass::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case ErrorClass::kPermissionDenied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorClass::kUnimplemented:
      return grpc::StatusCode::UNIMPLEMENTED;
    case ErrorClass::kDataLoss:
      return grpc::StatusCode::DATA_LOSS;
    case ErrorClass::kResourceExhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorClass::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    default:
      return grpc::StatusCode::INTERNAL;
  }
}

// A stream that is refused before it is read.
template <typename Reactor>
class Refusal final : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>* RaftService::Snapshot(
    grpc::CallbackServerContext* context) {
  using Reactor = grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>;
  auto node = admission_.identify(*context);
  if (!node) return new Refusal<Reactor>(refusal(node.error()));
  return make_snapshot_stream(*this, transport_.receiver_, std::move(*node));
}

grpc::Status RaftService::refusal(const Error& error) const {
  return {code_of(error), error.message};
}

std::string RaftService::refusal_frame(const Error& error) const {
  wire::Refusal refusal;
  refusal.set_error(std::string(to_string(error.code)));
  refusal.set_message(error.message);
  refusal.set_epoch(config_.epoch());
  std::string frame;
  add_frame(refusal, frame);
  return frame;
}

// Whoever has a version in common with us says nothing else to us.
Result<RaftId> RaftService::check_hello(const wire::Hello& hello) const {
  const uint32_t newest = hello.protocol_version();
  const uint32_t oldest = hello.oldest_version() == 0 ? newest : hello.oldest_version();
  if (newest < kOldestProtocolVersion || oldest > kProtocolVersion || oldest > newest) {
    return unimplemented("raft protocol version " + std::to_string(newest) +
                         " is not spoken here (" + std::to_string(kProtocolVersion) +
                         "): upgrade the older node");
  }
  if (hello.cluster_id() != config_.cluster_id) {
    return permission_denied("this node belongs to another cluster");
  }
  if (hello.to() != config_.self || hello.from() == 0 || hello.from() == config_.self) {
    return invalid_argument("this address belongs to raft member " + std::to_string(config_.self));
  }
  if (hello.address().size() > kMaxAddressBytes) return invalid_argument("address too long");
  return hello.from();
}

}  // namespace shoal::raft
