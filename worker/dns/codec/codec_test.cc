#include <gtest/gtest.h>

#include "base/ports/ports.h"
#include "worker/dns/codec/build.h"

namespace shoal::worker::dns {
namespace {

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<uint8_t>(value));
  return out;
}

Bytes query_packet(const std::string& name, uint16_t type, std::optional<uint16_t> edns = {},
                   uint8_t version = 0) {
  ByteWriter writer;
  writer.u16(0x1234);
  writer.u16(flag::kRd);
  writer.u16(1);
  writer.u16(0);
  writer.u16(0);
  writer.u16(edns ? 1 : 0);
  writer.raw(Name::from_text(name)->wire());
  writer.u16(type);
  writer.u16(kClassIn);
  if (edns) {
    writer.u8(0);
    writer.u16(rr::kOpt);
    writer.u16(*edns);
    writer.u32(static_cast<uint32_t>(version) << 16 | 0x8000);
    writer.u16(0);
  }
  return writer.take();
}

Query parsed(const Bytes& packet) {
  Query query;
  EXPECT_EQ(parse_query(packet, query), QueryVerdict::kOk);
  return query;
}

TEST(Name, TextAndBack) {
  for (const char* text : {".", "a", "web.mynet", "My_App.1.x", "db.a-b.c"}) {
    const auto name = Name::from_text(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->text(), text);
  }
  EXPECT_EQ(Name::from_text("web.")->text(), "web");
  for (const std::string& bad :
       {std::string("a..b"), std::string(".a"), std::string(".."), std::string(64, 'x')}) {
    EXPECT_FALSE(Name::from_text(bad)) << bad;
  }
  std::string longest;  // 3 labels of 63 and one of 61: 3 * 64 + 62 + 1 = 255 bytes on the wire
  for (int i = 0; i < 3; ++i) longest += std::string(63, 'x') + ".";
  EXPECT_EQ(Name::from_text(longest + std::string(61, 'y'))->size(), kMaxNameSize);
  EXPECT_FALSE(Name::from_text(longest + std::string(62, 'y')));
}

TEST(Name, KeyIsLowerCaseAndRefusesDotsInLabels) {
  std::array<char, kMaxNameSize> buffer;
  EXPECT_EQ(Name::from_text("WEB.MyNet")->key(buffer), "web.mynet");
  EXPECT_EQ(Name().key(buffer), "");
  Name dotted;
  const Bytes wire = bytes({3, 'a', '.', 'b', 0});
  ASSERT_EQ(dotted.read(wire, 0, Compression::kForbidden), 5U);
  EXPECT_EQ(dotted.key(buffer), "");
  EXPECT_EQ(dotted.text(), "a\\.b");
}

TEST(Name, EqualityIgnoresCase) {
  EXPECT_EQ(*Name::from_text("WeB.x"), *Name::from_text("web.X"));
  EXPECT_FALSE(*Name::from_text("web.x") == *Name::from_text("web.y"));
  EXPECT_FALSE(*Name::from_text("ab.c") == *Name::from_text("a.bc"));
}

TEST(Name, ReverseNames) {
  for (const char* text : {"10.0.1.7", "255.0.0.255", "fd00::1:2", "2001:db8::ffff"}) {
    const Ip ip = *Ip::parse(text);
    EXPECT_EQ(Name::reverse_of(ip).reversed(), ip) << text;
  }
  EXPECT_EQ(Name::reverse_of(*Ip::parse("10.0.1.7")).text(), "7.1.0.10.in-addr.arpa");
  for (const char* text :
       {"1.0.10.in-addr.arpa", "7.1.0.10.9.in-addr.arpa", "256.1.0.10.in-addr.arpa",
        "07.1.0.10.in-addr.arpa", "x.1.0.10.in-addr.arpa", "in-addr.arpa", "1.2.ip6.arpa", "web",
        "1000.1.0.10.in-addr.arpa", "-1.1.0.10.in-addr.arpa"}) {
    EXPECT_FALSE(Name::from_text(text)->reversed()) << text;
  }
}

