#include "raft/transport/transport.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "base/runtime/system_ports.h"
#include "proto/raft.grpc.pb.h"
#include "raft/storage/inbox.h"
#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

// A member without a core: its strand, its server and what it received.
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

class Node {
 public:
  explicit Node(RaftId id, const std::string& cluster = "c",
                GrpcTransport::Admission admission = {
                    [](const auto&) { return NodeId("n"); },
                    [](const NodeId&, RaftId) { return ok_status(); }})
      : transport(std::make_unique<GrpcTransport>(
            GrpcTransport::Config{id, cluster, "", inbox}, strand, clock, rng,
            [](const std::string& address) {
              return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                               raft_channel_arguments());
            },
            std::move(admission))) {
    strand.start("node");
    serve(0);
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
    if (server) server->Shutdown(std::chrono::system_clock::now());
    strand.call([] {});  // what the streams posted has run
    transport.reset();
    strand.stop();
  }

  void serve(int at) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(at), grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&transport->service());
    server = builder.BuildAndStart();
    ASSERT_NE(server, nullptr);
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

  CountingInbox inbox;
  Strand strand;
  SystemClock clock;
  SystemRng rng;
  int port = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Message> received;
  std::vector<std::pair<RaftId, bool>> reports;
  std::unique_ptr<GrpcTransport> transport;
  std::unique_ptr<grpc::Server> server;
};

Message heartbeat(RaftId from, RaftId to, Term term) {
  Message message;
  message.type = MessageType::kHeartbeat;
  message.from = from;
  message.to = to;
  message.term = term;
  return message;
}

TEST(Transport, CarriesMessagesBothWaysInOrder) {
  Node a(1);
  Node b(2);
  a.meet({{1, a.address(), false}, {2, b.address(), false}});
  b.meet({{1, a.address(), false}});
  for (Index i = 0; i < 100; ++i) {
    Message append = heartbeat(1, 2, 5);
    append.type = MessageType::kAppend;
    append.index = i;
    append.log_term = 4;
    append.entries = {{.term = 5, .index = i + 1, .type = EntryType::kCommand, .data = "x"}};
    a.send(append);
  }
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 100; }));
  for (Index i = 0; i < 100; ++i) {
    EXPECT_EQ(b.received[i].index, i);
    ASSERT_EQ(b.received[i].entries.size(), 1U);
    EXPECT_EQ(b.received[i].entries[0].index, i + 1);
  }
  b.send(heartbeat(2, 1, 5));
  ASSERT_TRUE(a.wait([&] { return a.received.size() == 1; }));
}

Message snapshot_of(const std::string& text) {
  Message message = heartbeat(1, 2, 5);
  message.type = MessageType::kSnapshot;
  message.snapshot = std::make_shared<Snapshot>(
      Snapshot{{9, 4, {{1, "a:1", false}, {2, "b:1", true}}}, snapshot_text(text)});
  return message;
}

std::string random_text(size_t size) {
  SeededRng rng(1);
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t word = rng.next();
    std::memcpy(text.data() + i, &word, std::min<size_t>(8, size - i));
  }
  return text;
}

bool is_snapshot(const Message& message, const std::string& text) {
  return message.type == MessageType::kSnapshot && message.from == 1 && message.term == 5 &&
         message.snapshot->meta.index == 9 && *read_all(*message.snapshot->data) == text;
}

TEST(Transport, CarriesASnapshotInChunksAndReportsIt) {
  for (const size_t size :
       {size_t{0}, size_t{1}, kSnapshotChunkBytes, 3 * kSnapshotChunkBytes + 17}) {
    Node a(1);
    Node b(2);
    a.meet({{2, b.address(), false}});
    const std::string text = random_text(size);
    a.send(snapshot_of(text));
    ASSERT_TRUE(b.wait([&] { return b.received.size() == 1; }));
    EXPECT_TRUE(is_snapshot(b.received[0], text));
    ASSERT_TRUE(a.wait([&] { return a.reports.size() == 1; }));
    EXPECT_EQ(a.reports[0], (std::pair<RaftId, bool>{2, true}));
  }
}

