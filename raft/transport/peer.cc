#include "raft/transport/peer.h"

#include <algorithm>
#include <atomic>
#include <charconv>

#include "proto/raft.grpc.pb.h"
#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

constexpr size_t kMaxQueued = 512;
constexpr size_t kMaxQueuedBytes = 4U << 20;  // holds the core's whole window
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
// A manager that comes back is heard again within a second.
constexpr Duration kLongestPause = std::chrono::milliseconds(800);
// Nothing heard for so long from a member we talk to: its connection may hang on a path that is
// gone, and TCP would take much longer to find out.
constexpr Duration kSilence = std::chrono::seconds(3);
// A stream this old was accepted, so that its end is the end of its connection.
constexpr Duration kSettled = std::chrono::seconds(1);

size_t bytes_of(const Message& message) {
  size_t bytes = 64;
  for (const Entry& entry : message.entries) bytes += entry_bytes(entry);
  return bytes;
}

// What raft/transport/service.cc puts beside a refusal.
uint64_t parse_epoch(const std::string& details) {
  uint64_t epoch = 0;
  const auto [rest, error] =
      std::from_chars(details.data(), details.data() + details.size(), epoch);
  return error == std::errc() && rest == details.data() + details.size() ? epoch : 0;
}

}  // namespace

// Lives until gRPC is done with it; the hold keeps that from happening while the peer may write.
class ClientStream final : public grpc::ClientWriteReactor<wire::Envelope> {
 public:
  ClientStream(std::weak_ptr<Peer> peer, Strand& strand, std::shared_ptr<StreamCount> count,
               const std::shared_ptr<grpc::Channel>& channel)
      : peer_(std::move(peer)),
        strand_(strand),
        count_(std::move(count)),
        stub_(wire::Raft::NewStub(channel)) {}

  void open(std::shared_ptr<ClientStream> self) {
    self_ = std::move(self);
    {
      const std::lock_guard lock(count_->mutex);
      ++count_->count;
    }
    stub_->async()->Stream(&context_, &ack_, this);
    AddHold();
    StartCall();
  }
  wire::Envelope& envelope() { return envelope_; }
  void write() { StartWrite(&envelope_); }
  void finish() {
    StartWritesDone();
    RemoveHold();
  }
  void hurry() { context_.TryCancel(); }
  bool done() const { return done_; }
  void cancel() {
    context_.TryCancel();
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    strand_.post([peer = peer_, stream = self_, ok] {
      if (const auto alive = peer.lock()) alive->written(stream.get(), ok);
    });
  }
  void OnDone(const grpc::Status& status) override {
    const auto count = count_;
    if (status.error_code() == grpc::StatusCode::PERMISSION_DENIED) {
      strand_.post([peer = peer_, epoch = parse_epoch(status.error_details()),
                    message = status.error_message()] {
        if (const auto alive = peer.lock()) alive->refused(epoch, message);
      });
    }
    done_ = true;
    self_.reset();  // may be the end of this
    const std::lock_guard lock(count->mutex);
    if (--count->count == 0) count->none.notify_all();
  }

 private:
  std::weak_ptr<Peer> peer_;
  Strand& strand_;
  std::shared_ptr<StreamCount> count_;
  std::unique_ptr<wire::Raft::Stub> stub_;
  grpc::ClientContext context_;
  wire::Envelope envelope_;
  wire::StreamAck ack_;
  std::atomic<bool> done_ = false;
  std::shared_ptr<ClientStream> self_;
};

Peer::Peer(Shared& shared, const Member& member)
    : shared_(shared), member_(member), pause_(kFirstPause) {
  retry_at_ = opened_ = last_heard_ = shared_.clock.now();
}

Peer::~Peer() {
  close();
  if (finishing_) finishing_->hurry();
}

bool Peer::connected() const { return stream_ || (finishing_ && !finishing_->done()); }

void Peer::send(Message message) {
  if (message.type == MessageType::kSnapshot) return send_snapshot(std::move(message));
  reset_if_silent();
  if (!stream_) connect();
  const size_t bytes = bytes_of(message);
  const bool full = queue_.size() >= kMaxQueued || queue_bytes_ + bytes > kMaxQueuedBytes;
  if (!stream_ || closing_ || (full && !queue_.empty())) {
    ++shared_.dropped;
    return;
  }
  queue_bytes_ += bytes;
  queue_.push_back(std::move(message));
  pump();
}

