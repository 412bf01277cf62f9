#include "raft/transport/peer.h"

#include <algorithm>

#include "proto/raft.pb.h"
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
// A link this old was accepted, so that its end is not a refusal; and what was written on one so
// long before its end arrived.
constexpr Duration kSettled = std::chrono::seconds(1);

// Messages that leave together: a TLS record's worth. An append may be larger.
constexpr size_t kBatchBytes = 16U << 10;
constexpr size_t kMaxRefusal = 1024;

size_t bytes_of(const Message& message) {
  size_t bytes = 64;
  for (const Entry& entry : message.entries) bytes += entry_bytes(entry);
  return bytes;
}

}  // namespace

Peer::Peer(Shared& shared, const Member& member)
    : shared_(shared), member_(member), pause_(kFirstPause) {
  retry_at_ = opened_ = wrote_ = last_heard_ = shared_.clock.now();
}

Peer::~Peer() { close(); }

void Peer::send(Message message) {
  if (message.type == MessageType::kSnapshot) return send_snapshot(std::move(message));
  reset_if_silent();
  if (!link_) connect();
  const size_t bytes = bytes_of(message);
  const bool full = queue_.size() >= kMaxQueued || queue_bytes_ + bytes > kMaxQueuedBytes;
  if (!link_ || closing_ || (full && !queue_.empty())) {
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
  if (!link_ || now - opened_ <= kSilence || now - last_heard_ <= kSilence) return;
  // Followers have nothing to say to each other until they vote: that question must not be lost.
  drop_link();
}

Link::Handlers Peer::handlers() {
  // Of the link that is dialled now.
  const auto call = [peer = weak_from_this(), turn = ++dialled_](const auto& then) {
    const auto alive = peer.lock();
    if (alive && alive->dialled_ == turn) then(*alive);
  };
  return {.secured =
              [call](SSL&) {
                call([](Peer& peer) { peer.secured(); });
                return ok_status();
              },
          .frame =
              [call](std::string_view frame) {
                Status status = ok_status();
                call([&](Peer& peer) { status = peer.refused(frame); });
                return status;
              },
          .written = [call] { call([](Peer& peer) { peer.written(); }); },
          .ended = [call](const Error&) { call([](Peer& peer) { peer.ended(); }); }};
}

void Peer::secured() {
  secured_ = true;
  opened_ = shared_.clock.now();
  link_->settle();
}

bool Peer::is_good() const { return secured_ && shared_.clock.now() - opened_ > kSettled; }

void Peer::connect() {
  const Instant now = shared_.clock.now();
  if (now < retry_at_) return;
  const auto address = HostPort::parse(member_.address);
  auto tls = shared_.tls();
  if (!address || !tls) return broken();
  opened_ = now;
  secured_ = false;
  link_ = Link::dial(shared_.strand.context(), *address, std::move(*tls), handlers());
  wire::Envelope envelope;
  *envelope.mutable_hello() = hello();
  std::string frame;
  add_frame(envelope, frame);
  last_.reset();
  writing_ = true;
  link_->write(std::make_shared<const std::string>(std::move(frame)));
}

void Peer::pump() {
  if (!link_ || writing_) return;
  std::shared_ptr<const std::string> frames = std::exchange(again_, nullptr);
  if (!frames) {
    if (queue_.empty()) {
      if (closing_) link_->finish();
      return;
    }
    auto batch = std::make_shared<std::string>();
    while (!queue_.empty() && batch->size() < kBatchBytes) {
      queue_bytes_ -= bytes_of(queue_.front());
      wire::Envelope envelope;
      to_wire(queue_.front(), *envelope.mutable_message());
      queue_.pop_front();
      add_frame(envelope, *batch);
    }
    frames = std::move(batch);
  }
  last_ = frames;
  writing_ = true;
  link_->write(std::move(frames));
}

void Peer::written() {
  writing_ = false;
  wrote_ = shared_.clock.now();
  if (is_good()) pause_ = kFirstPause;
  pump();
}

// A frame of the other side says why it ends the link.
Status Peer::refused(std::string_view frame) {
  wire::Refusal refusal;
  if (!refusal.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    return invalid_argument("not a refusal");
  }
  const bool denied = refusal.error() == to_string(ErrorClass::kPermissionDenied);
  if (denied && shared_.refused) {
    // Posted, since it may end this.
    shared_.strand.post(
        [tell = shared_.refused, by = member_.id, epoch = refusal.epoch(),
         message = refusal.message().substr(0, kMaxRefusal)] { tell(by, epoch, message); });
  }
  secured_ = false;  // it was not a good one
  return unavailable("refused");
}

// A good link may have been gone for long, unnoticed while nothing was written; then what was
// written lately is lost. Raft bears a message that comes twice.
void Peer::ended() {
  const Instant now = shared_.clock.now();
  const bool good = is_good();
  const bool lost = last_ && (writing_ || now - wrote_ < kSettled);
  if (lost) again_ = last_;
  drop_link();
  if (!good) return broken();
  if (lost && !closing_) connect();
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

void Peer::drop_link() {
  ++dialled_;
  if (link_) std::exchange(link_, nullptr)->close();
  writing_ = false;
}

void Peer::close() {
  drop_link();
  again_.reset();
  queue_.clear();
  queue_bytes_ = 0;
}

}  // namespace shoal::raft
