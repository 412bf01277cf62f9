// Removals: takes away what the kernel lets go of slowly, on a thread of its own: it waits, tens of
// milliseconds and more, until nobody uses a link or a table that goes, and no detach or attach
// shall wait with it.
//
// Thread rule: public methods from any thread; work and callbacks run on this object's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/types/id.h"
#include "base/types/result.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::worker {

class Removals {
 public:
  struct Removal {
    EndpointId endpoint;  // on whose account
    // Where; settle() gives it up. Zero: it is never given up.
    vxlan::NamespaceIdentity space;
    std::function<Status()> work;
    // Also, with ok, when it was given up.
    std::function<void(const Status&)> done;
  };

  explicit Removals(const char* thread);
  ~Removals();  // finishes the one it is at; the rest is given up, untold
  Removals(const Removals&) = delete;
  Removals& operator=(const Removals&) = delete;

  void add(Removal removal);
  bool pending(const EndpointId& endpoint) const;
  // Nothing is removed in that namespace when this returns: what waits is told as done, what is
  // under way is waited for.
  void settle(const vxlan::NamespaceIdentity& space);

 private:
  void run();

  mutable std::mutex mutex_;  // guards all below but the thread
  std::condition_variable changed_;
  std::deque<Removal> waiting_;
  std::optional<vxlan::NamespaceIdentity> under_way_;
  EndpointId under_way_for_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace shoal::worker
