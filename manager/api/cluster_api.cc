#include "manager/api/cluster_api.h"

#include "manager/api/raft_status.h"
#include "manager/control/queries.h"
#include "manager/security/token.h"
#include "manager/wire/common_wire.h"
#include "proto/control.grpc.pb.h"

namespace shoal::manager {
namespace {

template <typename T>
const T& request_of(const ClusterCall& call) {
  return static_cast<const T&>(*call.request);
}
template <typename T>
T& response_of(const ClusterCall& call) {
  return static_cast<T&>(*call.response);
}

// The method of the stub that carries the call to the leader.
RemoteTry remote_of(const ClusterCall& call) {
  switch (call.method) {
#define SHOAL_FORWARD(name)                                                           \
  case ClusterMethod::k##name:                                                        \
    return remote_try<shoal::control::Cluster>(                                       \
        [](auto* async, auto... arguments) { async->name(std::move(arguments)...); }, \
        &request_of<shoal::control::name##Request>(call),                             \
        &response_of<shoal::control::name##Response>(call));
    SHOAL_FORWARD(GetJoinToken)
    SHOAL_FORWARD(GetUnlockKey)
    SHOAL_FORWARD(UpdateCluster)
    SHOAL_FORWARD(ListNodes)
    SHOAL_FORWARD(InspectNode)
    SHOAL_FORWARD(UpdateNode)
    SHOAL_FORWARD(RemoveNode)
    SHOAL_FORWARD(CreateNetwork)
    SHOAL_FORWARD(ListNetworks)
    SHOAL_FORWARD(InspectNetwork)
    SHOAL_FORWARD(RemoveNetwork)
    SHOAL_FORWARD(ListEndpoints)
    SHOAL_FORWARD(InspectEndpoint)
    SHOAL_FORWARD(GetRaftStatus)
#undef SHOAL_FORWARD
  }
  return nullptr;
}

bool is_read(ClusterMethod method) {
  switch (method) {
    case ClusterMethod::kListNodes:
    case ClusterMethod::kInspectNode:
    case ClusterMethod::kListNetworks:
    case ClusterMethod::kInspectNetwork:
    case ClusterMethod::kListEndpoints:
    case ClusterMethod::kInspectEndpoint:
      return true;
    default:
      return false;
  }
}

}  // namespace

void ClusterApi::handle(std::shared_ptr<ClusterCall> call) {
  strand_.post([this, alive = std::weak_ptr(alive_), call = std::move(call)] {
    if (alive.expired()) return call->done(unavailable("this manager is stopping"));
    start(call);
  });
}

void ClusterApi::start(const CallPtr& call) {
  if (call->method == ClusterMethod::kGetRaftStatus) return raft_status(call);
  LeaderCalls::Call leader_call;
  leader_call.request_id = call->request_id;
  leader_call.deadline = call->deadline;
  leader_call.forwarded = call->forwarded;
  leader_call.retried_since = call->retried_since;
  leader_call.remote = remote_of(*call);
  leader_call.local = [this, call](const LeaderCalls::Call& now, StatusDone done) {
    call->running = true;
    execute(call, now, [call, done = std::move(done)](const Status& status) {
      call->running = false;
      done(status);
    });
  };
  if (is_read(call->method)) {
    // What this manager holds is better than nothing, when no manager can know better.
    leader_call.without_quorum = [this, call](const Error& lost) {
      call->notice =
          "this is what one manager knows, and may lack the last changes: " + lost.message;
      return answer_read(*call);
    };
  }
  leader_call.outlived = true;
  leader_call.done = [call](Status status) {
    if (call->running) call->detach();
    call->done(std::move(status));
  };
  calls_.start(std::move(leader_call));
}

void ClusterApi::execute(const CallPtr& call, const LeaderCalls::Call& now, StatusDone done) {
  if (!call->caller.empty()) {
    const Cluster* cluster = replica_.store().cluster();
    const Caller caller{true, call->caller, cluster ? cluster->id : ClusterId(), Role::kManager};
    if (const Status allowed = admit(replica_.store(), caller, Method::kCluster); !allowed) {
      return done(allowed);
    }
  }
  switch (call->method) {
    case ClusterMethod::kGetJoinToken:
      return get_join_token(call, now.request_id, std::move(done));
    case ClusterMethod::kGetUnlockKey:
      return get_unlock_key(call, now.request_id, std::move(done));
    case ClusterMethod::kUpdateCluster:
      return update_cluster(call, now.request_id, std::move(done));
    case ClusterMethod::kUpdateNode:
      return update_node(call, std::move(done));
    case ClusterMethod::kRemoveNode:
      return remove_node(call, now.retried_since != 0, std::move(done));
    case ClusterMethod::kCreateNetwork:
      return create_network(call, now, std::move(done));
    case ClusterMethod::kRemoveNetwork:
      return remove_network(call, now, std::move(done));
    case ClusterMethod::kListNodes:
    case ClusterMethod::kInspectNode:
    case ClusterMethod::kListNetworks:
    case ClusterMethod::kInspectNetwork:
    case ClusterMethod::kListEndpoints:
    case ClusterMethod::kInspectEndpoint:
      return read(call, done);
    case ClusterMethod::kGetRaftStatus:
      return done(internal_error("this call does not go to the leader"));
  }
}

void ClusterApi::raft_status(const CallPtr& call) {
  auto& response = response_of<shoal::control::GetRaftStatusResponse>(*call);
  const bool only_this = request_of<shoal::control::GetRaftStatusRequest>(*call).only_this();
  if (only_this || call->forwarded) {
    replica_.describe_raft(response);
    return call->done(ok_status());
  }
  collect_raft_status(strand_, replica_, calls_,
                      [call, &response](shoal::control::GetRaftStatusResponse all) {
                        response = std::move(all);
                        call->done(ok_status());
                      });
}

// Changes.

void ClusterApi::get_join_token(const CallPtr& call, const std::string& request_id,
                                StatusDone done) {
  const auto& request = request_of<shoal::control::GetJoinTokenRequest>(*call);
  const auto role = wire::from_wire(request.role());
  if (!role) return done(role.error());
  const auto answer = [this, call, role = *role, done](const Status& status) {
    if (!status) return done(status);
    const Cluster* cluster = replica_.store().cluster();
    const Node* self = replica_.store().node(replica_.self());
    if (cluster == nullptr) return done(unavailable("the cluster is being made: try again"));
    auto& response = response_of<shoal::control::GetJoinTokenResponse>(*call);
    response.set_token(format_token(cluster->root_certificate, role == Role::kManager
                                                                   ? cluster->manager_secret
                                                                   : cluster->worker_secret));
    if (self != nullptr && self->addresses.control) {
      response.set_manager_address(self->addresses.control->str());
    }
    done(ok_status());
  };
  if (!request.rotate()) return replica_.read(answer);
  change(
      replica_,
      [this, role = *role, request_id] {
        return control::rotate_join_token(replica_.store(), role, request_id, draw());
      },
      [answer](const Result<Answer>& result) {
        answer(result ? ok_status() : Status(result.error()));
      });
}

void ClusterApi::create_network(const CallPtr& call, const LeaderCalls::Call& now,
                                StatusDone done) {
  const auto build = [this, call, request_id = now.request_id,
                      since = now.retried_since]() -> Result<Command> {
    const auto& request = request_of<shoal::control::CreateNetworkRequest>(*call);
    auto spec = SHOAL_TRY(wire::from_wire(request.spec()));
    return control::create_network_once(replica_.store(), {request_id, since}, std::move(spec),
                                        draw());
  };
  const auto propose = now.retried_since == 0 ? change : change_again;
  propose(replica_, build, [call, done](const Result<Answer>& answer) {
    if (!answer) return done(answer.error());
    const auto* network = std::get_if<Network>(&*answer);
    SHOAL_CHECK(network != nullptr, "making a network answers with it");
    *response_of<shoal::control::CreateNetworkResponse>(*call).mutable_network() =
        wire::to_wire(*network);
    done(ok_status());
  });
}

void ClusterApi::remove_network(const CallPtr& call, const LeaderCalls::Call& now,
                                StatusDone done) {
  const auto build = [this, call, request_id = now.request_id, since = now.retried_since] {
    const auto& request = request_of<shoal::control::RemoveNetworkRequest>(*call);
    return control::remove_network_once(replica_.store(), {request_id, since}, request.network(),
                                        draw());
  };
  const auto propose = now.retried_since == 0 ? change : change_again;
  propose(
      replica_, build,
      [this, call, request_id = now.request_id, done](const Result<Answer>& answer) {
        if (!answer) return done(answer.error());
        const auto handled = replica_.store().handled(request_id, 0);
        SHOAL_CHECK(handled.ok() && *handled != nullptr, "what was just done is remembered");
        response_of<shoal::control::RemoveNetworkResponse>(*call).set_id((*handled)->network.str());
        done(ok_status());
      });
}

void ClusterApi::update_node(const CallPtr& call, StatusDone done) {
  const auto& request = request_of<shoal::control::UpdateNodeRequest>(*call);
  control::NodeChange wanted;
  for (const std::string& field : request.fields()) {
    if (field == "role") {
      const auto role = wire::from_wire(request.spec().role());
      if (!role) return done(role.error());
      wanted.role = *role;
    } else if (field == "availability") {
      const auto availability = wire::from_wire(request.spec().availability());
      if (!availability) return done(availability.error());
      wanted.availability = *availability;
    } else if (field == "labels") {
      common::NodeSpec spec = request.spec();
      spec.set_role(common::ROLE_WORKER);
      auto parsed = wire::from_wire(spec);
      if (!parsed) return done(parsed.error());
      wanted.labels = std::move(parsed->labels);
    } else {
      return done(invalid_argument("a node has no field \"" + field.substr(0, 64) +
                                   "\" to change: role, availability and labels can be"));
    }
  }
  const auto answer = [call, done](const Result<Answer>& result) {
    if (!result) return done(result.error());
    const auto* node = std::get_if<Node>(&*result);
    SHOAL_CHECK(node != nullptr, "changing a node answers with it");
    *response_of<shoal::control::UpdateNodeResponse>(*call).mutable_node() = wire::to_wire(*node);
    done(ok_status());
  };
  const auto apply_rest = [this, call, wanted, answer] {
    change(
        replica_,
        [this, call, wanted] {
          return control::update_node(replica_.store(),
                                      request_of<shoal::control::UpdateNodeRequest>(*call).node(),
                                      call->self_or(replica_.self()), wanted, draw());
        },
        answer);
  };
  if (wanted.role != Role::kWorker) return apply_rest();
  // Demotion: out of the raft group first.
  replica_.read([this, call, wanted, done, answer, apply_rest](const Status& status) {
    if (!status) return done(status);
    const auto& name = request_of<shoal::control::UpdateNodeRequest>(*call).node();
    const auto node = control::inspect_node(replica_.store(), name, call->self_or(replica_.self()));
    if (!node) return done(node.error());
    if (node->spec.role != Role::kManager) return apply_rest();
    members_.demote(node->id, [wanted, answer, apply_rest](const Result<Answer>& result) {
      const bool more = wanted.availability || wanted.labels;
      if (!result || !more) return answer(result);
      apply_rest();
    });
  });
}

// A manager that is lost for good is demoted and removed in one go.
void ClusterApi::remove_node(const CallPtr& call, bool retry, StatusDone done) {
  const auto& request = request_of<shoal::control::RemoveNodeRequest>(*call);
  if (!request.force()) return remove_worker(call, retry, std::move(done));
  replica_.read([this, call, retry, done](const Status& status) {
    if (!status) return done(status);
    const auto& name = request_of<shoal::control::RemoveNodeRequest>(*call).node();
    const auto node = control::inspect_node(replica_.store(), name, call->self_or(replica_.self()));
    if (!node || node->spec.role != Role::kManager || replica_.store().manager_count() == 1) {
      return remove_worker(call, retry, done);
    }
    if (replica_.reachable(node->raft_id)) {
      return done(conflict("node " + replica_.store().node_name(node->id) +
                           " is a manager that answers: demote it first with `shoal node demote`"));
    }
    members_.demote(node->id, [this, call, retry, done](const Result<Answer>& demoted) {
      if (!demoted) return done(demoted.error());
      remove_worker(call, retry, done);
    });
  });
}

void ClusterApi::remove_worker(const CallPtr& call, bool retry, StatusDone done) {
  const auto build = [this, call] {
    const auto& request = request_of<shoal::control::RemoveNodeRequest>(*call);
    return control::remove_node(replica_.store(), request.node(), call->self_or(replica_.self()),
                                request.force(), draw());
  };
  change(replica_, build, [retry, done](const Result<Answer>& answer) {
    const bool gone = retry && !answer && answer.error().code == ErrorClass::kNotFound;
    done(answer || gone ? ok_status() : Status(answer.error()));
  });
}

// Reads.

void ClusterApi::read(const CallPtr& call, const StatusDone& done) {
  replica_.read(
      [this, call, done](const Status& status) { done(status ? answer_read(*call) : status); });
}

common::Node ClusterApi::node_view(const Node& node) const {
  common::Node out = wire::to_wire(node);
  out.mutable_status()->set_state(wire::to_wire(replica_.state_of(node)));
  if (node.raft_id != 0) {
    out.mutable_manager()->set_leader(node.raft_id == replica_.leader_raft_id());
    out.mutable_manager()->set_reachable(replica_.reachable(node.raft_id));
  }
  return out;
}

Status ClusterApi::answer_read(const ClusterCall& call) {
  const Store& store = replica_.store();
  switch (call.method) {
    case ClusterMethod::kListNodes: {
      auto& response = response_of<shoal::control::ListNodesResponse>(call);
      for (const Node& node : control::list_nodes(store)) *response.add_nodes() = node_view(node);
      break;
    }
    case ClusterMethod::kInspectNode: {
      const auto& request = request_of<shoal::control::InspectNodeRequest>(call);
      const auto node =
          SHOAL_TRY(control::inspect_node(store, request.node(), call.self_or(replica_.self())));
      *response_of<shoal::control::InspectNodeResponse>(call).mutable_node() = node_view(node);
      break;
    }
    case ClusterMethod::kListNetworks: {
      auto& response = response_of<shoal::control::ListNetworksResponse>(call);
      for (const Network& network : control::list_networks(store)) {
        *response.add_networks() = wire::to_wire(network);
      }
      break;
    }
    case ClusterMethod::kInspectNetwork: {
      const auto& request = request_of<shoal::control::InspectNetworkRequest>(call);
      const auto view =
          SHOAL_TRY(control::inspect_network(store, request.network(), replica_.wall()));
      auto& response = response_of<shoal::control::InspectNetworkResponse>(call);
      *response.mutable_network() = wire::to_wire(view.network);
      for (const auto& endpoint : view.endpoints)
        *response.add_endpoints() = wire::to_wire(endpoint);
      for (const auto& usage : view.usage) *response.add_usage() = wire::to_wire(usage);
      break;
    }
    case ClusterMethod::kListEndpoints: {
      const auto& request = request_of<shoal::control::ListEndpointsRequest>(call);
      const auto endpoints = SHOAL_TRY(control::list_endpoints(store, request.network()));
      auto& response = response_of<shoal::control::ListEndpointsResponse>(call);
      for (const auto& endpoint : endpoints) *response.add_endpoints() = wire::to_wire(endpoint);
      break;
    }
    case ClusterMethod::kInspectEndpoint: {
      const auto& request = request_of<shoal::control::InspectEndpointRequest>(call);
      const auto view =
          SHOAL_TRY(control::inspect_endpoint(store, request.network(), request.endpoint()));
      auto& response = response_of<shoal::control::InspectEndpointResponse>(call);
      *response.mutable_endpoint() = wire::to_wire(view.endpoint);
      *response.mutable_network() = wire::to_wire(view.network);
      break;
    }
    default:
      return internal_error("this call is not a read");
  }
  return ok_status();
}

}  // namespace shoal::manager
