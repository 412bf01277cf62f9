#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/dns/policy/cache.h"
#include "worker/dns/policy/resolv_conf.h"
#include "worker/dns/policy/resolver.h"
#include "worker/dns/policy/test_packets.h"

namespace shoal::worker::dns {
namespace {

using std::chrono::seconds;

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() {
    names_.upsert({.network = NetworkId("a"),
                   .network_name = "anet",
                   .key = "e1",
                   .name = "web",
                   .aliases = {"many"},
                   .short_id = "abcdefabcdef",
                   .ips = {*Ip::parse("10.0.0.2"), *Ip::parse("fd00::2")}});
    names_.upsert({.network = NetworkId("a"),
                   .network_name = "anet",
                   .key = "e2",
                   .name = "v4only",
                   .aliases = {"many"},
                   .ips = {*Ip::parse("10.0.0.3")}});
  }

  Disposition handle(const Bytes& packet, bool may_forward = true,
                     Transport transport = Transport::kUdp) {
    Bytes out(kMaxMessageSize);
    size_t size = 0;
    const View view{{NetworkId("a")}, may_forward};
    const Disposition disposition = resolver_.handle(packet, transport, view, out, query_, size);
    out.resize(size);
    response_ = {};
    if (disposition == Disposition::kReply && query_.has_question) {
      EXPECT_TRUE(parse_response(out, response_));
    }
    reply_ = out;
    return disposition;
  }
  Rcode code() const { return static_cast<Rcode>(response_.rcode); }

  NameTable names_;
  SeededRng rng_{3};
  Resolver resolver_{names_, rng_};
  Query query_;
  Bytes reply_;
  Response response_;
};

TEST_F(ResolverTest, LocalAnswers) {
  EXPECT_EQ(handle(query_packet("WEB")), Disposition::kReply);
  ASSERT_EQ(response_.records.size(), 1U);
  EXPECT_EQ(response_.records[0].ttl, kLocalTtl);
  EXPECT_NE(response_.flags & flag::kAa, 0);
  EXPECT_EQ(response_.question.name.text(), "WEB");
  EXPECT_EQ(handle(query_packet("web.anet", rr::kAaaa)), Disposition::kReply);
  EXPECT_EQ(response_.records.at(0).type, rr::kAaaa);
  EXPECT_EQ(handle(query_packet("many")), Disposition::kReply);
  EXPECT_EQ(response_.records.size(), 2U);
  EXPECT_EQ(handle(query_packet("web", rr::kAny)), Disposition::kReply);
  EXPECT_EQ(response_.records.size(), 2U);
  EXPECT_EQ(resolver_.counters().local, 4U);
}

TEST_F(ResolverTest, ExistsWithoutSuchARecord) {
  for (const uint16_t type : {rr::kAaaa, rr::kMx, rr::kTxt, uint16_t{65}}) {
    EXPECT_EQ(handle(query_packet("v4only", type)), Disposition::kReply);
    EXPECT_EQ(code(), Rcode::kNoError);
    EXPECT_TRUE(response_.records.empty());
  }
}

TEST_F(ResolverTest, Reverse) {
  EXPECT_EQ(handle(query_packet("2.0.0.10.in-addr.arpa", rr::kPtr)), Disposition::kReply);
  ASSERT_EQ(response_.records.size(), 1U);
  Name target;
  target.read(reply_, response_.records[0].rdata_offset, Compression::kAllowed);
  EXPECT_EQ(target.text(), "web.anet");
  EXPECT_EQ(handle(query_packet("9.0.0.10.in-addr.arpa", rr::kPtr)), Disposition::kForward);
}

TEST_F(ResolverTest, ForeignNames) {
  EXPECT_EQ(handle(query_packet("example.org")), Disposition::kForward);
  EXPECT_EQ(handle(query_packet("single")), Disposition::kForward);
  EXPECT_EQ(handle(query_packet(".")), Disposition::kForward);
  EXPECT_EQ(handle(query_packet("example.org"), false), Disposition::kReply);
  EXPECT_EQ(code(), Rcode::kServFail);
  EXPECT_EQ(resolver_.counters().internal, 1U);
  EXPECT_EQ(handle(query_packet("web"), false), Disposition::kReply);
  EXPECT_EQ(code(), Rcode::kNoError);
}

TEST_F(ResolverTest, Refusals) {
  Bytes chaos = query_packet("version.bind", rr::kTxt);
  chaos.back() = 3;
  EXPECT_EQ(handle(chaos), Disposition::kReply);
  EXPECT_EQ(code(), Rcode::kRefused);
  EXPECT_EQ(handle(query_packet("web", 252)), Disposition::kReply);  // AXFR
  EXPECT_EQ(code(), Rcode::kNotImp);
  Bytes notify = query_packet("web");
  notify[2] = 0x20;
  EXPECT_EQ(handle(notify), Disposition::kReply);
  EXPECT_EQ(reply_.size(), kHeaderSize);
  EXPECT_EQ(reply_[3] & 15, static_cast<int>(Rcode::kNotImp));
  Bytes cut = query_packet("web");
  cut.pop_back();
  EXPECT_EQ(handle(cut), Disposition::kReply);
  EXPECT_EQ(reply_[3] & 15, static_cast<int>(Rcode::kFormErr));
  EXPECT_EQ(handle({1, 2, 3}), Disposition::kDrop);
  EXPECT_EQ(handle(upstream_answer(make_query("web"), Rcode::kNoError, {})), Disposition::kDrop)
      << "a response is never answered";
  EXPECT_EQ(resolver_.counters().dropped_not_a_query, 2U);
  EXPECT_EQ(resolver_.counters().refused, 4U);
}

TEST(ResolvConf, Upstreams) {
  const auto list = upstreams_of_resolv_conf(
      "# nameserver 192.0.2.9\n"
      "search example.org\n"
      "nameserver 192.0.2.1\n"
      " nameserver\t2001:db8::1   # near\n"
      "nameserver 127.0.0.11\n"
      "nameserver 127.0.0.53\n"
      "nameserver 192.0.2.1\n"
      "nameserver fe80::1%eth0\n"
      "nameserver 0.0.0.0\n"
      "nameservers 192.0.2.8\n"
      "nameserver\n"
      "nameserver nonsense\n"
      "nameserver 192.0.2.2;x\r\n"
      "nameserver 192.0.2.3");
  std::vector<std::string> text;
  for (const HostPort& upstream : list) text.push_back(upstream.str());
  EXPECT_THAT(text, ::testing::ElementsAre("192.0.2.1:53", "[2001:db8::1]:53", "127.0.0.53:53",
                                           "192.0.2.2:53", "192.0.2.3:53"));
  EXPECT_TRUE(upstreams_of_resolv_conf("").empty());
  EXPECT_TRUE(upstreams_of_resolv_conf("\n\n\n").empty());
}

class CacheTest : public ::testing::Test {
 protected:
  void put(const Query& query, const Bytes& packet) {
    Response response;
    ASSERT_TRUE(parse_response(packet, response));
    cache_.put(query, packet, response, now_);
  }
  bool has(const Query& query, Duration after = Duration(0)) {
    return cache_.find(query, now_ + after).response != nullptr;
  }