TEST(Name, CompressionLoopsAndForwardPointersAreMalformed) {
  Bytes message(kHeaderSize, 0);
  const auto read = [&](std::initializer_list<int> tail, size_t at) {
    Bytes all = message;
    for (const int value : tail) all.push_back(static_cast<uint8_t>(value));
    Name name;
    return name.read(all, at, Compression::kAllowed);
  };
  EXPECT_EQ(read({1, 'a', 0, 0xc0, 12}, 15), 17U);
  EXPECT_EQ(read({1, 'a', 0, 1, 'b', 0xc0, 12}, 15), 19U);
  EXPECT_EQ(read({0xc0, 12}, 12), 0U) << "to itself";
  EXPECT_EQ(read({1, 'a', 0xc0, 12}, 12), 0U) << "to its own start";
  EXPECT_EQ(read({0xc0, 14, 0xc0, 12}, 12), 0U) << "forwards";
  EXPECT_EQ(read({1, 'a', 0xc0, 15, 1, 'b', 0xc0, 12}, 16), 0U) << "two names in a ring";
  EXPECT_EQ(read({0xc0, 3}, 12), 0U) << "into the header";
  EXPECT_EQ(read({0xc0}, 12), 0U) << "half a pointer";
  EXPECT_EQ(read({0x40, 'a', 0}, 12), 0U) << "label type 01";
  EXPECT_EQ(read({0x80, 'a', 0}, 12), 0U) << "label type 10";
  EXPECT_EQ(read({5, 'a', 'b'}, 12), 0U) << "label past the end";
  EXPECT_EQ(read({1, 'a'}, 12), 0U) << "no root";
  EXPECT_EQ(read({}, 12), 0U);
}

TEST(ParseQuery, Verdicts) {
  Query query;
  const Bytes good = query_packet("web", rr::kA);
  EXPECT_EQ(parse_query(good, query), QueryVerdict::kOk);
  EXPECT_EQ(query.id, 0x1234);
  EXPECT_EQ(query.question.name.text(), "web");
  EXPECT_EQ(query.question.type, rr::kA);

  for (size_t size = 0; size < good.size(); ++size) {
    const auto verdict = parse_query(ByteView(good).first(size), query);
    EXPECT_EQ(verdict, size < kHeaderSize ? QueryVerdict::kNotAQuery : QueryVerdict::kFormErr);
  }
  const auto with = [&](size_t at, int value) {
    Bytes packet = good;
    packet[at] = static_cast<uint8_t>(value);
    return parse_query(packet, query);
  };
  EXPECT_EQ(with(2, 0x81), QueryVerdict::kNotAQuery) << "a response";
  EXPECT_EQ(with(2, 0x28), QueryVerdict::kNotImp) << "UPDATE";
  EXPECT_EQ(with(5, 0), QueryVerdict::kFormErr) << "no question";
  EXPECT_EQ(with(5, 2), QueryVerdict::kFormErr) << "two questions";
  EXPECT_EQ(with(7, 1), QueryVerdict::kFormErr) << "an answer in a query";
  EXPECT_EQ(with(11, 1), QueryVerdict::kFormErr) << "a record that is not there";
}

TEST(ParseQuery, Edns) {
  Query query;
  EXPECT_EQ(parse_query(query_packet("web", rr::kA, 1400), query), QueryVerdict::kOk);
  ASSERT_TRUE(query.edns);
  EXPECT_EQ(query.edns->udp_size, 1400);
  EXPECT_TRUE(query.edns->dnssec_ok);
  EXPECT_EQ(reply_limit(query, Transport::kUdp), 1400U);
  EXPECT_EQ(reply_limit(query, Transport::kTcp), kMaxMessageSize);
  EXPECT_EQ(parse_query(query_packet("web", rr::kA, 1400, 1), query), QueryVerdict::kBadVers);

  EXPECT_EQ(reply_limit(parsed(query_packet("web", rr::kA)), Transport::kUdp), 512U);
  EXPECT_EQ(reply_limit(parsed(query_packet("web", rr::kA, 0)), Transport::kUdp), 512U);
  EXPECT_EQ(reply_limit(parsed(query_packet("web", rr::kA, 65535)), Transport::kUdp), 4096U);

  Bytes twice = query_packet("web", rr::kA, 1400);
  const Bytes opt(twice.end() - kOptSize, twice.end());
  twice.insert(twice.end(), opt.begin(), opt.end());
  twice[11] = 2;
  EXPECT_EQ(parse_query(twice, query), QueryVerdict::kFormErr);
}

TEST(Reply, BadVersSaysSoInTheExtendedBits) {
  Query query;
  ASSERT_EQ(parse_query(query_packet("web", rr::kA, 1400, 9), query), QueryVerdict::kBadVers);
  Bytes out(ReplyWriter::kMinReplyBuffer);
  out.resize(build_empty_reply(out, query, Rcode::kBadVers));
  Response response;
  ASSERT_TRUE(parse_response(out, response));
  EXPECT_EQ(response.rcode, 16);
  EXPECT_EQ(response.edns->udp_size, kAdvertisedUdpSize);
}

