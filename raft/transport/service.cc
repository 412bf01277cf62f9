#include "raft/transport/service.h"

#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

grpc::Status to_grpc(const Error& error, uint64_t epoch) {
  grpc::StatusCode code = grpc::StatusCode::INTERNAL;
  if (error.code == ErrorClass::kInvalidArgument) code = grpc::StatusCode::INVALID_ARGUMENT;
  if (error.code == ErrorClass::kUnauthenticated) code = grpc::StatusCode::UNAUTHENTICATED;
  if (error.code == ErrorClass::kPermissionDenied) code = grpc::StatusCode::PERMISSION_DENIED;
  if (error.code == ErrorClass::kUnimplemented) code = grpc::StatusCode::UNIMPLEMENTED;
  if (error.code == ErrorClass::kDataLoss) code = grpc::StatusCode::DATA_LOSS;
  return {code, error.message, std::to_string(epoch)};
}

// A stream that is refused before it is read.
class Refusal final : public grpc::ServerReadReactor<wire::Envelope> {
 public:
  Refusal(const Error& error, uint64_t epoch) { Finish(to_grpc(error, epoch)); }
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
    if (!message) return Finish(to_grpc(message.error(), service_.epoch()));
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
  // The message in the envelope; nothing when there is none yet (a hello, a snapshot's chunk).
  Result<std::shared_ptr<Message>> take() {
    if (from_ == 0) {
      const RaftId from = SHOAL_TRY(service_.check_hello(envelope_));
      SHOAL_TRY(service_.admit(node_, from));
      from_ = from;
      return std::shared_ptr<Message>();
    }
    SHOAL_TRY(service_.admit(node_, from_));
    if (envelope_.has_snapshot()) return take_chunk();
    if (!envelope_.has_message()) return invalid_argument("an envelope with nothing in it");
    Message message = SHOAL_TRY(from_wire(std::move(*envelope_.mutable_message())));
    if (message.from != from_ || message.to != service_.self()) {
      return invalid_argument("a message in somebody else's name");
    }
    return std::make_shared<Message>(std::move(message));
  }
  Result<std::shared_ptr<Message>> take_chunk() {
    const Term term = envelope_.snapshot().term();
    auto snapshot = SHOAL_TRY(assembler_.add(std::move(*envelope_.mutable_snapshot())));
    if (!snapshot) return std::shared_ptr<Message>();
    auto message = std::make_shared<Message>();
    message->type = MessageType::kSnapshot;
    message->from = from_;
    message->to = service_.self();
    message->term = term;
    message->snapshot = std::move(snapshot);
    return message;
  }

  RaftService& service_;
  const NodeId node_;
  wire::Envelope envelope_;
  RaftId from_ = 0;
  SnapshotAssembler assembler_;
};

}  // namespace

grpc::ServerReadReactor<wire::Envelope>* RaftService::Stream(grpc::CallbackServerContext* context,
                                                             wire::StreamAck*) {
  auto node = admission_.identify(*context);
  if (!node) return new Refusal(node.error(), epoch());
  return new ServerStream(*this, std::move(*node));
}

Result<RaftId> RaftService::check_hello(const wire::Envelope& envelope) const {
  if (!envelope.has_hello()) return invalid_argument("a raft stream begins with a hello");
  const wire::Hello& hello = envelope.hello();
  if (hello.protocol_version() != kProtocolVersion) {
    return unimplemented("raft protocol version " + std::to_string(hello.protocol_version()) +
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
