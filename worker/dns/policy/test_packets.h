// Packets for the tests of this folder and of the server.
#pragma once

#include <string>

#include "base/types/check.h"
#include "worker/dns/codec/build.h"

namespace shoal::worker::dns {

inline Query make_query(const std::string& name, uint16_t type = rr::kA, bool edns = false) {
  Query query;
  query.id = 0x4242;
  query.flags = flag::kRd;
  query.has_question = true;
  query.question = {*Name::from_text(name), type, kClassIn};
  if (edns) query.edns = Edns{.udp_size = 1232};
  return query;
}

inline Query read_query(ByteView packet) {
  Query query;
  SHOAL_CHECK(parse_query(packet, query) == QueryVerdict::kOk, "not a query");
  return query;
}

inline Bytes query_packet(const std::string& name, uint16_t type = rr::kA, bool edns = false,
                          uint16_t id = 0x4242) {
  Bytes out(ReplyWriter::kMinReplyBuffer);
  out.resize(build_upstream_query(out, make_query(name, type), id, edns));
  return out;
}

// What an upstream says to `query`: addresses, or just a code.
inline Bytes upstream_answer(const Query& query, Rcode rcode, const std::vector<std::string>& ips,
                             uint32_t ttl = 60) {
  Bytes out(kMaxMessageSize);
  ReplyWriter writer(out, kMaxMessageSize, query);
  for (const std::string& ip : ips) writer.add_address(*Ip::parse(ip), ttl);
  out.resize(writer.finish(rcode));
  return out;
}

// A negative answer with an SOA record in the authority section.
inline Bytes negative_answer(Query query, Rcode rcode, uint32_t soa_ttl, uint32_t minimum) {
  query.edns.reset();
  Bytes out = upstream_answer(query, rcode, {});
  ByteWriter soa;
  soa.u8(0);  // of the root
  soa.u16(rr::kSoa);
  soa.u16(kClassIn);
  soa.u32(soa_ttl);
  soa.u16(22);
  soa.u8(0);
  soa.u8(0);
  for (int i = 0; i < 4; ++i) soa.u32(1);
  soa.u32(minimum);
  out.insert(out.end(), soa.view().begin(), soa.view().end());
  out[9] = 1;
  return out;
}

}  // namespace shoal::worker::dns
