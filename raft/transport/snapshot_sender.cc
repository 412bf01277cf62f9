#include "raft/transport/snapshot_sender.h"

#include <algorithm>

#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

// Bytes on their way that the receiver has not spoken of: enough for a gigabit over 30 ms.
constexpr uint64_t kWindowBytes = 16 * kSnapshotChunkBytes;
// One connection. A path that is gone is found out by this, and nothing is lost but time.
constexpr auto kAttemptTime = std::chrono::seconds(30);
constexpr Duration kPause = std::chrono::milliseconds(200);
constexpr Duration kPauseAfterFailure = std::chrono::seconds(1);
// Attempts that bring nothing, one after the other, before the leader is told: it asks again as
// long as the follower answers.
constexpr int kMaxIdleAttempts = 5;

bool is_refusal(grpc::StatusCode code) {
  return code == grpc::StatusCode::PERMISSION_DENIED || code == grpc::StatusCode::UNAUTHENTICATED ||
         code == grpc::StatusCode::INVALID_ARGUMENT || code == grpc::StatusCode::UNIMPLEMENTED ||
         code == grpc::StatusCode::DATA_LOSS || code == grpc::StatusCode::RESOURCE_EXHAUSTED;
}

}  // namespace

SnapshotSender::SnapshotSender(Strand& strand, SendRate& rate, wire::Hello hello, Report report)
    : strand_(strand),
      rate_(rate),
      hello_(std::move(hello)),
      report_(std::make_shared<Report>(std::move(report))) {}

SnapshotSender::~SnapshotSender() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void SnapshotSender::send(Message message, std::shared_ptr<grpc::Channel> channel) {
  const std::lock_guard lock(mutex_);
  if (job_.message && job_.message->snapshot == message.snapshot &&
      job_.message->term == message.term) {
    return;
  }
  job_ = {std::make_shared<const Message>(std::move(message)), std::move(channel)};
  if (context_ != nullptr) context_->TryCancel();
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void SnapshotSender::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || job_.message; });
    if (stopping_) return;
    const Job job = job_;
    lock.unlock();
    const bool delivered = bring(job);
    lock.lock();
    // A follower that cannot take it in (a full disk) is not asked at every heartbeat.
    if (!delivered) wait(lock, kPauseAfterFailure, job);
    if (!current(job)) continue;  // another took its place: nobody asks about this one any more
    job_ = {};
    strand_.post([report = std::weak_ptr(report_), delivered] {
      if (const auto alive = report.lock()) (*alive)(delivered);
    });
  }
}

// False when the job is over before its time.
bool SnapshotSender::wait(std::unique_lock<std::mutex>& lock, Duration time, const Job& job) {
  changed_.wait_for(lock, time, [&] { return !current(job); });
  return current(job);
}

bool SnapshotSender::bring(const Job& job) {
  uint64_t received = 0;
  for (int idle = 0; idle < kMaxIdleAttempts;) {
    const Attempt tried = attempt(job);
    if (tried.delivered || tried.refused) return tried.delivered;
    idle = tried.received > received ? 0 : idle + 1;
    received = std::max(received, tried.received);
    std::unique_lock lock(mutex_);
    if (!wait(lock, kPause, job)) return false;
  }
  return false;
}

SnapshotSender::Attempt SnapshotSender::attempt(const Job& job) {
  Attempt out;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAttemptTime);
  {
    const std::lock_guard lock(mutex_);
    if (!current(job)) return out;
    context_ = &context;
  }
  const auto stub = wire::Raft::NewStub(job.channel);
  const auto stream = stub->Snapshot(&context);
  const SnapshotData& data = *job.message->snapshot->data;
  wire::SnapshotPiece piece;
  to_wire(*job.message, *piece.mutable_offer());
  *piece.mutable_offer()->mutable_hello() = hello_;
  wire::SnapshotProgress progress;
  bool alive = stream->Write(piece) && stream->Read(&progress);
  out.received = progress.received();
  for (uint64_t sent = out.received; alive && sent < data.size();) {
    auto bytes = data.read(sent, kSnapshotChunkBytes);
    out.refused = !bytes;  // our own disk
    if (!bytes) break;
    {
      const Duration pause = rate_.take(bytes->size());
      std::unique_lock lock(mutex_);
      if (pause > Duration::zero() && !wait(lock, pause, job)) break;
    }
    piece.mutable_chunk()->set_offset(sent);
    sent += bytes->size();
    piece.mutable_chunk()->set_data(std::move(*bytes));
    alive = stream->Write(piece);
    while (alive && sent - out.received > kWindowBytes) {
      alive = stream->Read(&progress);
      out.received = std::max(out.received, progress.received());
    }
  }
  if (out.refused) context.TryCancel();
  stream->WritesDone();
  while (stream->Read(&progress)) out.received = std::max(out.received, progress.received());
  const grpc::Status status = stream->Finish();
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  out.delivered = status.ok();
  out.refused = out.refused || is_refusal(status.error_code());
  return out;
}

}  // namespace shoal::raft
