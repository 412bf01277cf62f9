// Promotion, demotion and renewal of the certificate; see node.h.
#include <algorithm>

#include "base/runtime/log.h"
#include "manager/security/data_key.h"
#include "manager/security/x509.h"
#include "node/certificates.h"
#include "node/node.h"

namespace shoal::node {
namespace {

constexpr char kLog[] = "node";
// The part of its validity after which a certificate is renewed, drawn anew each time: nodes that
// joined together do not renew together.
constexpr uint64_t kRenewFromPercent = 50;
constexpr uint64_t kRenewToPercent = 80;
// Tries that fit into one validity, when it is short.
constexpr int kRetriesPerValidity = 20;

std::vector<HostPort> addresses_of_managers(const worker::ClusterInfo& cluster) {
  std::vector<HostPort> out;
  for (const manager::Node& node : cluster.managers) {
    if (node.addresses.control) out.push_back(*node.addresses.control);
  }
  return out;
}

}  // namespace

void Node::on_cluster(const worker::ClusterInfo& cluster) { want_role(cluster.node.spec.role); }

void Node::want_role(manager::Role role) {
  wanted_role_ = role;
  // Demoted before it was let in, or before it had caught up: it would wait for nothing.
  if (joining_managers_ && role == manager::Role::kWorker) manager_view_->stop();
  check_role();
}

// Strand. `view_` is absent while init or join are under way: those check when they are done.
void Node::check_role() {
  if (!view_ || role_pending_) return;
  if (view_->role == wanted_role_ && !raft_join_pending_) return;
  role_pending_ = true;
  const manager::Role wanted = wanted_role_;
  later([this, wanted] { follow_role(wanted); });
}

void Node::follow_role(manager::Role wanted) {
  if (!identity_ || !worker_part_) return;
  const bool to_manager = wanted == manager::Role::kManager;
  const Status followed = to_manager ? promote() : demote();
  if (followed) {
    log::info(kLog, "this node is a {} now", to_manager ? "manager" : "worker");
  } else {
    log::error(kLog, "{} failed and is tried again: {}", to_manager ? "promotion" : "demotion",
               followed.error().message);
  }
  strand_.call([&] {
    role_pending_ = false;
    role_error_ = followed ? std::string() : followed.error().message;
    if (followed) raft_join_pending_ = false;
    if (followed || wanted_role_ != wanted) {
      check_role();
    } else {
      role_timer_->wake_at(clock_.now() + kRoleRetry, [this] { check_role(); });
    }
  });
}

Status Node::renew() {
  const std::vector<HostPort> managers = strand_.call([this] {
    const auto& cluster = worker_part_->worker().cluster();
    std::vector<HostPort> known = worker_part_->session().managers();
    if (cluster) known = addresses_of_managers(*cluster);
    if (const auto leader = worker_part_->session().manager()) known.insert(known.begin(), *leader);
    return known;
  });
  const Renewed renewed = SHOAL_TRY(
      renew_certificate(identity_files(paths_.state_dir), managers, clock_, stopping_.get_token()));
  Identity identity = *identity_;
  identity.certificate = renewed.certificate;
  identity.private_key = renewed.private_key;
  identity.root_certificate = renewed.root_certificate;
  identity.role = renewed.role;
  if (!managers.empty()) identity.managers = managers;
  SHOAL_TRY(save_identity(paths_.state_dir, identity));
  set_identity(identity);
  schedule_renewal();
  return ok_status();
}

Status Node::promote() {
  if (identity_->role != manager::Role::kManager) SHOAL_TRY(renew());
  if (identity_->role != manager::Role::kManager) {
    return unavailable("the managers still give this node a worker's certificate");
  }
  if (locked_) return manager::locked_error();
  if (!manager_part_) SHOAL_TRY(open_manager(*identity_));
  // The members know this one's address from its registration.
  strand_.call([this] { worker_part_->session().set_addresses(addresses_of(*identity_)); });
  if (manager::Manager::has_state(paths_.manager_dir())) return ok_status();
  const bool wanted = strand_.call([this] {
    joining_managers_ = wanted_role_ == manager::Role::kManager;
    return joining_managers_;
  });
  if (!wanted) return unavailable("the managers took the promotion back");
  const Status joined =
      manager_part_->join(identity_->managers, kRaftJoinTimeout, stopping_.get_token());
  strand_.call([this] { joining_managers_ = false; });
  return joined;
}

// Until the demotion is complete the certificate says manager. Promoted again meanwhile, this node
// has to join the managers anew.
Status Node::forget_manager() {
  SHOAL_TRY(manager::Manager::forget(paths_.manager_dir()));
  strand_.call([this] { raft_join_pending_ = true; });
  return ok_status();
}

Status Node::demote() {
  if (locked_) {  // what is locked is needed no more
    SHOAL_TRY(forget_manager());
    set_locked(false);
  }
  if (manager_part_) {
    log::warn(kLog,
              "the managers made this node a worker: its copy of the cluster's state is removed");
    // The managers took the member out before they said so. To ask them for it would be late: it
    // could undo a promotion that followed.
    stop_manager();
    SHOAL_TRY(forget_manager());
  }
  if (identity_->role != manager::Role::kWorker) SHOAL_TRY(renew());
  strand_.call([this] { worker_part_->session().set_addresses(addresses_of(*identity_)); });
  if (identity_->role != manager::Role::kWorker) {
    return unavailable("the managers still give this node a manager's certificate");
  }
  return ok_status();
}

void Node::schedule_renewal() {
  const Result<manager::CertificateInfo> info = manager::read_certificate(identity_->certificate);
  if (!info) return;  // checked when it was stored
  const Duration validity = info->not_after - info->issued_at;
  const Duration retry =
      std::clamp<Duration>(validity / kRetriesPerValidity, std::chrono::seconds(1), kRenewRetry);
  const auto percent =
      static_cast<int64_t>(kRenewFromPercent + rng_.below(kRenewToPercent - kRenewFromPercent + 1));
  const WallTime when = info->issued_at + validity / 100 * percent;
  const Duration wait = std::max<Duration>(when - clock_.wall(), std::chrono::seconds(1));
  strand_.call([&] {
    renew_timer_->wake_at(clock_.now() + wait, [this, retry] {
      later([this, retry] {
        if (!identity_ || !worker_part_) return;
        const Status renewed = renew();
        if (renewed) {
          log::info(kLog, "renewed this node's certificate");
          return;
        }
        log::warn(kLog, "the certificate is not renewed yet: {}", renewed.error().message);
        strand_.call([this, retry] {
          renew_timer_->wake_at(clock_.now() + retry,
                                [this] { later([this] { schedule_renewal(); }); });
        });
      });
    });
  });
}

}  // namespace shoal::node