TEST(Transport, ASnapshotThatBrokeOffIsGoneOnWith) {
  Node a(1);
  Node b(2);
  b.inbox.breaks_at = 8;
  a.meet({{2, b.address(), false}});
  const std::string text = random_text(20 * kSnapshotChunkBytes);
  a.send(snapshot_of(text));
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 1; }));
  EXPECT_TRUE(is_snapshot(b.received[0], text));
  EXPECT_EQ(b.inbox.offers, 2U);
  EXPECT_EQ(b.inbox.bytes, text.size()) << "no byte was taken in twice";
  ASSERT_TRUE(a.wait([&] { return !a.reports.empty(); }));
  EXPECT_TRUE(a.reports[0].second);
}

TEST(Transport, ASnapshotGoesOnWhenTheReceiversServerCameBack) {
  Node a(1);
  Node b(2);
  const int port = b.port;
  a.meet({{2, b.address(), false}});
  const std::string text = random_text(48 * kSnapshotChunkBytes);
  a.send(snapshot_of(text));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (b.inbox.pieces < 4 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  b.server->Shutdown(std::chrono::system_clock::now());
  b.serve(port);
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 1; }));
  EXPECT_TRUE(is_snapshot(b.received[0], text));
  EXPECT_GE(b.inbox.offers, 2U);
  EXPECT_EQ(b.inbox.bytes, text.size()) << "no byte was taken in twice";
}

TEST(Transport, MessagesDoNotWaitForASnapshotAndItKeepsItsRate) {
  Node a(1);
  Node b(2);
  a.meet({{2, b.address(), false}});
  const auto begun = std::chrono::steady_clock::now();
  const std::string text = random_text(40 * kSnapshotChunkBytes);
  a.send(snapshot_of(text));
  for (Term term = 1; term <= 50; ++term) a.send(heartbeat(1, 2, term));
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 51; }));
  EXPECT_EQ(b.received.back().type, MessageType::kSnapshot);
  const double least =
      static_cast<double>(text.size() - kSnapshotBurstBytes - kSnapshotChunkBytes) /
      static_cast<double>(kSnapshotBytesPerSecond);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::duration<double>(least));
}

TEST(Transport, ASnapshotToNobodyIsReported) {
  Node a(1);
  a.meet({{2, "127.0.0.1:1", false}});
  a.send(snapshot_of("x"));
  ASSERT_TRUE(a.wait([&] { return a.reports.size() == 1; }));
  EXPECT_EQ(a.reports[0], (std::pair<RaftId, bool>{2, false}));
}

// What somebody with a certificate of ours might send.
class HostileSender {
 public:
  explicit HostileSender(const Node& to)
      : stub_(wire::Raft::NewStub(
            grpc::CreateChannel(to.address(), grpc::InsecureChannelCredentials()))) {}

  static wire::SnapshotPiece offer(const std::string& text, RaftId from = 1) {
    wire::SnapshotPiece piece;
    to_wire(snapshot_of(text), *piece.mutable_offer());
    wire::Hello* hello = piece.mutable_offer()->mutable_hello();
    hello->set_protocol_version(kProtocolVersion);
    hello->set_cluster_id("c");
    hello->set_from(from);
    hello->set_to(2);
    return piece;
  }
  static wire::SnapshotPiece chunk(uint64_t offset, const std::string& data) {
    wire::SnapshotPiece piece;
    piece.mutable_chunk()->set_offset(offset);
    piece.mutable_chunk()->set_data(data);
    return piece;
  }
  grpc::StatusCode send(const std::vector<wire::SnapshotPiece>& pieces) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const auto stream = stub_->Snapshot(&context);
    wire::SnapshotProgress progress;
    for (const auto& piece : pieces) {
      if (!stream->Write(piece) || !stream->Read(&progress)) break;
    }
    stream->WritesDone();
    while (stream->Read(&progress)) {
    }
    return stream->Finish().error_code();
  }

 private:
  std::unique_ptr<wire::Raft::Stub> stub_;
};

