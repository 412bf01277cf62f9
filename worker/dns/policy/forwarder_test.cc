#include "worker/dns/policy/forwarder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "worker/dns/policy/test_packets.h"

namespace shoal::worker::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

const HostPort kOne = *HostPort::parse("192.0.2.1:53");
const HostPort kTwo = *HostPort::parse("192.0.2.2:53");
const HostPort kThree = *HostPort::parse("[2001:db8::3]:53");

Client client(uint64_t sandbox, uint16_t port = 1000, Transport transport = Transport::kUdp) {
  return {.sandbox = sandbox, .transport = transport, .connection = 9, .ip = Ip(), .port = port};
}

// A forwarder in virtual time, and everything it has done since the last look.
class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() { forwarder_.set_upstreams({kOne, kTwo, kThree}); }

  void ask(const Query& query, const Client& from = client(1)) {
    forwarder_.receive(from, query, now_);
    collect();
  }
  // Lets time pass, ticking exactly at every deadline.
  void pass(Duration span) {
    const Instant end = now_ + span;
    while (forwarder_.next_deadline() <= end) {
      now_ = std::max(now_, forwarder_.next_deadline());
      forwarder_.tick(now_);
      collect();
    }
    now_ = end;
  }
  void answer(const SendToUpstream& sent, Rcode rcode, const std::vector<std::string>& ips = {},
              uint32_t ttl = 60) {
    hand_in(sent, upstream_answer(read_query(sent.packet), rcode, ips, ttl));
  }
  void hand_in(const SendToUpstream& sent, const Bytes& packet) {
    forwarder_.receive_answer(sent.attempt, sent.upstream, packet, now_);
    collect();
  }
  void collect() {
    for (ForwarderEffect& effect : forwarder_.take_effects()) {
      if (auto* send = std::get_if<SendToUpstream>(&effect)) {
        open_.insert(send->attempt);
        sent_.push_back(std::move(*send));
      } else if (auto* close = std::get_if<CloseAttempt>(&effect)) {
        EXPECT_EQ(open_.erase(close->attempt), 1U) << "closed twice, or never opened";
      } else {
        replies_.push_back(std::get<ReplyToClient>(effect));
      }
    }
    if (forwarder_.in_flight() == 0) {
      EXPECT_TRUE(open_.empty()) << "a socket leaks";
      EXPECT_EQ(forwarder_.next_deadline(), Instant::max());
    }
  }
  std::vector<HostPort> asked() const {
    std::vector<HostPort> out;
    for (const SendToUpstream& send : sent_) out.push_back(send.upstream);
    return out;
  }
  Response reply() {
    EXPECT_EQ(replies_.size(), 1U);
    Response response;
    EXPECT_TRUE(!replies_.empty() && parse_response(replies_.back().packet, response));
    return response;
  }
  Rcode reply_code() { return static_cast<Rcode>(reply().rcode); }

  SeededRng rng_{7};
  Forwarder forwarder_{rng_};
  Instant now_{1'000'000'000};
  std::vector<SendToUpstream> sent_;
  std::vector<ReplyToClient> replies_;
  std::set<uint64_t> open_;
};

TEST_F(ForwarderTest, AnswersFromTheFirstUpstream) {
  ask(make_query("example.org"));
  ASSERT_THAT(asked(), ElementsAre(kOne));
  EXPECT_TRUE(read_query(sent_[0].packet).edns);
  answer(sent_[0], Rcode::kNoError, {"198.51.100.1"});
  const Response response = reply();
  EXPECT_EQ(response.id, 0x4242);
  EXPECT_EQ(response.records.size(), 1U);
  EXPECT_EQ(replies_[0].client, client(1));
  EXPECT_EQ(forwarder_.in_flight(), 0U);
  pass(seconds(10));
  EXPECT_EQ(sent_.size(), 1U);
}

