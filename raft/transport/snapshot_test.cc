// Snapshots between members: in chunks, gone on with, paced; hostile ones.
#include <gtest/gtest.h>

#include "proto/raft.grpc.pb.h"
#include "raft/transport/test_members.h"
#include "raft/transport/token_bucket.h"
#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

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
  b.server.stop();
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

}  // namespace
}  // namespace shoal::raft
