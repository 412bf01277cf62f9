// What a manager's services read from and write to a gRPC call beside its message.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "manager/api/cluster_service.h"
#include "manager/api/replica.h"
#include "manager/security/credentials.h"

namespace shoal::manager {

inline std::string metadata_of(const grpc::CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string()
                                 : std::string(found->second.data(), found->second.size());
}

// Empty when none was sent, or not a well-formed one.
inline std::string request_id_of(const grpc::CallbackServerContext& context) {
  std::string id = metadata_of(context, kRequestIdMetadata);
  return is_id(id) ? id : std::string();
}

// LeaderCalls::Call::since of a call that was forwarded again; 0 for a first try. What cannot be
// read is a try of long ago.
inline uint64_t retried_since(const grpc::CallbackServerContext& context) {
  const std::string text = metadata_of(context, kRetryMetadata);
  if (text.empty()) return 0;
  uint64_t since = 0;
  std::from_chars(text.data(), text.data() + text.size(), since);
  return std::max<uint64_t>(since, 1);
}

// The caller's, at most kMostCallDeadline away; kDefaultCallDeadline when it set none.
inline std::chrono::system_clock::time_point call_deadline(
    const grpc::CallbackServerContext& context) {
  const auto now = std::chrono::system_clock::now();
  const auto asked = context.deadline();
  return asked > now + kMostCallDeadline ? now + kDefaultCallDeadline : asked;
}

// Tells where the leader is beside a refusal. Before Finish.
inline void name_leader(grpc::CallbackServerContext& context,
                        const std::optional<HostPort>& leader) {
  if (leader) context.AddTrailingMetadata(kLeaderMetadata, leader->str());
}

}  // namespace shoal::manager