void Peer::send_snapshot(Message message) {
  if (closing_) return;
  if (!snapshots_) {
    snapshots_ = std::make_unique<SnapshotSender>(
        shared_.strand, shared_.snapshot_rate, hello(), [this](bool delivered) {
          if (shared_.report_snapshot) shared_.report_snapshot(member_.id, delivered);
        });
  }
  auto channel = shared_.make_channel(member_.address);
  if (channel) return snapshots_->send(std::move(message), std::move(channel));
  shared_.strand.post([report = shared_.report_snapshot, to = member_.id] {
    if (report) report(to, false);
  });
}

wire::Hello Peer::hello() const {
  wire::Hello hello;
  hello.set_protocol_version(kProtocolVersion);
  hello.set_oldest_version(kOldestProtocolVersion);
  hello.set_cluster_id(shared_.cluster_id);
  hello.set_from(shared_.self);
  hello.set_to(member_.id);
  hello.set_address(shared_.address);
  return hello;
}

void Peer::reset_if_silent() {
  const Instant now = shared_.clock.now();
  if (!stream_ || now - opened_ <= kSilence || now - last_heard_ <= kSilence) return;
  // Followers have nothing to say to each other until they vote: that question must not be lost.
  drop_stream();
}

// A connection may have ended long ago, unnoticed while nothing was written. What was to be written
// then goes on the next stream at once; raft bears a message that comes twice.
bool Peer::reopen() {
  const bool settled = shared_.clock.now() - opened_ > kSettled;
  if (!settled || closing_) return false;
  if (stream_->envelope().has_message()) {
    again_ = std::make_shared<wire::Envelope>();
    again_->Swap(&stream_->envelope());
  }
  drop_stream();
  connect();
  return true;
}

void Peer::connect() {
  const Instant now = shared_.clock.now();
  if (now < retry_at_) return;
  auto channel = shared_.make_channel(member_.address);
  if (!channel) return broken();
  opened_ = now;
  stream_ =
      std::make_shared<ClientStream>(weak_from_this(), shared_.strand, shared_.streams, channel);
  *stream_->envelope().mutable_hello() = hello();
  stream_->open(stream_);
  writing_ = true;
  stream_->write();
}

void Peer::pump() {
  if (!stream_ || writing_) return;
  wire::Envelope& envelope = stream_->envelope();
  envelope.Clear();
  if (again_) {
    envelope.Swap(again_.get());
    again_.reset();
  } else if (!queue_.empty()) {
    queue_bytes_ -= bytes_of(queue_.front());
    to_wire(queue_.front(), *envelope.mutable_message());
    queue_.pop_front();
  } else {
    if (closing_) {
      finishing_ = std::exchange(stream_, nullptr);
      finishing_->finish();
    }
    return;
  }
  writing_ = true;
  stream_->write();
}

void Peer::written(const ClientStream* stream, bool ok) {
  if (stream != stream_.get()) return;  // of a stream given up
  writing_ = false;
  if (!ok) {
    if (!reopen()) broken();
    return;
  }
  pause_ = kFirstPause;
  pump();
}

void Peer::refused(uint64_t epoch, const std::string& message) {
  if (shared_.refused) shared_.refused(member_.id, epoch, message);
}

void Peer::broken() {
  close();
  const uint64_t jitter = shared_.rng.below(static_cast<uint64_t>(pause_.count()) / 2 + 1);
  retry_at_ = shared_.clock.now() + pause_ + Duration(static_cast<int64_t>(jitter));
  pause_ = std::min(pause_ * 2, kLongestPause);
}

void Peer::close_when_drained() {
  closing_ = true;
  pump();
}

void Peer::drop_stream() {
  if (stream_) std::exchange(stream_, nullptr)->cancel();
  writing_ = false;
}

void Peer::close() {
  drop_stream();
  again_.reset();
  queue_.clear();
  queue_bytes_ = 0;
}

}  // namespace shoal::raft
