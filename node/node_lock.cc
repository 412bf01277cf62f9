// Autolock on this node: locked at a start, opened by unlock(); see node.h.
#include "base/runtime/log.h"
#include "manager/security/data_key.h"
#include "node/node.h"

namespace shoal::node {

void Node::unlock(std::string key, Done<control::UnlockResponse> done) {
  lifecycle_.post([this, key = std::move(key), done = std::move(done)] {
    const Status unlocked = do_unlock(key);
    if (unlocked) {
      done(control::UnlockResponse());
    } else {
      done(unlocked.error());
    }
  });
}

Status Node::do_unlock(const std::string& key) {
  SHOAL_TRY(require_running());
  if (!identity_) {
    return conflict("this node is not part of a cluster: use `shoal init` or `shoal join` first");
  }
  if (!locked_) return conflict("this node is not locked");
  Status opened = open_manager(*identity_, SHOAL_TRY(manager::parse_unlock_key(key)));
  if (opened) opened = manager_part_->resume();
  if (!opened) {
    stop_manager();
    return opened;
  }
  set_locked(false);
  log::info("node", "unlocked: this node is a manager again");
  strand_.call([this] { check_role(); });
  return ok_status();
}

void Node::set_locked(bool locked) {
  locked_ = locked;
  strand_.call([this, locked] {
    locked_view_ = locked;
    router_.set_locked(locked);
  });
}

}  // namespace shoal::node
