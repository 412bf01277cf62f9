// proto/dispatch.proto -> plain values, checked, for the worker's end of a session; and the bytes
// of the cache file. Thread-safe: no state.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/codec/bytes.h"
#include "proto/dispatch.pb.h"
#include "worker/session/catalogue.h"
#include "worker/session/session.h"
#include "worker/state/frame.h"

namespace shoal::worker {

// kInvalidArgument naming the field. A message without content (of a newer manager) is nothing.
Result<std::optional<Session::Input>> from_wire(const dispatch::ManagerMessage& message);
Result<ClusterInfo> from_wire(const dispatch::ClusterInfo& cluster);
Result<Assignments> from_wire(const dispatch::Assignments& assignments);
dispatch::ClusterInfo to_wire(const ClusterInfo& cluster);
dispatch::Assignments to_wire(const Assignments& assignments);

inline constexpr FrameKind kCacheKind{{'S', 'H', 'C', 'C'}, 1, "what the managers said last"};

// The cache file: a frame holding both messages, each with its length.
// Where the worker keeps it, in its state directory.
inline constexpr std::string_view kCacheFile = "cluster.cache";
inline constexpr size_t kMaxCacheFile = 512U << 20;
struct CachedCluster {
  ClusterInfo cluster;
  Assignments assignments;
};
// `between` is called after each object: of many, the whole takes a while.
Bytes encode_cache(const ClusterInfo& cluster, const Catalogue::Content& content,
                   const std::function<void()>& between);
Result<CachedCluster> decode_cache(ByteView file, const std::string& path);

}  // namespace shoal::worker
