// Peer: the way to one other member: a bounded queue and a gRPC client stream that is opened when
// there is something to send, and opened again (after a growing pause) when it broke.
//
// Raft repeats itself, so a broken stream loses its queue, and a full queue refuses what is new.
// But what finds a stream dead that was good goes on a new one: votes are repeated only after
// another election timeout. Snapshots go another way (snapshot_sender.h).
//
// Thread rule: on the strand; the stream's reactions (gRPC threads) only post to it.
#pragma once

#include <grpcpp/channel.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "raft/transport/snapshot_sender.h"
#include "raft/types.h"

namespace shoal::raft {

namespace wire {
class Envelope;
}
class ClientStream;
struct StreamCount;

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  struct Shared {  // of all peers of one transport; outlives them
    RaftId self = 0;
    std::string cluster_id;
    std::string address;  // our own
    Strand& strand;
    Clock& clock;
    Rng& rng;
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)> make_channel;
    std::function<void(RaftId to, bool delivered)> report_snapshot;
    SendRate snapshot_rate;
    std::function<void(RaftId by, uint64_t epoch, const std::string& message)> refused;
    std::shared_ptr<StreamCount> streams;
    uint64_t dropped = 0;
  };

  Peer(Shared& shared, const Member& member);
  ~Peer();

  const std::string& address() const { return member_.address; }
  void send(Message message);
  void heard() { last_heard_ = shared_.clock.now(); }
  // Sends what is queued, then ends.
  void close_when_drained();
  // Ends now.
  void close();
  // A stream is open, or its last messages are on their way.
  bool connected() const;

 private:
  friend class ClientStream;

  void connect();
  void send_snapshot(Message message);
  wire::Hello hello() const;
  void pump();
  void written(const ClientStream* stream, bool ok);
  bool reopen();
  void drop_stream();
  void refused(uint64_t epoch, const std::string& message);
  void broken();
  void reset_if_silent();

  Shared& shared_;
  const Member member_;
  std::shared_ptr<ClientStream> stream_;
  std::shared_ptr<ClientStream> finishing_;  // the stream after the last message was written
  bool writing_ = false;
  bool closing_ = false;
  std::deque<Message> queue_;
  size_t queue_bytes_ = 0;
  std::shared_ptr<wire::Envelope> again_;      // lost with the last stream, first on the next
  std::unique_ptr<SnapshotSender> snapshots_;  // none before the first
  Instant retry_at_;
  Duration pause_;
  Instant opened_;
  Instant last_heard_;
};

// Counts streams that gRPC still holds, so that a transport ends only after them.
struct StreamCount {
  std::mutex mutex;  // guards count
  std::condition_variable none;
  size_t count = 0;
};

}  // namespace shoal::raft
