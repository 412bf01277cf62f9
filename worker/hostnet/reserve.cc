#include "worker/hostnet/reserve.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "vxlan/netlink/errno_error.h"
#include "worker/hostnet/port_owner.h"

namespace shoal::worker {
namespace {

std::string told(const PortBinding& binding, uint16_t port) {
  const std::string ip =
      binding.host_ip.is_v6() ? "[" + binding.host_ip.str() + "]" : binding.host_ip.str();
  return "port " + std::to_string(port) + "/" + std::string(to_string(binding.protocol)) + " of " +
         ip;
}

Error refused(int error, const PortBinding& binding, uint16_t port) {
  const std::string what = told(binding, port);
  switch (error) {
    case EADDRINUSE: {
      const std::string owner = find_port_owner(binding.protocol, binding.host_ip, port);
      return already_exists(what + " is in use" + (owner.empty() ? "" : " by " + owner) +
                            ": publish another, or end what uses it");
    }
    case EADDRNOTAVAIL:
      return invalid_argument(what + " cannot be published: this host has no address " +
                              binding.host_ip.str());
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
      return unimplemented(what +
                           " cannot be published: this kernel has no SCTP (try `modprobe "
                           "sctp`)");
    case EMFILE:
    case ENFILE:
      return resource_exhausted(what +
                                " cannot be held: shoald may have no more open files (see "
                                "LimitNOFILE)");
    default:
      return vxlan::errno_error(error, "publish " + what);
  }
}

// Bound, or an errno.
int bind_port(const PortBinding& binding, uint16_t port, UniqueFd& out) {
  const bool v6 = binding.host_ip.is_v6();
  const int type = binding.protocol == PortProtocol::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  UniqueFd fd(
      socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, static_cast<int>(binding.protocol)));
  if (!fd.valid()) return errno;
  const int one = 1;
  sockaddr_storage address{};
  socklen_t size = sizeof(sockaddr_in);
  if (v6) {
    // The other family has a socket of its own.
    if (setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) return errno;
    auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, binding.host_ip.bytes().data(), sizeof in6.sin6_addr);
    size = sizeof in6;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(address);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, binding.host_ip.bytes().data(), sizeof in.sin_addr);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return errno;
  out = std::move(fd);
  return 0;
}

}  // namespace

size_t Reservations::count() const {
  size_t sum = 0;
  for (const auto& [id, holding] : held_) sum += holding.sockets.size();
  return sum;
}

Status Reservations::bind_all(const PortBinding& binding, Holding& holding) const {
  for (const auto& [id, other] : held_) {
    for (const PortBinding& each : other.bindings) {
      if (!in_the_way(binding, each)) continue;
      return already_exists(told(binding, std::max(binding.host.first, each.host.first)) +
                            " is published already, by endpoint " + other.owner + " (" +
                            each.str() + "): publish another, or detach that");
    }
  }
  if (count() + holding.sockets.size() + binding.host.size() > kMostReservations) {
    return resource_exhausted("this host can have " + std::to_string(kMostReservations) +
                              " ports published, and this would be more");
  }
  const bool loopback = binding.protocol == PortProtocol::kTcp && binding.host_ip.is_v6() &&
                        (binding.host_ip.is_unspecified() || binding.host_ip.is_loopback());
  for (uint32_t port = binding.host.first; port <= binding.host.last; ++port) {
    UniqueFd fd;
    const int error = bind_port(binding, static_cast<uint16_t>(port), fd);
    if (error != 0) return refused(error, binding, static_cast<uint16_t>(port));
    const uint32_t to = binding.port.first + (port - binding.host.first);
    holding.sockets.push_back({std::move(fd), static_cast<uint16_t>(to), loopback});
  }
  return ok_status();
}

// Each of the addresses, from port `first` on; nothing of it when one is refused.
Status Reservations::take_at(const PortRequest& request, uint16_t first, Holding& holding) {
  const size_t sockets = holding.sockets.size();
  const size_t bindings = holding.bindings.size();
  const auto last = static_cast<uint16_t>(first + request.port.size() - 1);
  for (const Ip& ip : request.host_ips) {
    const PortBinding binding{request.protocol, ip, {first, last}, request.port};
    Status bound = bind_all(binding, holding);
    if (bound.ok()) {
      holding.bindings.push_back(binding);
      continue;
    }
    while (holding.sockets.size() > sockets) holding.sockets.pop_back();
    holding.bindings.resize(bindings);
    return bound;
  }
  return ok_status();
}

Status Reservations::take_one(const PortRequest& request, Holding& holding) {
  if (request.host && request.host->size() == request.port.size()) {
    return take_at(request, request.host->first, holding);
  }
  const PortRange choice = request.host.value_or(kDrawnPorts);
  // Ports that were just given back are not drawn again at once.
  uint32_t port = request.host ? choice.first : next_drawn_;
  Error last = internal_error("no port was tried");
  for (size_t tries = 0; tries < choice.size(); ++tries) {
    const auto tried = static_cast<uint16_t>(port);
    port = port == choice.last ? choice.first : port + 1;
    const Status taken = take_at(request, tried, holding);
    if (taken.ok()) {
      if (!request.host) next_drawn_ = static_cast<uint16_t>(port);
      return taken;
    }
    last = taken.error();
    if (last.code != ErrorClass::kAlreadyExists) return taken;
  }
  return resource_exhausted("none of the ports " + choice.str() + "/" +
                            std::string(to_string(request.protocol)) +
                            " is free; the last that was tried: " + last.message);
}

Result<std::vector<PortBinding>> Reservations::take(const EndpointId& id, const std::string& owner,
                                                    std::span<const PortRequest> requests) {
  Holding holding;
  holding.owner = owner;
  for (const PortRequest& request : requests) SHOAL_TRY(take_one(request, holding));
  std::vector<PortBinding> bindings = holding.bindings;
  held_.insert_or_assign(id, std::move(holding));
  return bindings;
}

Status Reservations::take_again(const EndpointId& id, const std::string& owner,
                                std::span<const PortBinding> bindings) {
  Holding holding;
  holding.owner = owner;
  Status result = ok_status();
  for (const PortBinding& binding : bindings) {
    const Status bound = bind_all(binding, holding);
    if (!bound.ok() && result.ok()) result = bound;
  }
  holding.bindings.assign(bindings.begin(), bindings.end());
  held_.insert_or_assign(id, std::move(holding));
  return result;
}

std::vector<std::pair<UniqueFd, uint16_t>> Reservations::loopback_sockets(
    const EndpointId& id) const {
  std::vector<std::pair<UniqueFd, uint16_t>> out;
  const auto found = held_.find(id);
  if (found == held_.end()) return out;
  for (const Held& held : found->second.sockets) {
    if (!held.loopback) continue;
    UniqueFd copy(fcntl(held.socket.get(), F_DUPFD_CLOEXEC, 0));
    if (copy.valid()) out.emplace_back(std::move(copy), held.port);
  }
  return out;
}

}  // namespace shoal::worker
