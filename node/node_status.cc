// status: what this node knows of itself and the cluster; see node.h.
#include "manager/security/data_key.h"
#include "manager/wire/common_wire.h"
#include "node/node.h"

namespace shoal::node {

void Node::status(Done<control::StatusResponse> done) {
  strand_.post([this, done = std::move(done)] {
    control::StatusResponse out;
    fill_status(out);
    done(std::move(out));
  });
}

void Node::fill_status(control::StatusResponse& out) const {
  out.set_version(SHOAL_VERSION);
  for (const std::string& sentence : missing_.sentences) out.add_warnings(sentence);
  if (local_view_ != nullptr) {
    for (const std::string& problem : local_view_->problems()) out.add_warnings(problem);
    auto& counters = *out.mutable_counters();
    counters["local_networks"] = local_view_->book().networks().size();
    counters["local_endpoints"] = local_view_->endpoints({}).size();
  }
  if (worker_view_ == nullptr) {
    out.set_membership(control::StatusResponse::INACTIVE);
    return;
  }
  const worker::Worker& worker = worker_view_->worker();
  const worker::WorkerSnapshot snapshot = worker.snapshot();
  const bool active = view_ && worker_view_->session().reachable();
  out.set_membership(active ? control::StatusResponse::ACTIVE : control::StatusResponse::PENDING);
  if (snapshot.cluster) {
    out.set_cluster_id(snapshot.cluster->cluster_id.str());
    *out.mutable_node() = manager::wire::to_wire(snapshot.cluster->node);
  } else if (view_) {
    out.set_cluster_id(view_->cluster.str());
    out.mutable_node()->set_id(view_->node.str());
  }
  fill_managers(out);
  for (const gossip::MemberInfo& member : snapshot.members) {
    control::StatusResponse::Member& item = *out.add_members();
    item.set_node_id(member.id.str());
    const auto known = worker.catalogue().nodes().find(member.id);
    if (known != worker.catalogue().nodes().end()) {
      item.set_hostname(known->second.description.hostname);
    }
    item.set_gossip_address(member.address.str());
    item.set_state(std::string(gossip::to_string(member.state)));
  }
  out.set_networks(static_cast<uint32_t>(snapshot.networks));
  out.set_endpoints(static_cast<uint32_t>(snapshot.endpoints));
  for (const std::string& warning : snapshot.warnings) out.add_warnings(warning);
  if (snapshot.releases > 0) {
    out.add_warnings(std::to_string(snapshot.releases) +
                     " addresses are given back when a manager answers");
  }
  if (locked_view_) {
    out.set_membership(control::StatusResponse::LOCKED);
    out.add_warnings(manager::locked_error().message + ". What is attached keeps working");
  }
  if (!role_error_.empty()) out.add_warnings("the change of role is tried again: " + role_error_);
  const Error& error = worker_view_->session_error();
  if (worker_view_->refused()) {
    out.add_warnings("the managers refuse this node (" + error.message +
                     "): it was probably removed; use `shoal leave --force`, then join again");
  } else if (!error.message.empty()) {
    out.add_warnings("no manager answers (" + error.message + "): what is attached keeps working");
  }
  fill_raft(out);
  for (const auto& [name, value] : snapshot.counters) (*out.mutable_counters())[name] = value;
  (*out.mutable_counters())["worker_peer_endpoints"] = snapshot.peers;
}

void Node::fill_managers(control::StatusResponse& out) const {
  const auto& cluster = worker_view_->worker().cluster();
  if (!cluster) return;
  const std::optional<HostPort> session = worker_view_->session().manager();
  for (const manager::Node& node : cluster->managers) {
    control::StatusResponse::Manager& item = *out.add_managers();
    item.set_node_id(node.id.str());
    const bool connected = node.addresses.control && session == node.addresses.control;
    if (node.addresses.control) item.set_address(node.addresses.control->str());
    item.set_connected(connected);
    // Only the leader keeps sessions; a manager knows better.
    item.set_leader(manager_view_ != nullptr ? manager_view_->status().leader == node.id
                                             : connected);
  }
}

void Node::fill_raft(control::StatusResponse& out) const {
  if (manager_view_ == nullptr) return;
  const manager::ManagerStatus status = manager_view_->status();
  control::StatusResponse::Raft& raft = *out.mutable_raft();
  raft.set_raft_id(status.raft_id);
  raft.set_leader_id(status.leader_raft_id);
  raft.set_term(status.term);
  raft.set_commit_index(status.commit_index);
  raft.set_applied_index(status.applied_index);
  (*out.mutable_counters())["cluster_port_connections_refused_total"] =
      manager_part_view_->connections_refused();
  for (const auto& [name, value] : status.counters) (*out.mutable_counters())[name] = value;
  if (!status.error.empty()) {
    out.add_warnings("the manager on this node cannot write to its disk (" + status.error +
                     "): make room there; until then the other managers go on without it");
  }
  if (!status.quorum_lost.empty()) {
    out.add_warnings(status.quorum_lost);
  } else if (status.leader.empty()) {
    out.add_warnings(
        "the managers have no leader: nothing can be changed until most of them are up");
  }
}

}  // namespace shoal::node
