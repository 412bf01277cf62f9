#include "worker/session/record.h"

#include <algorithm>

namespace shoal::worker {
namespace {

bool can_be_given(const Ip& ip) {
  return !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast();
}

Bytes encode(const EndpointRecord& record, size_t aliases) {
  ByteWriter out;
  out.u8(EndpointRecord::kVersion);
  out.text(std::string_view(record.name).substr(0, EndpointRecord::kMaxName));
  out.varint(aliases);
  for (size_t i = 0; i < aliases; ++i) out.text(record.aliases[i]);
  const size_t ips = std::min(record.ips.size(), EndpointRecord::kMaxIps);
  out.varint(ips);
  for (size_t i = 0; i < ips; ++i) out.ip(record.ips[i]);
  out.raw(record.mac.bytes());
  out.ip(record.vtep);
  return out.take();
}

}  // namespace

Bytes encode_record(const EndpointRecord& record) {
  size_t aliases = 0;
  while (aliases < record.aliases.size() && aliases < EndpointRecord::kMaxAliases &&
         record.aliases[aliases].size() <= EndpointRecord::kMaxName) {
    ++aliases;
  }
  Bytes out = encode(record, aliases);
  while (out.size() > EndpointRecord::kMaxSize && aliases > 0) out = encode(record, --aliases);
  return out;
}

Result<EndpointRecord> decode_record(ByteView bytes) {
  ByteReader in(bytes);
  const Error malformed = data_loss("malformed endpoint record");
  if (in.u8() != EndpointRecord::kVersion) return malformed;
  EndpointRecord out;
  out.name = in.text(EndpointRecord::kMaxName);
  const uint64_t aliases = in.varint();
  if (aliases > EndpointRecord::kMaxAliases) return malformed;
  for (uint64_t i = 0; i < aliases && in.ok(); ++i) {
    out.aliases.push_back(in.text(EndpointRecord::kMaxName));
  }
  const uint64_t ips = in.varint();
  if (ips == 0 || ips > EndpointRecord::kMaxIps) return malformed;
  for (uint64_t i = 0; i < ips && in.ok(); ++i) out.ips.push_back(in.ip());
  const ByteView mac = in.raw(6);
  out.vtep = in.ip();
  if (!in.done()) return malformed;
  out.mac = Mac({mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]});
  const bool multicast = (out.mac.bytes()[0] & 1U) != 0;
  if (multicast || out.mac.is_zero() || !can_be_given(out.vtep)) return malformed;
  for (const Ip& ip : out.ips) {
    if (!can_be_given(ip)) return malformed;
  }
  return out;
}

}  // namespace shoal::worker
