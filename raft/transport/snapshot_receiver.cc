#include "raft/transport/snapshot_receiver.h"

#include "raft/transport/service.h"

namespace shoal::raft {
namespace {

// One piece at a time: read, take in on the receiver's thread, answer, read the next. Finish() only
// when nothing else is under way, so OnDone finds nobody using this.
class SnapshotStream final
    : public grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress> {
 public:
  SnapshotStream(RaftService& service, SnapshotReceiver& receiver, NodeId node)
      : service_(service), receiver_(receiver), node_(std::move(node)) {
    StartRead(&piece_);
  }

  void OnReadDone(bool ok) override {
    // What came before stays in the inbox.
    if (!ok) return Finish({grpc::StatusCode::UNAVAILABLE, "the snapshot broke off"});
    receiver_.post([this] { step(); });
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish({grpc::StatusCode::UNAVAILABLE, "the snapshot broke off"});
    StartRead(&piece_);
  }
  void OnDone() override { delete this; }

 private:
  void step() {
    const Result<uint64_t> received = from_ == 0 ? take_offer() : take_chunk();
    if (!received) return refuse(received.error());
    if (*received == offer_.size) {
      const Status done = finish();
      return done ? Finish(grpc::Status::OK) : refuse(done.error());
    }
    progress_.set_received(*received);
    StartWrite(&progress_);
  }
  void refuse(const Error& error) { Finish(service_.refusal(error)); }

  Result<uint64_t> take_offer() {
    if (!piece_.has_offer()) return invalid_argument("a snapshot begins with an offer");
    const RaftId from = SHOAL_TRY(service_.check_hello(piece_.offer().hello()));
    SHOAL_TRY(service_.admit(node_, from));
    offer_ = SHOAL_TRY(from_wire(piece_.offer()));
    from_ = from;
    return receiver_.offer(offer_, turn_);
  }
  Result<uint64_t> take_chunk() {
    SHOAL_TRY(service_.admit(node_, from_));
    if (!piece_.has_chunk()) return invalid_argument("a piece with nothing in it");
    return receiver_.add(turn_, piece_.chunk());
  }
  Status finish() {
    Message message;
    message.snapshot = SHOAL_TRY(receiver_.finish(turn_));
    message.type = MessageType::kSnapshot;
    message.from = from_;
    message.to = service_.self();
    message.term = offer_.term;
    service_.strand().post([&service = service_, message = std::move(message)]() mutable {
      service.deliver(std::move(message));
    });
    return ok_status();
  }

  RaftService& service_;
  SnapshotReceiver& receiver_;
  const NodeId node_;
  wire::SnapshotPiece piece_;
  wire::SnapshotProgress progress_;
  RaftId from_ = 0;
  SnapshotOffer offer_;
  uint64_t turn_ = 0;
};

}  // namespace

Result<uint64_t> SnapshotReceiver::offer(const SnapshotOffer& offer, uint64_t& turn) {
  const uint64_t received = SHOAL_TRY(inbox_.begin(offer.meta, offer.size, offer.digest));
  turn = ++turn_;
  return received;
}

Result<uint64_t> SnapshotReceiver::add(uint64_t turn, const wire::SnapshotChunk& chunk) {
  if (turn != turn_) return unavailable("another snapshot was begun");
  if (chunk.data().empty() || chunk.data().size() > kSnapshotChunkBytes) {
    return invalid_argument("a chunk of an impossible size");
  }
  SHOAL_TRY(inbox_.add(chunk.offset(), chunk.data()));
  return chunk.offset() + chunk.data().size();
}

Result<std::shared_ptr<const Snapshot>> SnapshotReceiver::finish(uint64_t turn) {
  if (turn != turn_) return unavailable("another snapshot was begun");
  ++turn_;
  return inbox_.finish();
}

grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>* make_snapshot_stream(
    RaftService& service, SnapshotReceiver& receiver, NodeId node) {
  return new SnapshotStream(service, receiver, std::move(node));
}

}  // namespace shoal::raft
