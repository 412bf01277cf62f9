// What a manager's services read from and write to a gRPC call beside its message.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
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

inline bool is_retry(const grpc::CallbackServerContext& context) {
  return !metadata_of(context, kRetryMetadata).empty();
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
