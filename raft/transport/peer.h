// Peer: the way to one other member: a bounded queue and a link (link.h) that is dialled when there
// is something to send, and dialled again (after a growing pause) when it broke.
//
// What is queued while a write is under way leaves with the next. Raft repeats itself, so a link
// that breaks while it is young loses its queue, and a full queue refuses what is new. But what may
// have been lost with a link that was good goes on a new one: votes are repeated only after another
// election timeout. Snapshots go another way (snapshot_sender.h).
//
// Thread rule: on the strand.
#pragma once

#include <grpcpp/channel.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "raft/transport/link.h"
#include "raft/transport/snapshot_sender.h"
#include "raft/types.h"

namespace shoal::raft {

namespace wire {
class Hello;
}  // namespace wire

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  struct Shared {  // of all peers of one transport; outlives them
    RaftId self = 0;
    std::string cluster_id;
    std::string address;  // our own
    Strand& strand;
    Clock& clock;
    Rng& rng;
    std::function<Result<TlsContext>()> tls;  // as who dials
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)> make_channel;
    std::function<void(RaftId to, bool delivered)> report_snapshot;
    SendRate snapshot_rate;
    std::function<void(RaftId by, uint64_t epoch, const std::string& message)> refused;
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
  // There is a link, or its last messages are on their way.
  bool connected() const { return link_ != nullptr; }

 private:
  Link::Handlers handlers();
  void connect();
  void secured();
  // It was accepted: its end is neither a refusal nor a failure to connect.
  bool is_good() const;
  void send_snapshot(Message message);
  wire::Hello hello() const;
  void pump();
  void written();
  void ended();
  Status refused(std::string_view frame);
  void broken();
  void drop_link();
  void reset_if_silent();

  Shared& shared_;
  const Member member_;
  std::shared_ptr<Link> link_;
  uint64_t dialled_ = 0;  // links so far: what is heard of an older one is dropped
  bool secured_ = false;
  bool writing_ = false;
  bool closing_ = false;
  std::deque<Message> queue_;
  size_t queue_bytes_ = 0;
  std::shared_ptr<const std::string> last_;    // frames of the newest write; none: a hello
  std::shared_ptr<const std::string> again_;   // may be lost with the last link, first on the next
  std::unique_ptr<SnapshotSender> snapshots_;  // none before the first
  Instant retry_at_;
  Duration pause_;
  Instant opened_;
  Instant wrote_;
  Instant last_heard_;
};

}  // namespace shoal::raft
