#include "vxlan/netlink/wait.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <thread>

#include "vxlan/netlink/dump.h"

namespace shoal::vxlan {
namespace {

constexpr std::chrono::milliseconds kPause{1};

template <typename Ready>
Status wait_until(Ready ready, const std::string& failure) {
  const auto end = std::chrono::steady_clock::now() + kWaitPatience;
  while (true) {
    if (SHOAL_TRY(ready())) return ok_status();
    if (std::chrono::steady_clock::now() >= end) return unavailable(failure);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Status wait_running(NetlinkSocket& socket, const std::string& name) {
  return wait_until([&]() -> Result<bool> { return SHOAL_TRY(get_link(socket, name)).running; },
                    "the link " + name + " is up and has no carrier");
}

Status wait_local(NetlinkSocket& socket, const Ip& ip) {
  const auto is_local = [&]() -> Result<bool> {
    rtmsg header{};
    header.rtm_family = ip.is_v4() ? AF_INET : AF_INET6;
    header.rtm_dst_len = static_cast<unsigned char>(ip.bits());
    Message message(RTM_GETROUTE, 0, header);
    message.put_ip(RTA_DST, ip);
    bool local = false;
    const Status asked = socket.get(message, "look up " + ip.str(), [&](const nlmsghdr* part) {
      if (part->nlmsg_type != RTM_NEWROUTE) return;
      local = static_cast<const rtmsg*>(nlmsg_data(part))->rtm_type == RTN_LOCAL;
    });
    // A refusal means that there is no route yet.
    return asked.ok() && local;
  };
  return wait_until(is_local, "the kernel does not answer for " + ip.str());
}

}  // namespace shoal::vxlan