TEST(Transport, HostileSnapshotsAreRefused) {
  Node b(2);
  HostileSender sender(b);
  using grpc::StatusCode;
  const auto offer = HostileSender::offer("state");
  EXPECT_EQ(sender.send({HostileSender::chunk(0, "state")}), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sender.send({offer, offer}), StatusCode::INVALID_ARGUMENT) << "offered twice";
  EXPECT_EQ(sender.send({offer, {}}), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sender.send({offer, HostileSender::chunk(0, "")}), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sender.send({offer, HostileSender::chunk(1, "s")}), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sender.send({offer, HostileSender::chunk(UINT64_MAX, "s")}),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sender.send({offer, HostileSender::chunk(0, "state and more")}),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(sender.send({offer, HostileSender::chunk(0, "wrong")}), StatusCode::DATA_LOSS);
  const auto changed = [&](auto change) {
    auto piece = offer;
    change(*piece.mutable_offer());
    return sender.send({piece});
  };
  EXPECT_EQ(changed([](auto& o) { o.set_size(kMaxSnapshotBytes + 1); }),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(changed([](auto& o) { o.set_size(UINT64_MAX); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(changed([](auto& o) { o.set_digest("short"); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(changed([](auto& o) { o.mutable_meta()->clear_members(); }),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(changed([](auto& o) { o.mutable_meta()->set_index(UINT64_MAX); }),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(changed([](auto& o) { o.mutable_hello()->set_cluster_id("other"); }),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(changed([](auto& o) { o.mutable_hello()->set_protocol_version(9); }),
            StatusCode::UNIMPLEMENTED);
  auto large = HostileSender::offer(std::string(2 * kSnapshotChunkBytes, 'x'));
  EXPECT_EQ(
      sender.send({large, HostileSender::chunk(0, std::string(kSnapshotChunkBytes + 1, 'x'))}),
      StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(b.received.empty());
  // And after all that an honest one.
  EXPECT_EQ(sender.send({offer, HostileSender::chunk(0, "state")}), StatusCode::OK);
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 1; }));
  EXPECT_TRUE(is_snapshot(b.received[0], "state"));
}

TEST(Transport, AVersionInCommonIsEnough) {
  Node b(2);
  HostileSender sender(b);
  auto offer = HostileSender::offer("");
  offer.mutable_offer()->mutable_hello()->set_protocol_version(kProtocolVersion + 1);
  EXPECT_EQ(sender.send({offer}), grpc::StatusCode::UNIMPLEMENTED) << "it speaks nothing older";
  offer.mutable_offer()->mutable_hello()->set_oldest_version(kProtocolVersion);
  EXPECT_EQ(sender.send({offer}), grpc::StatusCode::OK);
}

TEST(TokenBucket, LetsABurstGoAndThenKeepsTheRate) {
  TokenBucket bucket(1000, 500);
  Instant now = Instant() + std::chrono::seconds(1);
  EXPECT_EQ(bucket.take(now, 500), Duration::zero());
  EXPECT_EQ(bucket.take(now, 250), std::chrono::milliseconds(250));
  now = now + std::chrono::milliseconds(250);
  EXPECT_EQ(bucket.take(now, 100), std::chrono::milliseconds(100));
  now = now + std::chrono::hours(1);
  EXPECT_EQ(bucket.take(now, 500), Duration::zero()) << "no more than a burst is saved up";
  EXPECT_EQ(bucket.take(now, 1), std::chrono::milliseconds(1));
}

TEST(Transport, ReachesAMemberThatCameBack) {
  Node a(1);
  auto b = std::make_unique<Node>(2);
  const int port = b->port;
  a.meet({{2, b->address(), false}});
  a.send(heartbeat(1, 2, 1));
  ASSERT_TRUE(b->wait([&] { return b->received.size() == 1; }));
  b->server->Shutdown(std::chrono::system_clock::now());
  b->server.reset();
  b->serve(port);
  // As raft does, say it again until it is heard.
  const auto end = std::chrono::steady_clock::now() + kPatience;
  bool heard = false;
  while (!heard && std::chrono::steady_clock::now() < end) {
    a.send(heartbeat(1, 2, 2));
    std::unique_lock lock(b->mutex);
    heard = b->changed.wait_for(lock, std::chrono::milliseconds(50),
                                [&] { return b->received.back().term == 2; });
  }
  EXPECT_TRUE(heard);
}

TEST(Transport, RefusesStrangersAndOtherClusters) {
  Node a(1);
  Node other(2, "another cluster");
  Node strict(3, "c",
              {[](const auto&) { return Result<NodeId>(permission_denied("not you")); },
               [](const NodeId&, RaftId) { return ok_status(); }});
  Node open(4);
  a.meet({{2, other.address(), false}, {3, strict.address(), false}, {4, open.address(), false}});
  for (Term term = 1; term <= 20; ++term) {
    for (const RaftId to : {2, 3, 4}) a.send(heartbeat(1, to, term));
  }
  ASSERT_TRUE(open.wait([&] { return open.received.size() == 20; }));
  const std::lock_guard first(other.mutex);
  const std::lock_guard second(strict.mutex);
  EXPECT_TRUE(other.received.empty());
  EXPECT_TRUE(strict.received.empty());
}

// Member 1 is node "n"; and from some moment on nobody is.
TEST(Transport, ANodeSpeaksForItsOwnMemberOnly) {
  std::atomic<bool> demoted = false;
  std::atomic<int> refused = 0;
  Node b(2, "c",
         {[](const auto&) { return NodeId("n"); },
          [&](const NodeId& node, RaftId from) {
            if (node == NodeId("n") && from == 1 && !demoted) return ok_status();
            ++refused;
            return Status(permission_denied("not you"));
          }});
  // A peer that says what it likes.
  const auto say = [&](RaftId from, int messages) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    wire::StreamAck ack;
    auto stream =
        wire::Raft::NewStub(grpc::CreateChannel(b.address(), grpc::InsecureChannelCredentials()))
            ->Stream(&context, &ack);
    wire::Envelope envelope;
    wire::Hello& hello = *envelope.mutable_hello();
    hello.set_protocol_version(kProtocolVersion);
    hello.set_cluster_id("c");
    hello.set_from(from);
    hello.set_to(2);
    bool open = stream->Write(envelope);
    for (int i = 1; i <= messages && open; ++i) {
      to_wire(heartbeat(from, 2, static_cast<Term>(i)), *envelope.mutable_message());
      open = stream->Write(envelope);
      if (i == 1 && open && from == 1) {
        EXPECT_TRUE(b.wait([&] { return !b.received.empty(); }));
        demoted = true;
      }
    }
    stream->WritesDone();
    return stream->Finish().error_code();
  };
  EXPECT_EQ(say(3, 1), grpc::StatusCode::PERMISSION_DENIED) << "another member's name";
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(say(1, 2), grpc::StatusCode::PERMISSION_DENIED) << "demoted while it speaks";
  EXPECT_EQ(refused, 2);
  const std::lock_guard lock(b.mutex);
  ASSERT_EQ(b.received.size(), 1U);
  EXPECT_EQ(b.received[0].from, 1U);
}

TEST(Wire, RefusesWhatNoMemberSends) {
  Message append = heartbeat(1, 2, 5);
  append.type = MessageType::kAppend;
  append.index = 7;
  append.log_term = 4;
  append.entries = {{.term = 4, .index = 8, .type = EntryType::kCommand, .data = "x"},
                    {.term = 5, .index = 9, .type = EntryType::kConfChange, .data = "y"}};
  wire::Message good;
  to_wire(append, good);
  wire::Message copy = good;
  const auto decoded = from_wire(std::move(copy));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->entries, append.entries);

  const auto refused = [&](const std::function<void(wire::Message&)>& damage) {
    wire::Message bad = good;
    damage(bad);
    return !from_wire(std::move(bad)).ok();
  };
  EXPECT_TRUE(refused([](auto& m) { m.set_type(0); }));
  EXPECT_TRUE(refused([](auto& m) { m.set_type(13); }));
  EXPECT_TRUE(refused([](auto& m) { m.set_type(9); })) << "a snapshot outside of chunks";
  EXPECT_TRUE(refused([](auto& m) { m.set_type(7); })) << "a heartbeat with entries";
  EXPECT_TRUE(refused([](auto& m) { m.set_from(0); }));
  EXPECT_TRUE(refused([](auto& m) { m.set_index(UINT64_MAX); }));
  EXPECT_TRUE(refused([](auto& m) { m.set_index(6); })) << "a gap";
  EXPECT_TRUE(refused([](auto& m) { m.mutable_entries(1)->set_term(6); }));
  EXPECT_TRUE(refused([](auto& m) { m.mutable_entries(1)->set_term(3); }));
  EXPECT_TRUE(refused([](auto& m) { m.mutable_entries(0)->set_type(3); }));
  EXPECT_TRUE(refused(
      [](auto& m) { m.mutable_entries(0)->set_data(std::string(kMaxEntryBytes + 1, 'x')); }));
}

}  // namespace
}  // namespace shoal::raft
