// SnapshotSender: brings snapshots to one other member, on a connection and a thread of their own,
// so that no message waits behind their bytes.
//
// The receiver says how much it has; a broken connection is made again and gone on from there.
// Paced by a rate that all senders of a member share. Memory: a few chunks, whatever the size.
//
// Thread rule: send() and the end on the strand; `report` is posted there.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/runtime/strand.h"
#include "proto/raft.grpc.pb.h"
#include "raft/transport/token_bucket.h"
#include "raft/types.h"

namespace shoal::raft {

// Of one member to all others together: a quarter of a gigabit link, which leaves the rest to
// appends and to the data plane; 300 MB, a million objects, take ten seconds.
inline constexpr uint64_t kSnapshotBytesPerSecond = 32U << 20;
inline constexpr uint64_t kSnapshotBurstBytes = 1U << 20;

// The rate, shared by the senders' threads.
class SendRate {
 public:
  explicit SendRate(Clock& clock) : clock_(clock) {}
  Duration take(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    return bucket_.take(clock_.now(), bytes);
  }

 private:
  Clock& clock_;
  std::mutex mutex_;  // guards bucket_
  TokenBucket bucket_{kSnapshotBytesPerSecond, kSnapshotBurstBytes};
};

class SnapshotSender {
 public:
  using Report = std::function<void(bool delivered)>;

  SnapshotSender(Strand& strand, SendRate& rate, wire::Hello hello, Report report);
  ~SnapshotSender();  // gives up what is under way; nothing is reported any more
  SnapshotSender(const SnapshotSender&) = delete;
  SnapshotSender& operator=(const SnapshotSender&) = delete;

  // A kSnapshot message. One that is under way already goes on; another takes its place.
  void send(Message message, std::shared_ptr<grpc::Channel> channel);

 private:
  struct Job {
    std::shared_ptr<const Message> message;
    std::shared_ptr<grpc::Channel> channel;
  };
  struct Attempt {
    bool delivered = false;
    bool refused = false;   // to try again is of no use
    uint64_t received = 0;  // by the other side
  };

  void run();
  bool bring(const Job& job);
  Attempt attempt(const Job& job);
  bool wait(std::unique_lock<std::mutex>& lock, Duration time, const Job& job);
  bool current(const Job& job) const { return !stopping_ && job_.message == job.message; }

  Strand& strand_;
  SendRate& rate_;
  const wire::Hello hello_;
  const std::shared_ptr<Report> report_;  // posted calls find it gone

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Job job_;  // without a message: nothing to do
  bool stopping_ = false;
  grpc::ClientContext* context_ = nullptr;  // of the attempt under way
  std::thread thread_;
};

}  // namespace shoal::raft
