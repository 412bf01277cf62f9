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

// One envelope at a time: read, check, post; read again when the strand has taken it. Finish() is
// called only when no read is under way and nothing is posted, so OnDone finds nobody using this.
class ServerStream final : public grpc::ServerReadReactor<wire::Envelope> {
 public:
  ServerStream(RaftService& service, NodeId node) : service_(service), node_(std::move(node)) {
    StartRead(&envelope_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    const bool first = from_ == 0;
    auto message = take();
    if (!message) return Finish(service_.refusal(message.error()));
    if (first) {
      service_.strand().post([this] {
        service_.greet(from_, envelope_.hello().address());
        StartRead(&envelope_);
      });
      return;
    }
    if (!*message) return StartRead(&envelope_);
    service_.strand().post([this, message = std::move(*message)] {
      service_.deliver(std::move(*message));
      StartRead(&envelope_);
    });
  }
  void OnDone() override { delete this; }

 private:
  // The message in the envelope; nothing when there is none yet (a hello).
  Result<std::shared_ptr<Message>> take() {
    if (from_ == 0) {
      if (!envelope_.has_hello()) return invalid_argument("a raft stream begins with a hello");
      const RaftId from = SHOAL_TRY(service_.check_hello(envelope_.hello()));
      SHOAL_TRY(service_.admit(node_, from));
      from_ = from;
      return std::shared_ptr<Message>();
    }
    SHOAL_TRY(service_.admit(node_, from_));
    if (!envelope_.has_message()) return invalid_argument("an envelope with nothing in it");
    Message message = SHOAL_TRY(from_wire(std::move(*envelope_.mutable_message())));
    if (message.from != from_ || message.to != service_.self()) {
      return invalid_argument("a message in somebody else's name");
    }
    return std::make_shared<Message>(std::move(message));
  }

  RaftService& service_;
  const NodeId node_;
  wire::Envelope envelope_;
  RaftId from_ = 0;
};

}  // namespace

grpc::ServerReadReactor<wire::Envelope>* RaftService::Stream(grpc::CallbackServerContext* context,
                                                             wire::StreamAck*) {
  auto node = admission_.identify(*context);
  if (!node) return new Refusal<grpc::ServerReadReactor<wire::Envelope>>(refusal(node.error()));
  return new ServerStream(*this, std::move(*node));
}

grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>* RaftService::Snapshot(
    grpc::CallbackServerContext* context) {
  using Reactor = grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>;
  auto node = admission_.identify(*context);
  if (!node) return new Refusal<Reactor>(refusal(node.error()));
  return make_snapshot_stream(*this, transport_.receiver_, std::move(*node));
}

grpc::Status RaftService::refusal(const Error& error) const {
  return {code_of(error), error.message, std::to_string(config_.epoch())};
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
