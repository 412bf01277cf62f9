// HostPlane: keeps the host's own namespace as the newest HostState says: bridges, their endpoints,
// the table of the packet filter, forwarding.
//
// The twin of DataPlane, whose overlays are in namespaces of their own; neither touches what is the
// other's. One thread does all of it; set_state() wakes a pass at once, a kernel notification soon,
// and a full pass runs every `full_pass_interval`. Nothing in the kernel depends on this object.
//
// Thread rule: public methods from any thread; callbacks run on the plane's thread and must only
// hand values over (post to the strand).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/types/result.h"
#include "worker/hostnet/host_state.h"

namespace shoal::worker {

struct HostPlaneOptions {
  std::string run_dir = "/run/shoal";
  // A namespace file that plays the host (labs and tests). Empty: the process's own namespace.
  std::string host_namespace;
  bool may_forward = true;  // turn IP forwarding on while networks need it
  std::chrono::milliseconds full_pass_interval{2000};
  // The endpoint's namespace or process is gone; told once.
  std::function<void(const EndpointId&, const std::string& reason)> on_endpoint_gone;
  // Nothing of a departed endpoint is left; on another thread than the rest, perhaps.
  std::function<void(const EndpointId&)> on_endpoint_departed;
  // Whether an overlay's endpoint needs the namespace's resolver too.
  std::function<bool(const NamespaceRef&)> dns_needed_elsewhere;
  // What a repair found that cannot be put right; after every repair.
  std::function<void(std::vector<std::string>)> on_problems;
};

class HostPlane {
 public:
  // kPermissionDenied or kNotFound when the host namespace cannot be opened or the run directory
  // not made.
  static Result<std::unique_ptr<HostPlane>> start(HostPlaneOptions options);
  ~HostPlane();  // finishes the pass it is in; leaves the kernel as it is
  HostPlane(const HostPlane&) = delete;
  HostPlane& operator=(const HostPlane&) = delete;

  // The newest state wins; `done` (may be empty) is called after the first pass that saw this state
  // or a newer one; not at all when the plane is destroyed before that.
  void set_state(HostState state, std::function<void(HostPass)> done);
  // As DataPlane's; an overlay's namespace is known by its file below `run_dir`.
  void check_namespace(NamespaceRef ref, std::string ifname,
                       std::function<void(Result<NamespaceRef>)> done);
  // What the host's own networking uses, bridges of ours too.
  void host_routes(std::function<void(Result<std::vector<Prefix>>)> done);

 private:
  struct Impl;
  explicit HostPlane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::worker
