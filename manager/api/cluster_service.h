// control.Cluster over gRPC: every method becomes a ClusterCall for one handler.
//
// Two doors use it: the local unix socket, where the caller is root of this host (kLocal), and the
// cluster port, where only managers may call (kClusterPort, checked with authorize()).
#pragma once

#include <chrono>

#include "manager/api/cluster_call.h"
#include "proto/control.grpc.pb.h"

namespace shoal::manager {

// For a caller that set no deadline: long enough for an election and a retry.
inline constexpr std::chrono::seconds kDefaultCallDeadline{20};
// A deadline further away than this counts as none: nobody waits for ever on a manager's memory.
inline constexpr std::chrono::seconds kMostCallDeadline{600};

enum class Door { kLocal, kClusterPort };

class ClusterService final : public shoal::control::Cluster::CallbackService {
 public:
  // `handler` must outlive the gRPC server that this service is registered with.
  ClusterService(ClusterHandler& handler, Door door) : handler_(handler), door_(door) {}

  grpc::ServerUnaryReactor* GetJoinToken(grpc::CallbackServerContext* context,
                                         const shoal::control::GetJoinTokenRequest* request,
                                         shoal::control::GetJoinTokenResponse* response) override;
  grpc::ServerUnaryReactor* GetUnlockKey(grpc::CallbackServerContext* context,
                                         const shoal::control::GetUnlockKeyRequest* request,
                                         shoal::control::GetUnlockKeyResponse* response) override;
  grpc::ServerUnaryReactor* UpdateCluster(grpc::CallbackServerContext* context,
                                          const shoal::control::UpdateClusterRequest* request,
                                          shoal::control::UpdateClusterResponse* response) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const shoal::control::ListNodesRequest* request,
                                      shoal::control::ListNodesResponse* response) override;
  grpc::ServerUnaryReactor* InspectNode(grpc::CallbackServerContext* context,
                                        const shoal::control::InspectNodeRequest* request,
                                        shoal::control::InspectNodeResponse* response) override;
  grpc::ServerUnaryReactor* UpdateNode(grpc::CallbackServerContext* context,
                                       const shoal::control::UpdateNodeRequest* request,
                                       shoal::control::UpdateNodeResponse* response) override;
  grpc::ServerUnaryReactor* RemoveNode(grpc::CallbackServerContext* context,
                                       const shoal::control::RemoveNodeRequest* request,
                                       shoal::control::RemoveNodeResponse* response) override;
  grpc::ServerUnaryReactor* CreateNetwork(grpc::CallbackServerContext* context,
                                          const shoal::control::CreateNetworkRequest* request,
                                          shoal::control::CreateNetworkResponse* response) override;
  grpc::ServerUnaryReactor* ListNetworks(grpc::CallbackServerContext* context,
                                         const shoal::control::ListNetworksRequest* request,
                                         shoal::control::ListNetworksResponse* response) override;
  grpc::ServerUnaryReactor* InspectNetwork(
      grpc::CallbackServerContext* context, const shoal::control::InspectNetworkRequest* request,
      shoal::control::InspectNetworkResponse* response) override;
  grpc::ServerUnaryReactor* RemoveNetwork(grpc::CallbackServerContext* context,
                                          const shoal::control::RemoveNetworkRequest* request,
                                          shoal::control::RemoveNetworkResponse* response) override;
  grpc::ServerUnaryReactor* ListEndpoints(grpc::CallbackServerContext* context,
                                          const shoal::control::ListEndpointsRequest* request,
                                          shoal::control::ListEndpointsResponse* response) override;
  grpc::ServerUnaryReactor* InspectEndpoint(
      grpc::CallbackServerContext* context, const shoal::control::InspectEndpointRequest* request,
      shoal::control::InspectEndpointResponse* response) override;
  grpc::ServerUnaryReactor* GetRaftStatus(grpc::CallbackServerContext* context,
                                          const shoal::control::GetRaftStatusRequest* request,
                                          shoal::control::GetRaftStatusResponse* response) override;

 private:
  grpc::ServerUnaryReactor* start(grpc::CallbackServerContext* context, ClusterMethod method,
                                  const google::protobuf::Message* request,
                                  google::protobuf::Message* response);

  ClusterHandler& handler_;
  Door door_;
};

}  // namespace shoal::manager
