#include "node/cluster_router.h"

#include "manager/security/data_key.h"
#include "manager/wire/common_wire.h"
#include "node/local_router.h"
#include "proto/control.pb.h"

namespace shoal::node {
namespace {

using manager::ClusterCall;
using manager::ClusterMethod;
using manager::wire::to_wire;

template <typename T>
const T& request_of(const ClusterCall& call) {
  return static_cast<const T&>(*call.request);
}
template <typename T>
T& response_of(const ClusterCall& call) {
  return static_cast<T&>(*call.response);
}

Error not_here(const worker::Worker& worker) {
  std::string managers;
  if (worker.cluster()) {
    for (const manager::Node& node : worker.cluster()->managers) {
      if (!node.addresses.control) continue;
      if (!managers.empty()) managers += ", ";
      managers += node.addresses.control->ip.str();
    }
  }
  return conflict("this node is a worker: run this on a manager" +
                  (managers.empty() ? std::string() : " (" + managers + ")"));
}

Status list_endpoints(const worker::Worker& worker, const ClusterCall& call) {
  const auto& request = request_of<control::ListEndpointsRequest>(call);
  NetworkId only;
  if (!request.network().empty()) {
    only = SHOAL_TRY(worker.catalogue().find_network(request.network())).id;
  }
  for (const manager::Endpoint& endpoint : worker.endpoints()) {
    if (!only.empty() && endpoint.network_id != only) continue;
    *response_of<control::ListEndpointsResponse>(call).add_endpoints() = to_wire(endpoint);
  }
  return ok_status();
}

Status inspect_network(const worker::Worker& worker, const ClusterCall& call) {
  const auto& request = request_of<control::InspectNetworkRequest>(call);
  const manager::Network network = SHOAL_TRY(worker.catalogue().find_network(request.network()));
  auto& response = response_of<control::InspectNetworkResponse>(call);
  *response.mutable_network() = to_wire(network);
  for (const manager::Endpoint& endpoint : worker.endpoints()) {
    if (endpoint.network_id == network.id) *response.add_endpoints() = to_wire(endpoint);
  }
  return ok_status();
}

Status inspect_endpoint(const worker::Worker& worker, const ClusterCall& call) {
  const auto& request = request_of<control::InspectEndpointRequest>(call);
  NetworkId only;
  if (!request.network().empty()) {
    only = SHOAL_TRY(worker.catalogue().find_network(request.network())).id;
  }
  for (const manager::Endpoint& endpoint : worker.endpoints()) {
    if (!only.empty() && endpoint.network_id != only) continue;
    if (endpoint.id.str() != request.endpoint() && endpoint.spec.name != request.endpoint()) {
      continue;
    }
    auto& response = response_of<control::InspectEndpointResponse>(call);
    *response.mutable_endpoint() = to_wire(endpoint);
    const auto& networks = worker.catalogue().networks();
    const auto network = networks.find(endpoint.network_id);
    if (network != networks.end()) *response.mutable_network() = to_wire(*network->second);
    return ok_status();
  }
  return not_here(worker);
}

}  // namespace

Status answer_as_worker(const worker::Worker& worker, const ClusterCall& call) {
  switch (call.method) {
    case ClusterMethod::kListNetworks:
      for (const auto& [id, network] : worker.catalogue().networks()) {
        *response_of<control::ListNetworksResponse>(call).add_networks() = to_wire(*network);
      }
      return ok_status();
    case ClusterMethod::kInspectNetwork:
      return inspect_network(worker, call);
    case ClusterMethod::kListEndpoints:
      return list_endpoints(worker, call);
    case ClusterMethod::kInspectEndpoint:
      return inspect_endpoint(worker, call);
    case ClusterMethod::kInspectNode:
      if (worker.cluster() && request_of<control::InspectNodeRequest>(call).node() == "self") {
        *response_of<control::InspectNodeResponse>(call).mutable_node() =
            to_wire(worker.cluster()->node);
        return ok_status();
      }
      return not_here(worker);
    case ClusterMethod::kGetJoinToken:
    case ClusterMethod::kGetUnlockKey:
    case ClusterMethod::kUpdateCluster:
    case ClusterMethod::kListNodes:
    case ClusterMethod::kUpdateNode:
    case ClusterMethod::kRemoveNode:
    case ClusterMethod::kCreateNetwork:
    case ClusterMethod::kRemoveNetwork:
    case ClusterMethod::kGetRaftStatus:
      return not_here(worker);
  }
  return not_here(worker);
}

void ClusterRouter::handle(std::shared_ptr<ClusterCall> call) {
  strand_.post([this, call = std::move(call)] {
    if (local_ != nullptr) {
      const bool in_cluster = manager_ != nullptr || worker_ != nullptr || locked_;
      if (answer_locally(*local_, in_cluster, call)) return;
      add_local(*local_, *call);
    }
    if (manager_ != nullptr) {
      manager_->local_cluster().handle(call);
    } else if (locked_) {
      call->done(manager::locked_error());
    } else if (worker_ != nullptr) {
      call->done(answer_as_worker(*worker_, *call));
    } else if (local_ != nullptr && is_list(*call)) {
      call->done(ok_status());
    } else {
      call->done(
          conflict("this node is not part of a cluster: use `shoal init` or `shoal join` first"));
    }
  });
}

}  // namespace shoal::node
