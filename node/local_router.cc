#include "node/local_router.h"

#include <algorithm>

#include "manager/wire/common_wire.h"
#include "proto/control.pb.h"

namespace shoal::node {
namespace {

using manager::ClusterCall;
using manager::ClusterMethod;
using manager::wire::to_wire;
using worker::LocalNetworks;

// Those of one host: all of Docker's but the overlay.
constexpr std::string_view kLocalDrivers[] = {"bridge", "host", "ipvlan", "macvlan", "none"};

template <typename T>
const T& request_of(const ClusterCall& call) {
  return static_cast<const T&>(*call.request);
}
template <typename T>
T& response_of(const ClusterCall& call) {
  return static_cast<T&>(*call.response);
}

// An ambiguous prefix of an id is answered here too: it is a refusal.
bool names_network(const LocalNetworks& local, const std::string& reference) {
  const auto found = local.book().find_network(reference);
  return found.ok() || found.error().code != ErrorClass::kNotFound;
}

// Without a driver it is a network of the cluster where there is one.
bool create(LocalNetworks& local, bool in_cluster, const std::shared_ptr<ClusterCall>& call) {
  const auto& wire = request_of<control::CreateNetworkRequest>(*call).spec();
  const bool chosen = wire.driver().empty() && !in_cluster;
  const auto* end = std::end(kLocalDrivers);
  if (!chosen && std::find(std::begin(kLocalDrivers), end, wire.driver()) == end) return false;
  Result<manager::NetworkSpec> spec = manager::wire::from_wire(wire);
  if (!spec) {
    call->done(spec.error());
    return true;
  }
  if (chosen) {
    spec->driver = "bridge";
    call->notice = "driver: bridge, a network of this host alone, as the host is in no cluster";
  }
  local.create(std::move(*spec), [call](const Result<manager::Network>& made) {
    if (!made) return call->done(made.error());
    *response_of<control::CreateNetworkResponse>(*call).mutable_network() = to_wire(*made);
    call->done(ok_status());
  });
  return true;
}

bool remove(LocalNetworks& local, const std::shared_ptr<ClusterCall>& call) {
  const std::string& network = request_of<control::RemoveNetworkRequest>(*call).network();
  if (!names_network(local, network)) return false;
  local.remove(network, [call](const Result<NetworkId>& removed) {
    if (!removed) return call->done(removed.error());
    response_of<control::RemoveNetworkResponse>(*call).set_id(removed->str());
    call->done(ok_status());
  });
  return true;
}

Status inspect_network(const LocalNetworks& local, const ClusterCall& call) {
  const auto& request = request_of<control::InspectNetworkRequest>(call);
  const manager::Network& network = *SHOAL_TRY(local.book().find_network(request.network()));
  auto& response = response_of<control::InspectNetworkResponse>(call);
  *response.mutable_network() = to_wire(network);
  for (const manager::Endpoint& endpoint : local.endpoints(network.id)) {
    *response.add_endpoints() = to_wire(endpoint);
  }
  for (const manager::SubnetUsage& usage : local.book().usage(network.id, local.now())) {
    *response.add_usage() = to_wire(usage);
  }
  for (const std::string& note : local.book().driver(network.id).explain(network)) {
    response.add_notes(note);
  }
  return ok_status();
}

Status list_endpoints(const LocalNetworks& local, const ClusterCall& call) {
  const auto& request = request_of<control::ListEndpointsRequest>(call);
  const manager::Network& network = *SHOAL_TRY(local.book().find_network(request.network()));
  for (const manager::Endpoint& endpoint : local.endpoints(network.id)) {
    *response_of<control::ListEndpointsResponse>(call).add_endpoints() = to_wire(endpoint);
  }
  return ok_status();
}

bool inspect_endpoint(const LocalNetworks& local, const ClusterCall& call) {
  const auto& request = request_of<control::InspectEndpointRequest>(call);
  const auto endpoint = local.find_endpoint(request.network(), request.endpoint());
  if (!endpoint) {
    const bool ours = !request.network().empty() && names_network(local, request.network());
    if (ours) call.done(endpoint.error());
    return ours;
  }
  auto& response = response_of<control::InspectEndpointResponse>(call);
  *response.mutable_endpoint() = to_wire(*endpoint);
  *response.mutable_network() = to_wire(*local.book().network(endpoint->network_id));
  call.done(ok_status());
  return true;
}

}  // namespace

bool answer_locally(LocalNetworks& local, bool in_cluster,
                    const std::shared_ptr<ClusterCall>& call) {
  switch (call->method) {
    case ClusterMethod::kCreateNetwork:
      return create(local, in_cluster, call);
    case ClusterMethod::kRemoveNetwork:
      return remove(local, call);
    case ClusterMethod::kInspectNetwork:
      if (!names_network(local, request_of<control::InspectNetworkRequest>(*call).network())) {
        return false;
      }
      call->done(inspect_network(local, *call));
      return true;
    case ClusterMethod::kListEndpoints:
      if (!names_network(local, request_of<control::ListEndpointsRequest>(*call).network())) {
        return false;
      }
      call->done(list_endpoints(local, *call));
      return true;
    case ClusterMethod::kInspectEndpoint:
      return inspect_endpoint(local, *call);
    default:
      return false;
  }
}

bool is_list(const ClusterCall& call) {
  return call.method == ClusterMethod::kListNetworks ||
         (call.method == ClusterMethod::kListEndpoints &&
          request_of<control::ListEndpointsRequest>(call).network().empty());
}

void add_local(const LocalNetworks& local, ClusterCall& call) {
  if (!is_list(call)) return;
  // The call ends on any thread: what is added is copied here.
  control::ListNetworksResponse networks;
  control::ListEndpointsResponse endpoints;
  if (call.method == ClusterMethod::kListNetworks) {
    for (const manager::Network* network : local.book().networks()) {
      *networks.add_networks() = to_wire(*network);
    }
  } else {
    for (const manager::Endpoint& endpoint : local.endpoints({})) {
      *endpoints.add_endpoints() = to_wire(endpoint);
    }
  }
  call.done = [&call, networks = std::move(networks), endpoints = std::move(endpoints),
               done = std::move(call.done)](const Status& status) {
    if (status.ok() && call.method == ClusterMethod::kListNetworks) {
      call.response->MergeFrom(networks);
    } else if (status.ok()) {
      call.response->MergeFrom(endpoints);
    }
    done(status);
  };
}

}  // namespace shoal::node
