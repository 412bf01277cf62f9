// DnsRemovals: takes the DNS rules out of namespaces that need no resolver any more, on a thread of
// its own: the kernel waits, tens of milliseconds and more, until nobody uses what goes, and no
// detach or attach shall wait with it.
//
// Thread rule: add(), pending() and settle() on one thread; callbacks run on this object's thread.
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

class DnsRemovals {
 public:
  struct Removal {
    vxlan::NamespaceFd space;
    EndpointId endpoint;  // on whose account
    // Asked just before: false when somebody needs the rules again.
    std::function<bool()> still_due;
    // Also when it was not due any more.
    std::function<void(Status)> done;
  };

  DnsRemovals();
  ~DnsRemovals();  // finishes the one it is at; the rest is given up, untold
  DnsRemovals(const DnsRemovals&) = delete;
  DnsRemovals& operator=(const DnsRemovals&) = delete;

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
