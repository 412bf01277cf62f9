// What a worker must not forget: the endpoints it made or is making, and the leases it owes back.
//
// An attachment is written down before its lease is asked for (kIntent) and again once its
// interface stands (kAttached). After a crash an intent is undone and an attachment restored.
// The file outlives the process, not the power: a namespace does neither, and leases whose record
// was lost are among the managers' assignments, which this host then gives back. So an attach does
// not wait for the disk.
// Codec: big-endian, in a frame of kind kAttachmentsKind; every list is bounded.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/id.h"
#include "base/types/ip.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "manager/model/objects.h"
#include "worker/reconcile/state.h"
#include "worker/state/frame.h"

namespace shoal::worker {

inline constexpr FrameKind kAttachmentsKind{
    {'S', 'H', 'A', 'T'}, 1, "the attachments of this node"};

// More than a host can run: a bridge has 1,023 ports, a host some tens of networks.
inline constexpr size_t kMaxAttachments = 16384;
// Leases to give back; they leave the list as soon as a manager answers.
inline constexpr size_t kMaxReleases = 65536;

struct Attachment {
  enum class Phase : uint8_t { kIntent = 1, kAttached = 2 };

  Phase phase = Phase::kIntent;
  manager::Endpoint endpoint;  // before the lease: id, node_id and spec only
  std::string network_name;    // for people, also when the network is gone
  NamespaceRef space;
  std::string ifname;  // asked for, then as attached; empty: any
  uint32_t mtu = 0;

  friend bool operator==(const Attachment&, const Attachment&) = default;
};

struct PersistedState {
  std::map<EndpointId, Attachment> attachments;
  std::set<EndpointId> releases;
  // Of gossip: grows with every start.
  uint64_t epoch = 0;

  friend bool operator==(const PersistedState&, const PersistedState&) = default;
};

// One of a network of this host alone, in a file of its own: what an attach writes does not grow
// with the number of endpoints.
inline constexpr FrameKind kLocalEndpointKind{
    {'S', 'H', 'L', 'E'},
    1,
    "an endpoint of this host's own networks",
    "remove that file, and what is left of the endpoint is taken out"};
Bytes encode_attachment(const Attachment& attachment);
Result<Attachment> decode_attachment(ByteView file, const std::string& path);

Bytes encode_state(const PersistedState& state);
// A whole file; errors as decode_frame's.
Result<PersistedState> decode_state(ByteView file, const std::string& path);

}  // namespace shoal::worker
