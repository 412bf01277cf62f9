// The file "local_networks": what of this host's own networks outlives the power. A frame (kind
// SHLN) of the host's IPv6 pool and the networks, each as proto/common.proto's Network.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/result.h"
#include "manager/model/objects.h"
#include "worker/state/attachments.h"

namespace shoal::worker {

struct LocalRecords {
  Prefix pool_v6;  // drawn once; zero: not yet
  std::vector<manager::Network> networks;

  friend bool operator==(const LocalRecords&, const LocalRecords&) = default;
};

// What local_endpoints/ holds.
using LocalAttachments = std::map<EndpointId, Attachment>;

Bytes encode_local(const LocalRecords& records);
// A whole file; errors as decode_frame's.
Result<LocalRecords> decode_local(ByteView file, const std::string& path);

}  // namespace shoal::worker
