// The codec against libldns: what we build it reads the same, what it builds we read the same.
#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <memory>

#include "base/ports/ports.h"
#include "worker/dns/codec/build.h"

namespace shoal::worker::dns {
namespace {

struct PacketFree {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, PacketFree>;

Packet ldns_parse(ByteView wire) {
  ldns_pkt* packet = nullptr;
  const ldns_status status = ldns_wire2pkt(&packet, wire.data(), wire.size());
  EXPECT_EQ(status, LDNS_STATUS_OK) << ldns_get_errorstr_by_id(status);
  return Packet(status == LDNS_STATUS_OK ? packet : nullptr);
}

Bytes ldns_wire(const ldns_pkt* packet) {
  uint8_t* wire = nullptr;
  size_t size = 0;
  EXPECT_EQ(ldns_pkt2wire(&wire, packet, &size), LDNS_STATUS_OK);
  Bytes out(wire, wire + size);
  free(wire);
  return out;
}

std::string text_of(const ldns_rdf* rdf) {
  char* text = ldns_rdf2str(rdf);
  std::string out(text);
  free(text);
  return out;
}

// A domain name of ldns in wire form, as a Name.
Name name_of(const ldns_rdf* rdf) {
  Name name;
  EXPECT_EQ(name.read({ldns_rdf_data(rdf), ldns_rdf_size(rdf)}, 0, Compression::kForbidden),
            ldns_rdf_size(rdf));
  return name;
}

// Few labels, so that suffixes meet often and compression has work.
std::string random_name(Rng& rng) {
  static const char* const kLabels[] = {"a",   "web",     "my_app",         "db-1", "MyNet",
                                        "net", "example", "xn--mnchen-3ya", "42"};
  std::string name;
  for (uint64_t i = 1 + rng.below(5); i > 0; --i) {
    if (!name.empty()) name += '.';
    if (rng.below(40) == 0) {
      name += std::string(1 + rng.below(63), 'l');
    } else {
      name += kLabels[rng.below(std::size(kLabels))];
    }
  }
  return name.size() < 250 ? name : "short";
}

Query random_query(Rng& rng) {
  Query query;
  query.id = static_cast<uint16_t>(rng.next());
  query.flags = rng.below(2) == 0 ? flag::kRd : 0;
  query.has_question = true;
  static const uint16_t kTypes[] = {rr::kA, rr::kAaaa, rr::kPtr, rr::kMx, rr::kTxt, rr::kSrv};
  query.question = {*Name::from_text(random_name(rng)), kTypes[rng.below(std::size(kTypes))],
                    kClassIn};
  if (rng.below(2) == 0) {
    query.edns = Edns{static_cast<uint16_t>(512 + rng.below(2000)), 0, rng.below(2) == 0};
  }
  return query;
}

TEST(Ldns, ReadsOurRepliesTheSame) {
  SeededRng rng(1);
  for (int round = 0; round < 5000; ++round) {
    const Query query = random_query(rng);
    Bytes out(kMaxMessageSize);
    ReplyWriter writer(out, kMaxMessageSize, query);
    std::vector<Ip> ips;
    std::vector<Name> names;
    for (uint64_t i = rng.below(12); i > 0; --i) {
      std::array<uint8_t, 16> raw;
      rng.fill(raw);
      switch (rng.below(3)) {
        case 0:
          ips.push_back(Ip::v6(raw));
          ASSERT_TRUE(writer.add_address(ips.back(), 5));
          break;
        case 1:
          ips.push_back(Ip::v4(static_cast<uint32_t>(rng.next())));
          ASSERT_TRUE(writer.add_address(ips.back(), 5));
          break;
        default:
          names.push_back(*Name::from_text(random_name(rng)));
          ASSERT_TRUE(writer.add_name(rr::kPtr, names.back(), 7));
      }
    }
    static const Rcode kCodes[] = {Rcode::kNoError, Rcode::kNxDomain, Rcode::kServFail,
                                   Rcode::kRefused, Rcode::kFormErr,  Rcode::kNotImp};
    const Rcode rcode = kCodes[rng.below(std::size(kCodes))];
    out.resize(writer.finish(rcode, rng.below(2) == 0));

    const Packet packet = ldns_parse(out);
    ASSERT_TRUE(packet);
    EXPECT_EQ(ldns_pkt_id(packet.get()), query.id);
    EXPECT_TRUE(ldns_pkt_qr(packet.get()));
    EXPECT_FALSE(ldns_pkt_tc(packet.get()));
    EXPECT_EQ(ldns_pkt_rd(packet.get()), (query.flags & flag::kRd) != 0);
    EXPECT_EQ(ldns_pkt_get_rcode(packet.get()), static_cast<ldns_pkt_rcode>(rcode));
    EXPECT_EQ(ldns_pkt_edns(packet.get()), query.edns.has_value());
    if (query.edns) {
      EXPECT_EQ(ldns_pkt_edns_udp_size(packet.get()), kAdvertisedUdpSize);
      EXPECT_EQ(ldns_pkt_edns_do(packet.get()), query.edns->dnssec_ok);
    }
    const ldns_rr_list* questions = ldns_pkt_question(packet.get());
    ASSERT_EQ(ldns_rr_list_rr_count(questions), 1U);
    EXPECT_EQ(name_of(ldns_rr_owner(ldns_rr_list_rr(questions, 0))).text(),
              query.question.name.text());
    const ldns_rr_list* answers = ldns_pkt_answer(packet.get());
    ASSERT_EQ(ldns_rr_list_rr_count(answers), ips.size() + names.size());
    size_t ip_at = 0;
    size_t name_at = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
      const ldns_rr* record = ldns_rr_list_rr(answers, i);
      EXPECT_EQ(name_of(ldns_rr_owner(record)), query.question.name);
      if (ldns_rr_get_type(record) == LDNS_RR_TYPE_PTR) {
        EXPECT_EQ(name_of(ldns_rr_rdf(record, 0)), names[name_at++]);
        EXPECT_EQ(ldns_rr_ttl(record), 7U);
      } else {
        EXPECT_EQ(*Ip::parse(text_of(ldns_rr_rdf(record, 0))), ips[ip_at++]);
        EXPECT_EQ(ldns_rr_ttl(record), 5U);
      }
    }
  }
}

TEST(Ldns, ReadsOurUpstreamQueriesTheSame) {
  SeededRng rng(2);
  for (int round = 0; round < 2000; ++round) {
    const Query query = random_query(rng);
    Bytes out(ReplyWriter::kMinReplyBuffer);
    out.resize(build_upstream_query(out, query, 99, true));
    const Packet packet = ldns_parse(out);
    ASSERT_TRUE(packet);
    EXPECT_EQ(ldns_pkt_id(packet.get()), 99);
    EXPECT_FALSE(ldns_pkt_qr(packet.get()));
    EXPECT_TRUE(ldns_pkt_edns(packet.get()));
    const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
    EXPECT_EQ(name_of(ldns_rr_owner(question)).text(), query.question.name.text());
    EXPECT_EQ(ldns_rr_get_type(question), query.question.type);
  }
}

std::string random_record(Rng& rng) {
  const std::string head = random_name(rng) + ". " + std::to_string(rng.below(100000)) + " IN ";
  switch (rng.below(9)) {
    case 0:
      return head + "A 10.1.2." + std::to_string(rng.below(256));
    case 1:
      return head + "AAAA fd00::" + std::to_string(rng.below(10000));
    case 2:
      return head + "CNAME " + random_name(rng) + ".";
    case 3:
      return head + "NS " + random_name(rng) + ".";
    case 4:
      return head + "MX 10 " + random_name(rng) + ".";
    case 5:
      return head + "SRV 1 2 80 " + random_name(rng) + ".";
    case 6:
      return head + "TXT \"some text\" \"and more\"";
    case 7:
      return head + "PTR " + random_name(rng) + ".";
    default:
      return head + "SOA " + random_name(rng) + ". " + random_name(rng) + ". 1 2 3 4 " +
             std::to_string(rng.below(1000));
  }
}

void push_random_records(ldns_pkt* packet, ldns_pkt_section section, Rng& rng) {
  for (uint64_t i = rng.below(6); i > 0; --i) {
    const std::string text = random_record(rng);
    ldns_rr* record = nullptr;
    ASSERT_EQ(ldns_rr_new_frm_str(&record, text.c_str(), 0, nullptr, nullptr), LDNS_STATUS_OK)
        << text;
    ldns_pkt_push_rr(packet, section, record);
  }
}

void expect_same_section(ByteView wire, const Response& response, Section section,
                         const ldns_rr_list* list) {
  size_t at = 0;
  for (const Record& record : response.records) {
    if (record.section != section || record.type == rr::kOpt) continue;
    ASSERT_LT(at, ldns_rr_list_rr_count(list));
    const ldns_rr* expected = ldns_rr_list_rr(list, at++);
    Name owner;
    ASSERT_NE(owner.read(wire, record.start, Compression::kAllowed), 0U);
    EXPECT_EQ(owner.text(), name_of(ldns_rr_owner(expected)).text());
    EXPECT_EQ(record.type, ldns_rr_get_type(expected));
    EXPECT_EQ(record.ttl, ldns_rr_ttl(expected));
    const ldns_rdf* rdf = ldns_rr_rdf(expected, ldns_rr_rd_count(expected) - 1);
    if (record.type == rr::kA || record.type == rr::kAaaa) {
      const auto ip =
          Ip::from_bytes(wire.subspan(record.rdata_offset, record.end - record.rdata_offset));
      EXPECT_EQ(*ip, *Ip::parse(text_of(rdf)));
    } else if (record.type == rr::kCname || record.type == rr::kPtr || record.type == rr::kMx) {
      Name target;
      const size_t skip = record.type == rr::kMx ? 2 : 0;
      EXPECT_EQ(target.read(wire, record.rdata_offset + skip, Compression::kAllowed), record.end);
      EXPECT_EQ(target.text(), name_of(rdf).text());
    }
  }
  EXPECT_EQ(at, ldns_rr_list_rr_count(list));
}

TEST(Ldns, ItsMessagesAreReadTheSame) {
  SeededRng rng(3);
  for (int round = 0; round < 3000; ++round) {
    const std::string name = random_name(rng);
    const Packet packet(ldns_pkt_query_new(ldns_dname_new_frm_str(name.c_str()), LDNS_RR_TYPE_A,
                                           LDNS_RR_CLASS_IN, LDNS_RD));
    ldns_pkt_set_id(packet.get(), static_cast<uint16_t>(rng.next()));
    const bool edns = rng.below(2) == 0;
    if (edns) {
      ldns_pkt_set_edns_udp_size(packet.get(), 1400);
      ldns_pkt_set_edns_do(packet.get(), true);
    }
    Query query;
    const Bytes asked = ldns_wire(packet.get());
    ASSERT_EQ(parse_query(asked, query), QueryVerdict::kOk);
    EXPECT_EQ(query.id, ldns_pkt_id(packet.get()));
    EXPECT_EQ(query.question.name.text(), Name::from_text(name)->text());
    EXPECT_EQ(query.edns.has_value(), edns);

    ldns_pkt_set_qr(packet.get(), true);
    ldns_pkt_set_rcode(packet.get(), LDNS_RCODE_NXDOMAIN);
    push_random_records(packet.get(), LDNS_SECTION_ANSWER, rng);
    push_random_records(packet.get(), LDNS_SECTION_AUTHORITY, rng);
    push_random_records(packet.get(), LDNS_SECTION_ADDITIONAL, rng);
    const Bytes wire = ldns_wire(packet.get());
    Response response;
    ASSERT_TRUE(parse_response(wire, response));
    EXPECT_EQ(response.rcode, 3);
    EXPECT_EQ(response.edns.has_value(), edns);
    expect_same_section(wire, response, Section::kAnswer, ldns_pkt_answer(packet.get()));
    expect_same_section(wire, response, Section::kAuthority, ldns_pkt_authority(packet.get()));
    expect_same_section(wire, response, Section::kAdditional, ldns_pkt_additional(packet.get()));

    // Relayed, ldns still reads the same answers.
    const Bytes relayed = build_relayed_reply(wire, response, query, kMaxMessageSize, 0);
    const Packet again = ldns_parse(relayed);
    ASSERT_TRUE(again);
    ASSERT_EQ(ldns_rr_list_compare(ldns_pkt_answer(again.get()), ldns_pkt_answer(packet.get())), 0);
    EXPECT_EQ(ldns_pkt_arcount(again.get()), 0);
    EXPECT_EQ(ldns_pkt_edns(again.get()), edns);
  }
}

}  // namespace
}  // namespace shoal::worker::dns
