// Going on from what is left: force-new-cluster on a manager, restore from a backup; see node.h.
#include <algorithm>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "manager/backup/backup.h"
#include "manager/security/data_key.h"
#include "manager/security/x509.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_wire.h"
#include "node/host.h"
#include "node/node.h"

namespace shoal::node {
namespace {

constexpr char kLog[] = "node";
constexpr uint16_t kClusterPort = 2377;

// What belongs to a node from its init or join on.
Status check_only_advertise(const control::InitRequest& request) {
  const bool other =
      !request.listen_addr().empty() || !request.data_path_addr().empty() ||
      request.data_path_port() != 0 || request.gossip_port() != 0 ||
      request.default_addr_pools_size() > 0 || request.default_addr_pool_mask_length() != 0 ||
      request.cert_expiry_seconds() != 0 || request.availability() == common::AVAILABILITY_PAUSE ||
      request.availability() == common::AVAILABILITY_DRAIN;
  if (!other) return ok_status();
  return invalid_argument(
      "--force-new-cluster keeps the cluster as it is: of the other options only --advertise-addr "
      "may be given with it");
}

}  // namespace

Result<control::InitResponse> Node::do_force_new_cluster(const control::InitRequest& request) {
  SHOAL_TRY(require_running());
  if (!identity_) {
    return conflict(
        "this host is in no cluster, so there is none to go on with: `shoal init` starts a new "
        "one, `shoal restore FILE` goes on from a backup");
  }
  if (locked_) return manager::locked_error();
  if (!manager_part_ || !manager::Manager::has_state(paths_.manager_dir())) {
    return conflict(
        "this node is a worker and has no copy of the cluster's state: run this on a manager that "
        "is "
        "left, or `shoal restore` a backup on a new host");
  }
  SHOAL_TRY(check_only_advertise(request));
  Identity identity = *identity_;
  if (!request.advertise_addr().empty()) {
    identity.advertise = SHOAL_TRY(
        choose_advertise(SHOAL_TRY(interface_addresses()), request.advertise_addr(), kClusterPort));
  }
  SHOAL_TRY(manager_part_->require_no_quorum(kBootstrapTimeout, stopping_.get_token()));
  identity.managers = {identity.advertise};
  const bool moved = identity.advertise != identity_->advertise;
  const std::string unlock_key = strand_.call([this] {
    role_timer_->cancel();
    // Its state opens again with what it is sealed under now; once stopped, that stays.
    manager_view_->stop();
    return manager_view_->unlock_key();
  });
  stop_manager();
  const auto go_on = [&]() -> Status {
    SHOAL_TRY(open_manager(identity, unlock_key));
    SHOAL_TRY(manager_part_->refound(std::nullopt, kBootstrapTimeout, stopping_.get_token()));
    return save_identity(paths_.state_dir, identity);
  };
  if (const Status founded = go_on(); !founded) {
    // Before its commit point the old group is there still, after it the new one.
    stop_manager();
    Status back = open_manager(*identity_, unlock_key);
    if (back) back = manager_part_->resume();
    if (!back) log::error(kLog, "the manager does not run: {}", back.error().message);
    return founded.error();
  }
  set_identity(identity);
  if (moved) {
    // The session must find the manager at its new address.
    stop_worker();
    SHOAL_TRY(start_worker(identity));
  }
  strand_.call([this] {
    wanted_role_ = manager::Role::kManager;
    worker_part_->session().set_addresses(addresses_of(*identity_));
    worker_part_->session().hurry();
  });
  log::warn(kLog, "cluster {} goes on with this node as its only manager", identity.cluster.str());
  control::InitResponse response;
  response.set_node_id(identity.node.str());
  response.set_manager_address(identity.advertise.str());
  return response;
}

Result<Identity> Node::plan_restore(const control::InitRequest& settings,
                                    const manager::Cluster& cluster,
                                    manager::Restoration& restoration) const {
  Identity out = SHOAL_TRY(plan_manager(settings, cluster.data_path_port));
  out.cluster = cluster.id;
  const WallTime now = clock_.wall();
  const manager::SigningRequest signing = SHOAL_TRY(manager::make_signing_request());
  out.root_certificate = cluster.root_certificate;
  out.private_key = signing.private_key;
  out.certificate = SHOAL_TRY(manager::sign_node_certificate(
      {cluster.root_certificate, cluster.root_key}, signing.csr,
      {out.node, out.cluster, manager::Role::kManager}, cluster.node_certificate_validity, now));
  manager::Node& node = restoration.self;
  node.id = out.node;
  node.spec.role = manager::Role::kManager;
  node.spec.availability = SHOAL_TRY(manager::wire::from_wire(settings.availability()));
  node.description = description_;
  node.addresses = addresses_of(out);
  return out;
}

Result<control::RestoreResponse> Node::do_restore(const control::InitRequest& settings,
                                                  const std::string& file,
                                                  const std::string& unlock_key) {
  SHOAL_TRY(require_inactive());
  std::string key;
  if (!unlock_key.empty()) key = SHOAL_TRY(manager::parse_unlock_key(unlock_key));
  manager::Backup backup = SHOAL_TRY(manager::decode_backup(file, key));
  manager::Restoration restoration;
  restoration.objects = SHOAL_TRY(manager::wire::decode_snapshot(backup.state));
  restoration.index = backup.header.index;
  restoration.term = backup.header.term;
  const auto found =
      std::find_if(restoration.objects.begin(), restoration.objects.end(),
                   [](const auto& object) { return std::get_if<manager::Cluster>(&object); });
  if (found == restoration.objects.end()) return data_loss("the backup holds no cluster");
  const manager::Cluster cluster = std::get<manager::Cluster>(*found);
  const Identity identity = SHOAL_TRY(plan_restore(settings, cluster, restoration));
  SHOAL_TRY(start_as_first(identity, "the restored manager", [&] {
    return manager_part_->refound(std::move(restoration), kBootstrapTimeout, stopping_.get_token());
  }));
  log::warn(kLog, "restored cluster {} from a backup; this is node {}, its only manager",
            identity.cluster.str(), identity.node.str());
  control::RestoreResponse response;
  response.set_node_id(identity.node.str());
  response.set_cluster_id(identity.cluster.str());
  response.set_manager_address(identity.advertise.str());
  response.set_taken_at(backup.header.taken_at.nanoseconds);
  response.set_taken_on(backup.header.taken_on);
  response.set_networks(backup.header.networks);
  response.set_endpoints(backup.header.endpoints);
  response.set_nodes(backup.header.nodes);
  response.set_locked(!cluster.unlock_key.empty());
  return response;
}

void Node::restore(control::InitRequest settings, std::string file, std::string unlock_key,
                   Done<control::RestoreResponse> done) {
  lifecycle_.post([this, settings = std::move(settings), file = std::move(file),
                   unlock_key = std::move(unlock_key),
                   done = std::move(done)] { done(do_restore(settings, file, unlock_key)); });
}

void Node::backup(Done<manager::Manager::Copy> done) {
  strand_.post([this, done = std::move(done)] {
    if (manager_view_ != nullptr) return manager_view_->backup(done);
    if (locked_view_) return done(manager::locked_error());
    done(worker_view_ != nullptr
             ? conflict("this node is a worker: a backup is made on a manager")
             : conflict("this node is not part of a cluster: there is nothing to back up"));
  });
}

}  // namespace shoal::node
