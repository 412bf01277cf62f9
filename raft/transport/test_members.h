// Members of a group without a core, for tests of what lies between them: each with its own strand,
// clock, gRPC server and inbox. Made and ended on the test's thread.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/runtime/system_ports.h"
#include "raft/storage/inbox.h"
#include "raft/transport/test_tls.h"
#include "raft/transport/transport.h"

namespace shoal::raft {

inline constexpr auto kPatience = std::chrono::seconds(60);  // under a sanitizer, on a busy machine

// The system's, put forward at will.
class ShiftedClock final : public Clock {
 public:
  Instant now() const override { return system_.now() + Duration(shift_.load()); }
  WallTime wall() const override { return system_.wall(); }
  void advance(Duration by) { shift_ += by.count(); }

 private:
  SystemClock system_;
  std::atomic<int64_t> shift_ = 0;
};

// The inbox of the daemon, with what the tests want to know of it.
class CountingInbox final : public SnapshotInbox {
 public:
  Result<uint64_t> begin(const SnapshotMeta& meta, uint64_t size,
                         const crypto::Sha256& digest) override {
    ++offers;
    return inbox_.begin(meta, size, digest);
  }
  Status add(uint64_t offset, std::string_view piece) override {
    if (++pieces == breaks_at) return unavailable("the connection breaks here");
    bytes += piece.size();
    return inbox_.add(offset, piece);
  }
  Result<std::shared_ptr<const Snapshot>> finish() override { return inbox_.finish(); }

  std::atomic<uint64_t> offers = 0;
  std::atomic<uint64_t> pieces = 0;
  std::atomic<uint64_t> bytes = 0;
  uint64_t breaks_at = 0;

 private:
  struct Directory {
    Directory() {
      char pattern[] = "/tmp/shoal-raft-inbox-XXXXXX";
      path = mkdtemp(pattern);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string path;
  };
  Directory directory_;
  FileInbox inbox_{directory_.path, crypto::Key{4}};
};

inline NetTransport::Admission let_all_in() {
  return {[](const auto&) { return NodeId("n"); }, [](SSL&) { return NodeId("n"); },
          [](const NodeId&, RaftId) { return ok_status(); }};
}

// A member without a core: its strand, its server and what it received.
class Node {
 public:
  explicit Node(RaftId id, const std::string& cluster = "c",
                NetTransport::Admission admission = let_all_in(), uint16_t at = 0)
      : id(id),
        transport(std::make_unique<NetTransport>(NetTransport::Config{id, cluster, "", inbox},
                                                 strand, clock, rng, test_contexts(), test_channel,
                                                 std::move(admission))) {
    strand.start("node");
    serve(at);
    strand.call([this] {
      transport->set_handlers({[this](Message message) {
                                 const std::lock_guard lock(mutex);
                                 received.push_back(std::move(message));
                                 changed.notify_all();
                               },
                               [this](RaftId to, bool delivered) {
                                 const std::lock_guard lock(mutex);
                                 reports.emplace_back(to, delivered);
                                 changed.notify_all();
                               }});
      return 0;
    });
  }
  ~Node() {
    strand.call([this] {
      transport->stop();
      return 0;
    });
    if (server.server) server.stop();
    strand.call([] {});  // what was posted has run
    transport.reset();
    strand.stop();
  }

  void serve(uint16_t at) {
    server = TestServer::start(*transport, at);
    port = server.port;
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port); }
  void meet(const std::vector<Member>& members) {
    strand.call([&] {
      transport->set_members(members);
      return 0;
    });
  }
  void send(Message message) {
    strand.call([&] {
      transport->send(message.to, message);
      return 0;
    });
  }
  template <typename F>
  bool wait(F condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, condition);
  }

  const RaftId id;
  CountingInbox inbox;
  Strand strand;
  ShiftedClock clock;
  SystemRng rng;
  uint16_t port = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Message> received;
  std::vector<std::pair<RaftId, bool>> reports;
  std::unique_ptr<NetTransport> transport;
  TestServer server;
};

inline Message heartbeat(RaftId from, RaftId to, Term term) {
  Message message;
  message.type = MessageType::kHeartbeat;
  message.from = from;
  message.to = to;
  message.term = term;
  return message;
}

}  // namespace shoal::raft