TEST(Reply, KeepsWhatFitsAndSetsTc) {
  for (const bool edns : {false, true}) {
    const Query query =
        parsed(edns ? query_packet("web", rr::kA, 512) : query_packet("web", rr::kA));
    Bytes out(4096);
    ReplyWriter writer(out, reply_limit(query, Transport::kUdp), query);
    int added = 0;
    for (uint32_t i = 0; i < 100; ++i) added += writer.add_address(Ip::v4(i), 5) ? 1 : 0;
    out.resize(writer.finish(Rcode::kNoError, true));
    // 12 header + 9 question, 16 per record, 11 for OPT.
    EXPECT_EQ(added, (512 - 21 - (edns ? 11 : 0)) / 16);
    EXPECT_LE(out.size(), 512U);
    Response response;
    ASSERT_TRUE(parse_response(out, response));
    EXPECT_NE(response.flags & flag::kTc, 0);
    EXPECT_EQ(response.records.size(), added + (edns ? 1U : 0U));
  }
}

TEST(Reply, CompressesTargets) {
  const Query query = parsed(query_packet("4.1.0.10.in-addr.arpa", rr::kPtr));
  Bytes out(4096);
  ReplyWriter writer(out, 4096, query);
  ASSERT_TRUE(writer.add_name(rr::kPtr, *Name::from_text("web.mynet"), 5));
  ASSERT_TRUE(writer.add_name(rr::kPtr, *Name::from_text("db.MYNET"), 5));
  out.resize(writer.finish(Rcode::kNoError));
  Response response;
  ASSERT_TRUE(parse_response(out, response));
  ASSERT_EQ(response.records.size(), 2U);
  Name target;
  EXPECT_EQ(target.read(out, response.records[1].rdata_offset, Compression::kAllowed),
            response.records[1].end);
  EXPECT_EQ(target, *Name::from_text("db.mynet"));
  EXPECT_EQ(response.records[1].end - response.records[1].rdata_offset, 5U) << "2 db + pointer";
}

TEST(Reply, ANameDoesNotPointIntoItself) {
  const Query query = parsed(query_packet("4.1.0.10.in-addr.arpa", rr::kPtr));
  Bytes out(4096);
  ReplyWriter writer(out, 4096, query);
  ASSERT_TRUE(writer.add_name(rr::kPtr, *Name::from_text("web.web.web"), 5));
  out.resize(writer.finish(Rcode::kNoError));
  Response response;
  ASSERT_TRUE(parse_response(out, response));
  Name target;
  ASSERT_NE(target.read(out, response.records[0].rdata_offset, Compression::kAllowed), 0U);
  EXPECT_EQ(target.text(), "web.web.web");
}

TEST(Relay, KeepsTheClientsSpellingAndAgesTtls) {
  const Query asked = parsed(query_packet("example.org", rr::kA));
  Bytes upstream(512);
  ReplyWriter writer(upstream, 512, asked);
  ASSERT_TRUE(writer.add_address(Ip::v4(0x01020304), 60));
  ASSERT_TRUE(writer.add_address(Ip::v4(0x01020305), 10));
  upstream.resize(writer.finish(Rcode::kNoError));
  Response response;
  ASSERT_TRUE(parse_response(upstream, response));

  Bytes packet = query_packet("ExAmPlE.oRg", rr::kA, 1232);
  packet[0] = 0xab;
  const Query client = parsed(packet);
  const Bytes reply = build_relayed_reply(upstream, response, client, 1232, 20);
  Response relayed;
  ASSERT_TRUE(parse_response(reply, relayed));
  EXPECT_EQ(relayed.id, 0xab34);
  EXPECT_EQ(relayed.question.name.text(), "ExAmPlE.oRg");
  ASSERT_EQ(relayed.records.size(), 3U);
  EXPECT_EQ(relayed.records[0].ttl, 40U);
  EXPECT_EQ(relayed.records[1].ttl, 0U);
  EXPECT_TRUE(relayed.edns);

  const Bytes cut = build_relayed_reply(upstream, response, asked, 29 + 16 + 5, 0);
  ASSERT_TRUE(parse_response(cut, relayed));
  EXPECT_NE(relayed.flags & flag::kTc, 0);
  EXPECT_EQ(relayed.records.size(), 1U);
  EXPECT_FALSE(relayed.edns);
}

TEST(UpstreamQuery, IsTheClientsQuestionWithOurIdAndSize) {
  const Query client = parsed(query_packet("example.org", rr::kMx, 4000));
  Bytes out(ReplyWriter::kMinReplyBuffer);
  out.resize(build_upstream_query(out, client, 77, true));
  const Query sent = parsed(out);
  EXPECT_EQ(sent.id, 77);
  EXPECT_EQ(sent.question, client.question);
  EXPECT_EQ(sent.edns->udp_size, kAdvertisedUdpSize);
  EXPECT_TRUE(sent.edns->dnssec_ok);
  out.resize(ReplyWriter::kMinReplyBuffer);
  out.resize(build_upstream_query(out, client, 77, false));
  EXPECT_FALSE(parsed(out).edns);
}

}  // namespace
}  // namespace shoal::worker::dns
