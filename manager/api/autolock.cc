// Autolock: the cluster's unlock key, shown, turned on and off, changed; see cluster_api.h.
#include "manager/api/cluster_api.h"
#include "manager/security/data_key.h"
#include "proto/control.pb.h"

namespace shoal::manager {
namespace {

Error not_locked() {
  return conflict(
      "autolock is off, so there is no unlock key: `shoal update --autolock=true` turns it on");
}

}  // namespace

void ClusterApi::get_unlock_key(const CallPtr& call, const std::string& request_id,
                                StatusDone done) {
  const auto& request = static_cast<const shoal::control::GetUnlockKeyRequest&>(*call->request);
  const auto answer = [this, call, done](const Status& status) {
    if (!status) return done(status);
    const Cluster* cluster = replica_.store().cluster();
    if (cluster != nullptr && !cluster->unlock_key.empty()) {
      static_cast<shoal::control::GetUnlockKeyResponse&>(*call->response)
          .set_unlock_key(format_unlock_key(cluster->unlock_key));
    }
    done(ok_status());
  };
  if (!request.rotate()) return replica_.read(answer);
  const auto build = [this, request_id]() -> Result<Command> {
    const Cluster* cluster = replica_.store().cluster();
    if (cluster != nullptr && cluster->unlock_key.empty()) return not_locked();
    return control::set_autolock(replica_.store(), true, request_id, draw());
  };
  change(replica_, build, [answer](const Result<Answer>& result) {
    answer(result ? ok_status() : Status(result.error()));
  });
}

void ClusterApi::update_cluster(const CallPtr& call, const std::string& request_id,
                                StatusDone done) {
  const auto& request = static_cast<const shoal::control::UpdateClusterRequest&>(*call->request);
  if (request.fields().empty()) return done(invalid_argument("nothing to change was named"));
  for (const std::string& field : request.fields()) {
    if (field == "autolock") continue;
    return done(invalid_argument("the cluster has no setting \"" + field.substr(0, 64) +
                                 "\" to change: autolock can be"));
  }
  const auto build = [this, call, request_id]() -> Result<Command> {
    const bool on =
        static_cast<const shoal::control::UpdateClusterRequest&>(*call->request).autolock();
    const Cluster* cluster = replica_.store().cluster();
    if (cluster != nullptr && on && !cluster->unlock_key.empty()) {
      // On already, or by an earlier try of this call: the key stays.
      return control::propose(replica_.store(), SetUnlockKey{cluster->unlock_key}, draw());
    }
    return control::set_autolock(replica_.store(), on, request_id, draw());
  };
  change(replica_, build, [this, call, request_id, done](const Result<Answer>& result) {
    if (!result) return done(result.error());
    const Cluster* cluster = replica_.store().cluster();
    if (cluster != nullptr && !cluster->unlock_key.empty() &&
        cluster->unlock_key == control::unlock_key_of(*cluster, request_id)) {
      static_cast<shoal::control::UpdateClusterResponse&>(*call->response)
          .set_unlock_key(format_unlock_key(cluster->unlock_key));
    }
    done(ok_status());
  });
}

}  // namespace shoal::manager