TEST_F(ForwarderTest, HedgesAfterTheDelayAndTakesTheFirstAnswer) {
  ask(make_query("example.org"));
  pass(Forwarder::kHedgeDelay - milliseconds(1));
  EXPECT_EQ(sent_.size(), 1U);
  pass(milliseconds(1));
  EXPECT_THAT(asked(), ElementsAre(kOne, kTwo));
  pass(Forwarder::kHedgeDelay);
  EXPECT_THAT(asked(), ElementsAre(kOne, kTwo, kThree));
  EXPECT_EQ(open_.size(), 3U);
  std::set<uint64_t> attempts;
  for (const auto& send : sent_) attempts.insert(send.attempt);
  EXPECT_EQ(attempts.size(), 3U);
  answer(sent_[1], Rcode::kNoError, {"198.51.100.1"});
  EXPECT_EQ(reply_code(), Rcode::kNoError);
  answer(sent_[0], Rcode::kNxDomain);
  EXPECT_EQ(replies_.size(), 1U) << "later answers are nobody's";
}

TEST_F(ForwarderTest, SilenceEndsInServFailAtTheDeadline) {
  ask(make_query("example.org"));
  pass(Forwarder::kQueryDeadline - milliseconds(1));
  EXPECT_TRUE(replies_.empty());
  // 3 first sends in the first half second, all three again at 1.5, 2.5, 3.5 and 4.5 s.
  EXPECT_EQ(sent_.size(), 3U + 4 * 3);
  EXPECT_EQ(open_.size(), 3U) << "sent again from the same sockets";
  pass(milliseconds(1));
  EXPECT_EQ(reply_code(), Rcode::kServFail);
  EXPECT_EQ(forwarder_.counters().failed, 1U);
}

TEST_F(ForwarderTest, TcpIsNotSentAgain) {
  ask(make_query("example.org"), client(1, 1, Transport::kTcp));
  pass(Forwarder::kQueryDeadline - milliseconds(1));
  EXPECT_EQ(sent_.size(), 3U);
  EXPECT_EQ(sent_[0].transport, Transport::kTcp);
}

TEST_F(ForwarderTest, ServFailAndRefusedGoOnAtOnce) {
  ask(make_query("example.org"));
  answer(sent_[0], Rcode::kServFail);
  ASSERT_THAT(asked(), ElementsAre(kOne, kTwo));
  answer(sent_[1], Rcode::kRefused);
  ASSERT_THAT(asked(), ElementsAre(kOne, kTwo, kThree));
  answer(sent_[2], Rcode::kNoError, {"198.51.100.1"});
  EXPECT_EQ(reply_code(), Rcode::kNoError);
}

