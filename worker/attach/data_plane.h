// DataPlane: keeps the kernel as the newest WorkerState says.
//
// One thread of its own does all netlink; no call here blocks on the kernel. set_state() wakes a
// pass at once; so does a kernel notification (somebody changed a link, entry or address of ours);
// a full pass (dump everything, repair, log each repair) runs every `full_pass_interval`. Nothing
// in the kernel depends on this object: destroying it, or the process dying at any moment, leaves
// traffic flowing, and a new one finds by mark what is there and changes only what differs. What is
// ours and not desired is removed only once a state with `complete` was set.
//
// Thread rule: public methods from any thread; callbacks run on the data plane's thread and must
// only hand values over (post to the strand).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/types/result.h"
#include "base/types/time.h"
#include "worker/attach/namespace_check.h"
#include "worker/reconcile/state.h"

namespace shoal::worker {

// What an attached endpoint looks like in its namespace.
struct AttachedInterface {
  std::string ifname;
  uint32_t mtu = 0;

  friend bool operator==(const AttachedInterface&, const AttachedInterface&) = default;
};

struct PassResult {
  size_t ops = 0;  // changes made to the kernel
  Duration elapsed{};
  std::map<EndpointId, AttachedInterface> attached;
  std::map<EndpointId, Error> endpoint_errors;  // local endpoints that are not as they should be
  std::vector<Error> problems;                  // the rest: remote endpoints, other networks
  bool interrupted = false;                     // a repair gave way before it had seen everything
  std::set<EndpointId> departed;                // nothing of these is left

  bool failed() const;  // worth trying again soon
  std::set<std::string> failures() const;
};

struct DataPlaneOptions {
  // Overlay namespaces are bind-mounted at <run_dir>/netns/shoal-<network id>.
  std::string run_dir = "/run/shoal";
  // A namespace file that plays the host (labs and tests). Empty: the process's own namespace.
  std::string host_namespace;
  std::chrono::milliseconds full_pass_interval{2000};
  // Whether a network of the host itself needs the namespace's resolver too.
  std::function<bool(const NamespaceRef&)> dns_needed_elsewhere;
  // The endpoint's namespace or process is gone; told once. Its port is removed already; the
  // endpoint should leave the next state.
  std::function<void(const EndpointId&, const std::string& reason)> on_endpoint_gone;
  // After every pass that changed something without a new state: drift was repaired.
  std::function<void(size_t repairs)> on_repair;
  // What a repair found that is not as it should be and cannot be put right; after every repair, as
  // one of a new state's pass may have passed since.
  std::function<void(std::vector<std::string>)> on_problems;
};

class DataPlane {
 public:
  // kPermissionDenied or kNotFound when the host namespace cannot be opened or the run directory
  // not made.
  static Result<std::unique_ptr<DataPlane>> start(DataPlaneOptions options);
  ~DataPlane();  // finishes the pass it is in; leaves the kernel as it is
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;

  // The newest state wins; `done` (may be empty) is called after the first pass that saw this state
  // or a newer one; not at all when the data plane is destroyed before that.
  void set_state(WorkerState state, std::function<void(PassResult)> done);

  // Is this a namespace an endpoint can be put into, with that interface name (empty: any)?
  // `done` gets the reference completed so that it names this namespace for good.
  void check_namespace(NamespaceRef ref, std::string ifname,
                       std::function<void(Result<NamespaceRef>)> done);

  // Removes everything of ours from this host: all overlay namespaces and with them every
  // endpoint's interface. For leaving a cluster. The desired state becomes empty.
  void remove_all(std::function<void(Status)> done);

 private:
  struct Impl;
  explicit DataPlane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::worker
