// A peer that says what it likes, for tests.
#pragma once

#include <netinet/in.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include "base/runtime/strand.h"
#include "proto/raft.pb.h"
#include "raft/transport/link.h"
#include "raft/transport/test_tls.h"
#include "raft/transport/wire.h"

namespace shoal::raft {

class Speaker {
 public:
  explicit Speaker(uint16_t port, TlsContext tls = test_tls()) {
    strand_.start("speaker");
    strand_.call([&] {
      link_ = Link::dial(strand_.context(), {Ip::v4(INADDR_LOOPBACK), port}, std::move(tls),
                         {.secured = [this](SSL&) { return secured(); },
                          .frame = [this](std::string_view frame) { return heard(frame); },
                          .written = [this] { written(); },
                          .ended = [this](const Error& why) { ended(why); }});
    });
  }
  ~Speaker() {
    strand_.call([this] { link_->close(); });
    strand_.stop();
  }

  void hello(RaftId from, RaftId to, const std::string& cluster = "c") {
    wire::Envelope envelope;
    wire::Hello& hello = *envelope.mutable_hello();
    hello.set_protocol_version(kProtocolVersion);
    hello.set_cluster_id(cluster);
    hello.set_from(from);
    hello.set_to(to);
    say(envelope);
  }
  void say(const wire::Envelope& envelope) {
    std::string frame;
    add_frame(envelope, frame);
    say_bytes(std::move(frame));
  }
  // Frames, or what shall be taken for some.
  void say_bytes(std::string bytes) {
    strand_.call([&] {
      unsent_ += bytes;
      if (!writing_) flush();
    });
  }
  // Waits for the end, and returns what was said before it.
  wire::Refusal refusal() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60), [this] { return ended_; });
    return ended_ ? refusal_ : wire::Refusal();
  }
  bool is_over() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  // Waits for the end, and returns why.
  Error why() {
    refusal();
    const std::lock_guard lock(mutex_);
    return why_;
  }

 private:
  void flush() {
    if (unsent_.empty()) return;
    writing_ = true;
    link_->write(std::make_shared<const std::string>(std::exchange(unsent_, {})));
  }
  Status secured() {
    link_->settle();
    return ok_status();
  }
  Status heard(std::string_view frame) {
    const std::lock_guard lock(mutex_);
    refusal_.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
    return unavailable("refused");
  }
  void written() {
    writing_ = false;
    flush();
  }
  void ended(const Error& why) {
    writing_ = true;  // nothing is written any more
    const std::lock_guard lock(mutex_);
    ended_ = true;
    why_ = why;
    changed_.notify_all();
  }

  Strand strand_;
  std::shared_ptr<Link> link_;
  std::string unsent_;
  bool writing_ = false;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool ended_ = false;
  wire::Refusal refusal_;
  Error why_;
};

}  // namespace shoal::raft