TEST_F(ForwarderTest, AllRefuse) {
  ask(make_query("example.org"));
  answer(sent_[0], Rcode::kServFail);
  answer(sent_[1], Rcode::kServFail);
  answer(sent_[2], Rcode::kRefused);
  EXPECT_EQ(reply_code(), Rcode::kRefused);
  EXPECT_EQ(now_.nanoseconds, 1'000'000'000) << "without waiting";
}

TEST_F(ForwarderTest, NxDomainEnds) {
  ask(make_query("example.org"));
  answer(sent_[0], Rcode::kNxDomain);
  EXPECT_EQ(reply_code(), Rcode::kNxDomain);
  EXPECT_EQ(sent_.size(), 1U);
}

TEST_F(ForwarderTest, SocketFailureGoesOnAtOnce) {
  ask(make_query("example.org"));
  forwarder_.receive_failure(sent_[0].attempt, now_);
  collect();
  EXPECT_THAT(asked(), ElementsAre(kOne, kTwo));
  forwarder_.receive_failure(sent_[1].attempt, now_);
  collect();
  forwarder_.receive_failure(sent_[2].attempt, now_);
  collect();
  EXPECT_EQ(reply_code(), Rcode::kServFail);
}

TEST_F(ForwarderTest, ForgedAnswersAreIgnored) {
  ask(make_query("example.org"));
  const Query query = read_query(sent_[0].packet);
  const Bytes good = upstream_answer(query, Rcode::kNoError, {"198.51.100.1"});

  forwarder_.receive_answer(sent_[0].attempt, kTwo, good, now_);
  Query other = query;
  other.id ^= 1;
  hand_in(sent_[0], upstream_answer(other, Rcode::kNoError, {"198.51.100.66"}));
  other = query;
  other.question.name = *Name::from_text("example.com");
  hand_in(sent_[0], upstream_answer(other, Rcode::kNoError, {"198.51.100.66"}));
  other = query;
  other.question.type = rr::kAaaa;
  hand_in(sent_[0], upstream_answer(other, Rcode::kNoError, {}));
  EXPECT_EQ(forwarder_.counters().answers_mismatched, 4U);
  hand_in(sent_[0], Bytes(good.begin(), good.end() - 1));
  hand_in(sent_[0], sent_[0].packet);
  EXPECT_EQ(forwarder_.counters().answers_malformed, 2U);
  forwarder_.receive_answer(424242, kOne, good, now_);
  EXPECT_TRUE(replies_.empty());
  hand_in(sent_[0], good);
  EXPECT_EQ(reply_code(), Rcode::kNoError);
}

TEST_F(ForwarderTest, IdsAreDrawn) {
  std::set<uint16_t> ids;
  for (int i = 0; i < 100; ++i) ask(make_query("n" + std::to_string(i)));
  for (const auto& send : sent_) ids.insert(read_query(send.packet).id);
  EXPECT_GT(ids.size(), 95U);
}

TEST_F(ForwarderTest, AServerFromBeforeEdnsIsAskedWithout) {
  ask(make_query("example.org"));
  answer(sent_[0], Rcode::kFormErr);
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(sent_[1].attempt, sent_[0].attempt);
  EXPECT_FALSE(read_query(sent_[1].packet).edns);
  answer(sent_[1], Rcode::kFormErr);
  EXPECT_THAT(asked(), ElementsAre(kOne, kOne, kTwo));
}

TEST_F(ForwarderTest, ASilentUpstreamIsAskedLastForAWhile) {
  for (int i = 0; i < Forwarder::kMissesToDemote; ++i) {
    ask(make_query("n" + std::to_string(i)));
    EXPECT_EQ(sent_[0].upstream, kOne);
    pass(Forwarder::kHedgeDelay);
    answer(sent_[1], Rcode::kNxDomain);
    sent_.clear();
  }
  ask(make_query("after"));
  EXPECT_THAT(asked(), ElementsAre(kTwo));
  answer(sent_[0], Rcode::kNxDomain);
  pass(Forwarder::kDemotedFor);
  sent_.clear();
  ask(make_query("tried-again"));
  EXPECT_THAT(asked(), ElementsAre(kOne));
  pass(Forwarder::kHedgeDelay);
  answer(sent_[1], Rcode::kNxDomain);
  sent_.clear();
  ask(make_query("and-demoted-at-once"));
  EXPECT_THAT(asked(), ElementsAre(kTwo));
  answer(sent_[0], Rcode::kNxDomain);
  pass(Forwarder::kDemotedFor);
  sent_.clear();
  ask(make_query("works"));
  answer(sent_[0], Rcode::kNxDomain);
  ask(make_query("healthy"));
  EXPECT_THAT(asked(), ElementsAre(kOne, kOne));
}

TEST_F(ForwarderTest, OneFlooderDoesNotStarveOthers) {
  for (size_t i = 0; i < Forwarder::kMaxInFlightPerSandbox + 50; ++i) {
    ask(make_query("n" + std::to_string(i)), client(1));
  }
  EXPECT_EQ(forwarder_.in_flight(), Forwarder::kMaxInFlightPerSandbox);
  EXPECT_EQ(replies_.size(), 50U);
  EXPECT_EQ(forwarder_.counters().refused_sandbox_bound, 50U);
  Response response;
  ASSERT_TRUE(parse_response(replies_[0].packet, response));
  EXPECT_EQ(static_cast<Rcode>(response.rcode), Rcode::kRefused);
  const size_t before = sent_.size();
  ask(make_query("polite"), client(2));
  EXPECT_EQ(sent_.size(), before + 1);
  // What is answered makes room.
  answer(sent_[0], Rcode::kNxDomain);
  ask(make_query("again"), client(1));
  EXPECT_EQ(sent_.size(), before + 2);
}

TEST_F(ForwarderTest, TotalBound) {
  for (size_t i = 0; i < Forwarder::kMaxInFlight + 10; ++i) {
    ask(make_query("n" + std::to_string(i)), client(i % 64));
  }
  EXPECT_EQ(forwarder_.in_flight(), Forwarder::kMaxInFlight);
  EXPECT_EQ(forwarder_.counters().refused_total_bound, 10U);
  pass(Forwarder::kQueryDeadline);
  EXPECT_EQ(forwarder_.in_flight(), 0U);
  EXPECT_EQ(replies_.size(), Forwarder::kMaxInFlight + 10);
}

TEST_F(ForwarderTest, CancelForgets) {
  ask(make_query("a"), client(1));
  ask(make_query("b"), client(2));
  ask(make_query("c"), client(2, 0, Transport::kTcp));
  forwarder_.cancel_connection(2, 8);
  forwarder_.cancel_connection(2, 9);
  collect();
  EXPECT_EQ(forwarder_.in_flight(), 2U);
  forwarder_.cancel_sandbox(2);
  collect();
  EXPECT_EQ(forwarder_.in_flight(), 1U);
  EXPECT_EQ(open_.size(), 1U);
  answer(sent_[1], Rcode::kNoError, {"198.51.100.1"});
  EXPECT_TRUE(replies_.empty());
}

TEST_F(ForwarderTest, WithoutUpstreamsServFailAtOnce) {
  forwarder_.set_upstreams({});
  ask(make_query("example.org"));
  EXPECT_EQ(reply_code(), Rcode::kServFail);
}

TEST_F(ForwarderTest, SecondQuestionComesFromTheCache) {
  ask(make_query("example.org"));
  answer(sent_[0], Rcode::kNoError, {"198.51.100.1"}, 60);
  replies_.clear();
  pass(seconds(20));
  ask(make_query("EXAMPLE.org"), client(2));
  EXPECT_EQ(sent_.size(), 1U);
  const Response response = reply();
  EXPECT_EQ(response.records.at(0).ttl, 40U);
  EXPECT_EQ(response.question.name.text(), "EXAMPLE.org");
  EXPECT_EQ(replies_[0].client, client(2));
  EXPECT_EQ(forwarder_.counters().cache_hits, 1U);
  replies_.clear();
  pass(seconds(40));
  ask(make_query("example.org"));
  EXPECT_EQ(sent_.size(), 2U) << "expired";
}

TEST_F(ForwarderTest, ChangedUpstreamsDropTheCache) {
  ask(make_query("example.org"));
  answer(sent_[0], Rcode::kNoError, {"198.51.100.1"});
  forwarder_.set_upstreams({kOne, kTwo, kThree});
  ask(make_query("example.org"));
  EXPECT_EQ(sent_.size(), 1U) << "the same list changes nothing";
  forwarder_.set_upstreams({kTwo});
  ask(make_query("example.org"));
  EXPECT_THAT(asked(), ElementsAre(kOne, kTwo));
}

// Whatever upstreams do, every query gets exactly one reply, in time, and nothing leaks.
TEST_F(ForwarderTest, EveryQueryIsAnsweredOnce) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SeededRng rng(seed);
    sent_.clear();
    replies_.clear();
    size_t asked_count = 0;
    for (int step = 0; step < 400; ++step) {
      if (rng.below(3) == 0) {
        ++asked_count;
        ask(make_query("n" + std::to_string(rng.below(50))), client(rng.below(4)));
      }
      pass(milliseconds(rng.below(200)));
      if (sent_.empty()) continue;
      const SendToUpstream sent = sent_[rng.below(sent_.size())];
      switch (rng.below(6)) {
        case 0:
          forwarder_.receive_failure(sent.attempt, now_);
          collect();
          break;
        case 1:
          answer(sent, Rcode::kServFail);
          break;
        case 2:
          answer(sent, Rcode::kFormErr);
          break;
        case 3:
          answer(sent, Rcode::kNxDomain);
          break;
        case 4:
          answer(sent, Rcode::kNoError, {"198.51.100.1"}, static_cast<uint32_t>(rng.below(3)));
          break;
        default: {
          Bytes noise = sent.packet;
          noise[rng.below(noise.size())] ^= static_cast<uint8_t>(1 + rng.below(255));
          hand_in(sent, noise);
        }
      }
    }
    pass(Forwarder::kQueryDeadline);
    EXPECT_EQ(forwarder_.in_flight(), 0U);
    EXPECT_EQ(replies_.size(), asked_count) << "seed " << seed;
  }
}

}  // namespace
}  // namespace shoal::worker::dns
