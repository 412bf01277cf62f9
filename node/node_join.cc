// join: a node of an existing cluster; see node.h.
#include <algorithm>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "manager/security/token.h"
#include "manager/wire/common_wire.h"
#include "node/certificates.h"
#include "node/host.h"
#include "node/node.h"

namespace shoal::node {
namespace {

constexpr uint16_t kClusterPort = 2377;

}  // namespace

Result<control::JoinResponse> Node::do_join(const control::JoinRequest& request) {
  SHOAL_TRY(require_inactive());
  SHOAL_TRY(manager::parse_token(request.token()));
  std::vector<HostPort> remotes;
  for (const std::string& text : request.remotes()) {
    for (const HostPort& remote : SHOAL_TRY(resolve_remote(text, kClusterPort))) {
      remotes.push_back(remote);
    }
  }
  if (remotes.empty()) return invalid_argument("name a manager to join: HOST:PORT");
  const manager::Availability availability =
      SHOAL_TRY(manager::wire::from_wire(request.availability()));
  Identity identity = SHOAL_TRY(plan_join(request, remotes));
  const Issued issued = SHOAL_TRY(request_certificate(request.token(), remotes, description_,
                                                      availability, clock_, stopping_.get_token()));
  identity.node = issued.node;
  identity.cluster = issued.cluster;
  identity.role = issued.role;
  identity.certificate = issued.certificate;
  identity.private_key = issued.private_key;
  identity.root_certificate = issued.root_certificate;
  identity.managers = issued.managers;
  identity.data_path_port = issued.data_path_port;

  bool committed = false;
  bool registered = false;
  const auto make = [&]() -> Status {
    SHOAL_TRY(write_file_atomic(paths_.unfinished(), ""));
    SHOAL_TRY(write_identity_files(paths_.state_dir, identity));
    if (identity.role == manager::Role::kManager) SHOAL_TRY(open_manager(identity));
    // Before the managers hear of this node: if it is killed from now on, it goes on at its next
    // start, and the managers are left with no node that nobody is.
    SHOAL_TRY(save_identity(paths_.state_dir, identity));
    SHOAL_TRY(remove_file(paths_.unfinished()));
    committed = true;
    SHOAL_TRY(start_worker(identity));
    registered = worker_part_->wait_registered(kRegisterTimeout, stopping_.get_token());
    if (!registered) {
      const Error why = strand_.call([this] { return worker_part_->session_error(); });
      return deadline_exceeded("the managers gave this node a certificate and no session: " +
                               why.message);
    }
    if (identity.role != manager::Role::kManager) return ok_status();
    return manager_part_->join(identity.managers, kRaftJoinTimeout, stopping_.get_token());
  };
  if (const Status made = make(); !made) {
    if (committed && stopping_.stop_requested()) {
      return unavailable("shoald is stopping: it goes on joining when it runs again");
    }
    if (registered) {
      const Status left = manager_part_->leave(kRaftLeaveTimeout, stopping_.get_token());
      if (!left) log::warn("node", "the managers still count on it: {}", left.error().message);
    }
    forget_everything();
    return made.error();
  }
  set_identity(identity);
  schedule_renewal();
  strand_.call([this] { check_role(); });
  log::info("node", "joined cluster {} as node {}", identity.cluster.str(), identity.node.str());
  control::JoinResponse response;
  response.set_node_id(identity.node.str());
  response.set_role(manager::wire::to_wire(identity.role));
  return response;
}

}  // namespace shoal::node
