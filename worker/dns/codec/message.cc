#include "worker/dns/codec/message.h"

#include <algorithm>

namespace shoal::worker::dns {
namespace {

// Loopback does not fragment, and no stub resolver in use asks for more than this.
constexpr size_t kMaxUdpReply = 4096;
constexpr size_t kFixedRecordSize = 10;  // type, class, TTL, data length

uint16_t read_u16(ByteView packet, size_t at) {
  return static_cast<uint16_t>(packet[at] << 8 | packet[at + 1]);
}
uint32_t read_u32(ByteView packet, size_t at) {
  return static_cast<uint32_t>(read_u16(packet, at)) << 16 | read_u16(packet, at + 2);
}

size_t read_question(ByteView packet, Question& out) {
  const size_t at = out.name.read(packet, kHeaderSize, Compression::kForbidden);
  if (at == 0 || at + 4 > packet.size()) return 0;
  out.type = read_u16(packet, at);
  out.klass = read_u16(packet, at + 2);
  return at + 4;
}

// `names` names in a row that, with `tail` bytes, fill [at, end) exactly.
bool names_fill(ByteView packet, size_t at, size_t end, int names, size_t tail) {
  Name name;
  for (int i = 0; i < names; ++i) {
    at = name.read(packet, at, Compression::kAllowed);
    if (at == 0) return false;
  }
  return at + tail == end;
}

bool rdata_is_valid(ByteView packet, const Record& record) {
  const size_t at = record.rdata_offset;
  const size_t size = record.end - at;
  switch (record.type) {
    case rr::kA:
      return record.klass != kClassIn || size == 4;
    case rr::kAaaa:
      return size == 16;
    case rr::kNs:
    case rr::kCname:
    case rr::kPtr:
    case rr::kDname:
      return names_fill(packet, at, record.end, 1, 0);
    case rr::kMx:
      return size > 2 && names_fill(packet, at + 2, record.end, 1, 0);
    case rr::kSrv:
      return size > 6 && names_fill(packet, at + 6, record.end, 1, 0);
    case rr::kSoa:
      return names_fill(packet, at, record.end, 2, 20);
    default:
      return true;
  }
}

// The record at `offset`; 0 when malformed, otherwise the offset behind it.
size_t read_record(ByteView packet, size_t offset, Record& out) {
  Name owner;
  const size_t at = owner.read(packet, offset, Compression::kAllowed);
  if (at == 0 || at + kFixedRecordSize > packet.size()) return 0;
  out.start = offset;
  out.type = read_u16(packet, at);
  out.klass = read_u16(packet, at + 2);
  out.ttl_offset = at + 4;
  out.ttl = read_u32(packet, out.ttl_offset);
  out.rdata_offset = at + kFixedRecordSize;
  out.end = out.rdata_offset + read_u16(packet, at + 8);
  if (out.end > packet.size()) return 0;
  if (out.type == rr::kOpt && !owner.is_root()) return 0;
  return rdata_is_valid(packet, out) ? out.end : 0;
}

Edns edns_of(const Record& opt) {
  return {.udp_size = opt.klass,
          .version = static_cast<uint8_t>(opt.ttl >> 16),
          .dnssec_ok = (opt.ttl & 0x8000) != 0};
}

}  // namespace

QueryVerdict parse_query(ByteView packet, Query& out) {
  out.has_question = false;
  out.edns.reset();
  if (packet.size() < kHeaderSize) return QueryVerdict::kNotAQuery;
  out.id = read_u16(packet, 0);
  out.flags = read_u16(packet, 2);
  if ((out.flags & flag::kQr) != 0) return QueryVerdict::kNotAQuery;
  if ((out.flags & flag::kOpcodeMask) != 0) return QueryVerdict::kNotImp;
  if (read_u16(packet, 4) != 1) return QueryVerdict::kFormErr;
  size_t at = read_question(packet, out.question);
  if (at == 0) return QueryVerdict::kFormErr;
  out.has_question = true;
  if (read_u16(packet, 6) != 0 || read_u16(packet, 8) != 0) return QueryVerdict::kFormErr;
  for (int left = read_u16(packet, 10); left > 0; --left) {
    Record record;
    at = read_record(packet, at, record);
    if (at == 0) return QueryVerdict::kFormErr;
    if (record.type != rr::kOpt) continue;
    if (out.edns) return QueryVerdict::kFormErr;
    out.edns = edns_of(record);
  }
  // Bytes behind the last record are let pass, as other servers do: some clients pad.
  if (out.question.type == rr::kOpt) return QueryVerdict::kFormErr;
  if (out.edns && out.edns->version != 0) return QueryVerdict::kBadVers;
  return QueryVerdict::kOk;
}

size_t reply_limit(const Query& query, Transport transport) {
  if (transport == Transport::kTcp) return kMaxMessageSize;
  if (!query.edns) return kClassicUdpSize;
  return std::clamp<size_t>(query.edns->udp_size, kClassicUdpSize, kMaxUdpReply);
}

bool parse_response(ByteView packet, Response& out) {
  out.records.clear();
  out.edns.reset();
  out.negative_ttl.reset();
  if (packet.size() < kHeaderSize) return false;
  out.id = read_u16(packet, 0);
  out.flags = read_u16(packet, 2);
  out.rcode = out.flags & flag::kRcodeMask;
  if ((out.flags & flag::kQr) == 0 || (out.flags & flag::kOpcodeMask) != 0) return false;
  if (read_u16(packet, 4) != 1) return false;
  size_t at = out.question_end = read_question(packet, out.question);
  if (at == 0) return false;
  for (int section = 0; section < 3; ++section) {
    if (section == 2) out.additional_start = at;
    for (int left = read_u16(packet, 6 + 2 * section); left > 0; --left) {
      Record record{.section = static_cast<Section>(section)};
      at = read_record(packet, at, record);
      if (at == 0) return false;
      if (record.type == rr::kOpt) {
        if (out.edns || record.section != Section::kAdditional) return false;
        out.edns = edns_of(record);
        out.rcode = static_cast<uint16_t>(out.rcode | (record.ttl >> 24) << 4);
      } else if (record.type == rr::kSoa && record.section == Section::kAuthority) {
        out.negative_ttl = std::min(record.ttl, read_u32(packet, record.end - 4));
      }
      out.records.push_back(record);
    }
  }
  return at == packet.size();
}

}  // namespace shoal::worker::dns