  Cache cache_;
  Instant now_{5'000'000'000};
  const Query query_ = make_query("example.org");
};

TEST_F(CacheTest, LivesForTheLeastTtl) {
  Bytes packet(512);
  ReplyWriter writer(packet, 512, query_);
  writer.add_address(Ip::v4(1), 100);
  writer.add_address(Ip::v4(2), 30);
  packet.resize(writer.finish(Rcode::kNoError));
  put(query_, packet);
  EXPECT_TRUE(has(query_, seconds(30) - Duration(1)));
  EXPECT_EQ(cache_.find(query_, now_ + seconds(29)).age, 29U);
  EXPECT_FALSE(has(query_, seconds(30)));
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(cache_.bytes(), 0U);
}

TEST_F(CacheTest, NegativeAnswersLiveBySoa) {
  put(query_, negative_answer(query_, Rcode::kNxDomain, 100, 20));
  EXPECT_TRUE(has(query_, seconds(19)));
  EXPECT_FALSE(has(query_, seconds(20)));
  put(query_, negative_answer(query_, Rcode::kNoError, 10, 20));
  EXPECT_TRUE(has(query_, seconds(9)));
  EXPECT_FALSE(has(query_, seconds(10)));
  put(query_, negative_answer(query_, Rcode::kNxDomain, 100000, 100000));
  EXPECT_FALSE(has(query_, seconds(Cache::kMaxNegativeTtl)));
}

TEST_F(CacheTest, WhatIsNotKept) {
  put(query_, upstream_answer(query_, Rcode::kNoError, {"192.0.2.1"}, 0));
  put(query_, upstream_answer(query_, Rcode::kNoError, {"192.0.2.1"}, 0xffffffff));
  put(query_, upstream_answer(query_, Rcode::kNxDomain, {}));  // no SOA
  put(query_, upstream_answer(query_, Rcode::kNoError, {}));
  put(query_, upstream_answer(query_, Rcode::kServFail, {"192.0.2.1"}));
  Bytes truncated = upstream_answer(query_, Rcode::kNoError, {"192.0.2.1"});
  truncated[2] |= 0x02;
  put(query_, truncated);
  put(query_, upstream_answer(query_, Rcode::kNoError,
                              std::vector<std::string>(300, "192.0.2.1")));  // 4.8 KiB
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(CacheTest, KeyIsQuestionAndTheBitsThatChangeTheAnswer) {
  put(query_, upstream_answer(query_, Rcode::kNoError, {"192.0.2.1"}));
  EXPECT_TRUE(has(make_query("EXAMPLE.ORG")));
  EXPECT_TRUE(has(make_query("example.org", rr::kA, true)));
  EXPECT_FALSE(has(make_query("example.org", rr::kAaaa)));
  Query dnssec = make_query("example.org", rr::kA, true);
  dnssec.edns->dnssec_ok = true;
  EXPECT_FALSE(has(dnssec));
  Query unchecked = query_;
  unchecked.flags |= flag::kCd;
  EXPECT_FALSE(has(unchecked));
}

TEST_F(CacheTest, TheLeastRecentlyUsedGoesFirst) {
  for (size_t i = 0; i < Cache::kMaxEntries; ++i) {
    const Query query = make_query("n" + std::to_string(i));
    put(query, upstream_answer(query, Rcode::kNoError, {"192.0.2.1"}, 3000));
  }
  EXPECT_TRUE(has(make_query("n0")));
  put(query_, upstream_answer(query_, Rcode::kNoError, {"192.0.2.1"}));
  EXPECT_EQ(cache_.size(), Cache::kMaxEntries);
  EXPECT_TRUE(has(make_query("n0")));
  EXPECT_FALSE(has(make_query("n1")));
}

TEST_F(CacheTest, BytesAreBounded) {
  for (int i = 0; i < 2000; ++i) {
    const Query query = make_query("n" + std::to_string(i));
    put(query, upstream_answer(query, Rcode::kNoError, std::vector<std::string>(250, "192.0.2.1")));
    ASSERT_LE(cache_.bytes(), Cache::kMaxBytes);
  }
  EXPECT_GT(cache_.size(), 100U);
}

}  // namespace
}  // namespace shoal::worker::dns
