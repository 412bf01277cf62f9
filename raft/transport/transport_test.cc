// Messages between members, and who is let in.
#include <gtest/gtest.h>

#include <thread>

#include "proto/raft.pb.h"
#include "raft/transport/speaker.h"
#include "raft/transport/test_members.h"
#include "raft/transport/wire.h"

namespace shoal::raft {
namespace {

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

TEST(Transport, ReachesAMemberThatCameBack) {
  Node a(1);
  auto b = std::make_unique<Node>(2);
  const uint16_t port = b->port;
  a.meet({{2, b->address(), false}});
  a.send(heartbeat(1, 2, 1));
  ASSERT_TRUE(b->wait([&] { return b->received.size() == 1; }));
  b.reset();
  b = std::make_unique<Node>(2, "c", let_all_in(), port);
  // As raft does, say it again until it is heard.
  const auto end = std::chrono::steady_clock::now() + kPatience;
  bool heard = false;
  while (!heard && std::chrono::steady_clock::now() < end) {
    a.send(heartbeat(1, 2, 2));
    std::unique_lock lock(b->mutex);
    heard = b->changed.wait_for(lock, std::chrono::milliseconds(50),
                                [&] { return !b->received.empty(); });
  }
  EXPECT_TRUE(heard);
}

TEST(Transport, TheFirstMessageAfterALongSilenceArrives) {
  Node a(1);
  Node b(2);
  a.meet({{2, b.address(), false}});
  a.send(heartbeat(1, 2, 1));
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 1; }));
  for (Term term = 2; term < 5; ++term) {
    a.clock.advance(std::chrono::seconds(60));
    a.send(heartbeat(1, 2, term));
    ASSERT_TRUE(b.wait([&] { return b.received.back().term == term; })) << term;
  }
}

TEST(Transport, RefusesStrangersAndOtherClusters) {
  Node a(1);
  Node other(2, "another cluster");
  Node strict(3, "c",
              {[](const auto&) { return Result<NodeId>(permission_denied("not you")); },
               [](SSL&) { return Result<NodeId>(permission_denied("not you")); },
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
         {[](const auto&) { return NodeId("n"); }, [](SSL&) { return NodeId("n"); },
          [&](const NodeId& node, RaftId from) {
            if (node == NodeId("n") && from == 1 && !demoted) return ok_status();
            ++refused;
            return Status(permission_denied("not you"));
          }});
  const auto say = [&](RaftId from, int messages) {
    Speaker speaker(b.port);
    speaker.hello(from, 2);
    for (int i = 1; i <= messages; ++i) {
      wire::Envelope envelope;
      to_wire(heartbeat(from, 2, static_cast<Term>(i)), *envelope.mutable_message());
      speaker.say(envelope);
      if (i == 1 && from == 1) {
        EXPECT_TRUE(b.wait([&] { return !b.received.empty(); }));
        demoted = true;
      }
    }
    return speaker.refusal().error();
  };
  EXPECT_EQ(say(3, 1), "permission_denied") << "another member's name";
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(say(1, 2), "permission_denied") << "demoted while it speaks";
  EXPECT_EQ(refused, 2);
  const std::lock_guard lock(b.mutex);
  ASSERT_EQ(b.received.size(), 1U);
  EXPECT_EQ(b.received[0].from, 1U);
}

// What raft says to it ten times a second must not be a handshake each time.
TEST(Transport, WhoRefusesIsDialledLessAndLess) {
  std::atomic<int> dialled = 0;
  Node strict(2, "c",
              {[](const auto&) { return NodeId("n"); },
               [&](SSL&) {
                 ++dialled;
                 return Result<NodeId>(permission_denied("not you"));
               },
               [](const NodeId&, RaftId) { return ok_status(); }});
  Node a(1);
  a.meet({{2, strict.address(), false}});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < end) {
    a.send(heartbeat(1, 2, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  // After 50, 100, 200, 400 and 800 ms, and then each 800.
  EXPECT_GE(dialled, 2);
  EXPECT_LE(dialled, 8);
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
