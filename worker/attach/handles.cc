#include "worker/attach/handles.h"

#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "vxlan/netlink/announce.h"
#include "vxlan/netlink/errno_error.h"

namespace shoal::worker {
namespace {

// One wake-up handles this many; the rest is ready again at once.
constexpr int kEventsPerWait = 64;

struct Sockets {
  vxlan::UniqueFd announcer;
  std::optional<vxlan::NetlinkSocket> requests;
  std::optional<vxlan::NetlinkMonitor> monitor;
};

Result<Sockets> open_sockets(const vxlan::NamespaceFd& space, const std::vector<int>& groups,
                             const std::function<Status()>& first) {
  Sockets sockets;
  SHOAL_TRY(vxlan::run_in_namespace(space, [&]() -> Status {
    SHOAL_TRY(first());
    // A kernel without packet sockets announces nothing; the rest works.
    Result<vxlan::UniqueFd> announcer = vxlan::open_announcer_here();
    if (announcer.ok()) sockets.announcer = std::move(*announcer);
    sockets.requests.emplace(SHOAL_TRY(vxlan::NetlinkSocket::open_here()));
    sockets.monitor.emplace(SHOAL_TRY(vxlan::NetlinkMonitor::open_here(groups)));
    return ok_status();
  }));
  return sockets;
}

// The overlay namespace only bridges: no addresses are made, no router is listened to, nothing is
// routed, and the host's wish to filter bridged packets (br_netfilter) does not reach here.
Status quieten() {
  SHOAL_TRY(vxlan::write_sysctl("net/ipv6/conf/default/addr_gen_mode", "1", true));
  SHOAL_TRY(vxlan::write_sysctl("net/ipv6/conf/default/accept_ra", "0", true));
  SHOAL_TRY(vxlan::write_sysctl("net/ipv6/conf/all/forwarding", "0", true));
  SHOAL_TRY(vxlan::write_sysctl("net/ipv4/ip_forward", "0", true));
  for (const char* table : {"iptables", "ip6tables", "arptables"}) {
    SHOAL_TRY(vxlan::write_sysctl(std::string("net/bridge/bridge-nf-call-") + table, "0", true));
  }
  return ok_status();
}

}  // namespace

Result<OverlayHandle> OverlayHandle::open(const std::string& path) {
  Result<vxlan::NamespaceFd> space = vxlan::NamespaceFd::open(path);
  if (!space) {
    // A file that is no namespace: its mount was taken away, or we died between two steps.
    SHOAL_TRY(vxlan::delete_namespace(path));
    space = vxlan::create_namespace(path);
  }
  if (!space) return space.error();
  vxlan::UniqueFd announcer;
  Sockets sockets = SHOAL_TRY(open_sockets(*space, {RTNLGRP_LINK, RTNLGRP_NEIGH}, [&]() -> Status {
    announcer = SHOAL_TRY(vxlan::open_announcer_here());
    return quieten();
  }));
  return OverlayHandle{.space = std::move(*space),
                       .socket = std::move(*sockets.requests),
                       .monitor = std::move(*sockets.monitor),
                       .announcer = std::move(sockets.announcer)};
}

Result<EndpointHandle> EndpointHandle::open(const NamespaceRef& ref) {
  OpenedNamespace opened = SHOAL_TRY(open_namespace(ref));
  vxlan::UniqueFd process;
  if (ref.path.empty()) {
    process = vxlan::UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, ref.pid, 0)));
    // Without pidfds (before Linux 5.3) the periodic pass notices the end.
    if (!process.valid() && errno == ESRCH) {
      return not_found("process " + std::to_string(ref.pid) + " ended");
    }
  }
  std::optional<vxlan::NetlinkMonitor> rules;
  Sockets sockets = SHOAL_TRY(open_sockets(
      opened.fd, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}, [&]() -> Status {
        Result<vxlan::NetlinkMonitor> monitor = vxlan::NetlinkMonitor::open_rules_here();
        if (monitor.ok()) rules.emplace(std::move(*monitor));
        return ok_status();
      }));
  return EndpointHandle{.requested = ref,
                        .opened = std::move(opened),
                        .socket = std::move(*sockets.requests),
                        .monitor = std::move(*sockets.monitor),
                        .rules = std::move(rules),
                        .announcer = std::move(sockets.announcer),
                        .process = std::move(process)};
}

Result<WatchSet> WatchSet::make() {
  vxlan::UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return vxlan::errno_error(errno, "make an epoll set");
  return WatchSet(std::move(epoll));
}

Result<uint64_t> WatchSet::add(int fd, Tell tell) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (tell == Tell::kOnce) event.events |= EPOLLONESHOT;
  event.data.u64 = next_;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return vxlan::errno_error(errno, "watch a namespace");
  }
  return next_++;
}

std::vector<uint64_t> WatchSet::wait(int timeout_ms) {
  std::array<epoll_event, kEventsPerWait> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerWait, timeout_ms);
  std::vector<uint64_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(events[static_cast<size_t>(i)].data.u64);
  return tokens;
}

}  // namespace shoal::worker
