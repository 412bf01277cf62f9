#include "node/node.h"

#include <filesystem>
#include <future>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "manager/security/data_key.h"
#include "manager/security/x509.h"
#include "manager/wire/common_wire.h"
#include "node/host.h"

namespace shoal::node {
namespace {

constexpr char kLog[] = "node";
// Without its identity a node's other files are the rest of something unfinished, and removed. Is
// nothing unfinished, the identity was lost, and a manager's state is too dear to go with it.
Status check_not_lost(const Paths& paths) {
  std::error_code error;
  if (std::filesystem::exists(paths.unfinished(), error)) return ok_status();
  for (const std::string& rest :
       {paths.state_dir + "/attachments", paths.manager_dir() + "/raft_member"}) {
    if (!std::filesystem::exists(rest, error)) continue;
    return data_loss(paths.state_dir + "/node.state (the identity of this node) is lost and " +
                     rest +
                     " is still there: restore it from a backup, or empty the state directory and "
                     "let this node join again");
  }
  return ok_status();
}

// A node of a cluster has the file from its first moment. Removing it is also how one goes on from
// a damaged one without a backup, so it is no reason not to start.
void warn_if_attachments_lost(const Paths& paths) {
  const std::string file = paths.state_dir + "/attachments";
  std::error_code error;
  if (std::filesystem::exists(file, error)) return;
  log::warn(kLog,
            "{} is lost: what was attached to this host is taken out, its addresses are given back "
            "as the managers name them, and it has to be attached again",
            file);
}

template <typename Work, typename Done>
std::function<void()> job(Work work, Done done) {
  return [work = std::move(work), done = std::move(done)] { done(work()); };
}

}  // namespace

Node::Node(Paths paths, Config config, Missing missing, Duration shortest_expiry, Strand& strand,
           Clock& clock, Rng& rng)
    : paths_(std::move(paths)),
      config_(std::move(config)),
      missing_(std::move(missing)),
      shortest_expiry_(shortest_expiry),
      description_(describe_host(missing_.names)),
      strand_(strand),
      clock_(clock),
      rng_(rng),
      router_(strand),
      role_timer_(strand.make_timer()),
      renew_timer_(strand.make_timer()),
      lifecycle_("shoal-life") {}

Node::~Node() { stop(); }

Status Node::start_host() {
  host_part_ = SHOAL_TRY(
      HostPart::start(paths_, config_, strand_, clock_, rng_, [this]() -> const worker::Catalogue* {
        return worker_view_ == nullptr ? nullptr : &worker_view_->worker().catalogue();
      }));
  strand_.call([this] {
    host_view_ = host_part_.get();
    local_view_ = &host_part_->networks();
    router_.set_local(local_view_);
  });
  return ok_status();
}

void Node::stop_host() {
  if (!host_part_) return;
  strand_.call([this] {
    host_view_ = nullptr;
    local_view_ = nullptr;
    router_.set_local(nullptr);
  });
  host_part_.reset();
}

void Node::configure(const Config& config) {
  strand_.call([&] {
    if (host_view_ != nullptr) host_view_->configure(config);
  });
}

Status Node::start() {
  SHOAL_TRY(start_host());
  Result<Identity> identity = load_identity(paths_.state_dir);
  if (!identity) {
    if (identity.error().code != ErrorClass::kNotFound) return identity.error();
    SHOAL_TRY(check_not_lost(paths_));
    if (std::filesystem::exists(paths_.unfinished())) {
      log::warn(kLog,
                "an init, join or leave was interrupted: what it left on this host is removed");
    }
    forget_everything();
    return ok_status();
  }
  SHOAL_TRY(remove_file(paths_.unfinished()));
  SHOAL_TRY(manager::check_key_matches(identity->certificate, identity->private_key));
  SHOAL_TRY(write_identity_files(paths_.state_dir, *identity));
  warn_if_attachments_lost(paths_);
  set_identity(*identity);
  if (identity->role == manager::Role::kManager) {
    const bool has_state = manager::Manager::has_state(paths_.manager_dir());
    if (has_state && manager::Manager::is_locked(paths_.manager_dir())) {
      set_locked(true);
      log::warn(kLog, "{}; what is attached keeps working", manager::locked_error().message);
    } else {
      SHOAL_TRY(open_manager(*identity));
    }
    if (has_state) {
      if (!locked_) SHOAL_TRY(manager_part_->resume());
    } else {
      // Stopped between its certificate and its membership.
      strand_.call([this] { raft_join_pending_ = true; });
    }
  }
  strand_.call([&] { wanted_role_ = identity->role; });  // until the managers say otherwise
  SHOAL_TRY(start_worker(*identity));
  strand_.call([this] { check_role(); });
  schedule_renewal();
  if (std::filesystem::exists(paths_.leaving())) {
    log::warn(kLog, "node {} was interrupted while it left cluster {}: it goes on leaving",
              identity->node.str(), identity->cluster.str());
    leave(true, [](const Result<control::LeaveResponse>& left) {
      if (!left) log::warn(kLog, "leaving: {}", left.error().message);
    });
    return ok_status();
  }
  log::info(kLog, "node {} of cluster {} goes on as a {}", identity->node.str(),
            identity->cluster.str(),
            identity->role == manager::Role::kManager ? "manager" : "worker");
  return ok_status();
}

void Node::stop() {
  if (!stopping_.request_stop()) return;
  strand_.call([this] {
    role_timer_->cancel();
    renew_timer_->cancel();
  });
  // Lets it end what it is in: a half-made init must be undone by itself.
  std::promise<void> drained;
  lifecycle_.post([&drained] { drained.set_value(); });
  drained.get_future().wait();
  stop_worker();
  stop_manager();
  stop_host();
}

Status Node::require_running() const {
  if (!stopping_.stop_requested()) return ok_status();
  return unavailable("shoald is stopping: try again when it runs");
}

void Node::later(std::function<void()> work) {
  lifecycle_.post([this, work = std::move(work)] {
    if (!stopping_.stop_requested()) work();
  });
}

void Node::init(control::InitRequest request, Done<control::InitResponse> done) {
  lifecycle_.post(
      job([this, request = std::move(request)] { return do_init(request); }, std::move(done)));
}

void Node::join(control::JoinRequest request, Done<control::JoinResponse> done) {
  lifecycle_.post(
      job([this, request = std::move(request)] { return do_join(request); }, std::move(done)));
}

void Node::leave(bool force, Done<control::LeaveResponse> done) {
  lifecycle_.post(job(
      [this, force]() -> Result<control::LeaveResponse> {
        SHOAL_TRY(do_leave(force));
        return control::LeaveResponse();
      },
      std::move(done)));
}

Status Node::require_inactive() const {
  SHOAL_TRY(require_running());
  if (!identity_) return ok_status();
  return conflict("this node is already part of a cluster: use `shoal leave` first");
}

void Node::set_identity(std::optional<Identity> identity) {
  identity_ = identity;
  strand_.call([&] { view_ = identity; });
}

Status Node::start_worker(const Identity& identity) {
  worker_part_ = SHOAL_TRY(
      WorkerPart::start(identity, paths_, description_, strand_, clock_, rng_, *host_part_,
                        [this](const worker::ClusterInfo& cluster) { on_cluster(cluster); }));
  strand_.call([this] {
    worker_view_ = worker_part_.get();
    router_.set_worker(&worker_part_->worker());
  });
  return ok_status();
}

void Node::stop_worker() {
  if (!worker_part_) return;
  strand_.call([this] {
    worker_view_ = nullptr;
    router_.set_worker(nullptr);
  });
  worker_part_.reset();
}

Status Node::open_manager(const Identity& identity, const std::string& unlock_key) {
  manager_part_ = SHOAL_TRY(ManagerPart::open(identity, paths_, unlock_key, strand_, clock_, rng_));
  strand_.call([this] {
    manager_view_ = &manager_part_->manager();
    manager_part_view_ = manager_part_.get();
    router_.set_manager(manager_view_);
    manager_view_->on_removed([this] {
      log::warn(kLog, "the managers took this member out of their group");
      want_role(manager::Role::kWorker);
    });
  });
  return ok_status();
}

void Node::stop_manager() {
  if (!manager_part_) return;
  strand_.call([this] {
    manager_view_ = nullptr;
    manager_part_view_ = nullptr;
    router_.set_manager(nullptr);
  });
  manager_part_.reset();
}

void Node::forget_everything() {
  stop_worker();
  stop_manager();
  set_locked(false);
  const Status noted = write_file_atomic(paths_.unfinished(), "");
  if (!noted) log::error(kLog, "{}", noted.error().message);
  remove_identity(paths_.state_dir);
  clear_host(paths_,
             *host_part_);  // also what a leave that was killed left; it reads the attachments
  worker::StateDirectory::remove(paths_.state_dir);
  const Status forgotten = manager::Manager::forget(paths_.manager_dir());
  if (!forgotten) log::error(kLog, "{}", forgotten.error().message);
  for (const std::string& marker : {paths_.leaving(), paths_.unfinished()}) {
    const Status finished = remove_file(marker);
    if (!finished) log::error(kLog, "{}", finished.error().message);
  }
  set_identity(std::nullopt);
}

Status Node::do_leave(bool force) {
  SHOAL_TRY(require_running());
  if (!identity_) {
    return conflict(
        "this node is not part of a cluster, there is nothing to leave: `shoal init` or `shoal "
        "join` "
        "would make it part of one");
  }
  const bool is_manager = identity_->role == manager::Role::kManager;
  if (is_manager && !force) {
    return conflict(
        "this node is a manager: demote it first (`shoal node demote self`), or use --force, which "
        "may cost the cluster its quorum");
  }
  const size_t endpoints =
      strand_.call([this] { return worker_part_->worker().endpoints().size(); });
  if (endpoints > 0 && !force) {
    return conflict(std::to_string(endpoints) +
                    " endpoints are attached on this node: detach them first, or use --force");
  }
  strand_.call([this] {
    role_timer_->cancel();
    renew_timer_->cancel();
    role_pending_ = false;
  });
  const Status noted = write_file_atomic(paths_.leaving(), "");
  if (!noted) log::warn(kLog, "{}", noted.error().message);  // a full disk keeps nobody here
  leave_worker();
  if (manager_part_) {
    const Status raft = manager_part_->leave(kRaftLeaveTimeout, stopping_.get_token());
    if (!raft) log::warn(kLog, "left without the managers' consent: {}", raft.error().message);
  }
  if (stopping_.stop_requested()) {
    return unavailable("shoald is stopping: it goes on leaving when it runs again");
  }
  const std::string cluster = identity_->cluster.str();
  forget_everything();
  log::info(kLog, "left cluster {}", cluster);
  return ok_status();
}

void Node::leave_worker() {
  auto answer = std::make_shared<std::promise<std::optional<Status>>>();
  std::future<std::optional<Status>> left = answer->get_future();
  // Whoever is first: the worker, or the end of the daemon.
  const auto once = std::make_shared<std::once_flag>();
  const auto settle = [answer, once](std::optional<Status> status) {
    std::call_once(*once, [&] { answer->set_value(std::move(status)); });
  };
  const std::stop_callback end(stopping_.get_token(), [settle] { settle(std::nullopt); });
  strand_.post([this, settle] { worker_part_->worker().leave(settle); });
  if (left.wait_for(kLeaveTimeout) != std::future_status::ready) {
    log::warn(kLog, "leaving took too long; what is left in the kernel is removed now");
  } else if (const auto status = left.get(); status && !status->ok()) {
    log::error(kLog, "what is ours in the kernel could not be removed: {}",
               status->error().message);
  }
}

}  // namespace shoal::node
