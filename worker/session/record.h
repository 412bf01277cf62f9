// EndpointRecord: what gossip carries of an endpoint, under the endpoint's id, in the table of its
// network. Enough to name it (DNS) and to reach it (FDB and neighbours) without the managers.
//
//   version 1 | name | count aliases | count ips | mac 6 | vtep ip
//
// Text is a varint length and the bytes. A higher version is refused: it is another format, and the
// managers still know the endpoint.
#pragma once

#include <string>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/ip.h"
#include "base/types/result.h"

namespace shoal::worker {

struct EndpointRecord {
  static constexpr uint8_t kVersion = 1;
  // Gossip takes values up to 1 KiB; aliases that do not fit are left out by the owner.
  static constexpr size_t kMaxSize = 1024;
  static constexpr size_t kMaxName = 255;  // a domain name
  static constexpr size_t kMaxAliases = 64;
  static constexpr size_t kMaxIps = 16;

  std::string name;
  std::vector<std::string> aliases;
  std::vector<Ip> ips;
  Mac mac;
  Ip vtep;

  friend bool operator==(const EndpointRecord&, const EndpointRecord&) = default;
};

// At most kMaxSize bytes.
Bytes encode_record(const EndpointRecord& record);
// kDataLoss when malformed, out of bounds, or an address or MAC no endpoint can have.
Result<EndpointRecord> decode_record(ByteView bytes);

}  // namespace shoal::worker
