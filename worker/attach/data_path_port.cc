#include "worker/attach/data_path_port.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "vxlan/netlink/apply.h"
#include "vxlan/netlink/errno_error.h"

namespace shoal::worker {
namespace {

// Never drawn for a network before sixteen million others.
constexpr Vni kProbeVni{0xffffff};

Status bind_here(const Ip& local, uint16_t port) {
  const int family = local.is_v4() ? AF_INET : AF_INET6;
  const vxlan::UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return vxlan::errno_error(errno, "make a socket");
  sockaddr_storage storage{};
  // Every address, as the kernel's VXLAN socket does.
  storage.ss_family = static_cast<sa_family_t>(family);
  socklen_t size = sizeof(sockaddr_in);
  if (local.is_v4()) {
    reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
  } else {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
    size = sizeof(sockaddr_in6);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0) return ok_status();
  return vxlan::errno_error(errno, "bind " + std::to_string(port) + "/udp");
}

Status try_device(vxlan::NetlinkSocket& host, const Ip& local, uint16_t port) {
  const vxlan::NamespaceFd space = SHOAL_TRY(vxlan::create_anonymous_namespace());
  vxlan::NetlinkSocket inside = SHOAL_TRY(vxlan::NetlinkSocket::open(space));
  vxlan::Link tunnel{.name = std::string(vxlan::kVxlanName)};
  tunnel.vxlan = vxlan::VxlanConfig{kProbeVni, local, port};
  vxlan::SetLink up{.name = tunnel.name};
  up.up = true;
  const vxlan::Places places{.host = &host, .overlay = &inside, .overlay_space = &space};
  const Status done = vxlan::apply({{vxlan::Place::kOverlay, vxlan::CreateVxlan{tunnel}},
                                    {vxlan::Place::kOverlay, std::move(up)}},
                                   places);
  // Before the namespace, which the kernel clears some time later: the port is held until then.
  const Status removed =
      vxlan::apply({{vxlan::Place::kOverlay, vxlan::DeleteLink{.name = tunnel.name}}}, places);
  return done.ok() ? removed : done;
}

}  // namespace

Status DataPathPort::check(const vxlan::NamespaceFd& host, vxlan::NetlinkSocket& socket,
                           const Ip& local, uint16_t port) {
  const Status bound =
      vxlan::run_in_namespace(host, [&]() -> Status { return bind_here(local, port); });
  if (bound.ok() || bound.error().code != ErrorClass::kAlreadyExists) {
    shared_ = false;
    return ok_status();  // what else may be wrong is told where it matters
  }
  if (shared_) return ok_status();
  const Status made = try_device(socket, local, port);
  shared_ = made.ok() || made.error().code != ErrorClass::kAlreadyExists;
  return shared_ ? ok_status() : made;
}

Status check_data_path_port(const Ip& local, uint16_t port) {
  const vxlan::NamespaceFd own = SHOAL_TRY(vxlan::NamespaceFd::open_own());
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open(own));
  return DataPathPort().check(own, socket, local, port);
}

}  // namespace shoal::worker
