#include "node/host.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "manager/model/command.h"

namespace shoal::node {
namespace {

// What `node inspect` shows of the kernel.
constexpr const char* kFeatures[] = {"netns", "bridge", "veth", "vxlan", "nftables"};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const HostPort& address) {
  SocketAddress out;
  if (address.ip.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&out.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port);
    std::memcpy(&in->sin_addr, address.ip.bytes().data(), 4);
    out.size = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&out.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(address.port);
    std::memcpy(&in->sin6_addr, address.ip.bytes().data(), 16);
    out.size = sizeof *in;
  }
  return out;
}

Result<HostPort> host_port(const sockaddr* address) {
  HostPort out;
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    out.ip = SHOAL_TRY(Ip::from_bytes({reinterpret_cast<const uint8_t*>(&in->sin_addr), 4}));
    out.port = ntohs(in->sin_port);
    return out;
  }
  if (address->sa_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
    out.ip = SHOAL_TRY(Ip::from_bytes({reinterpret_cast<const uint8_t*>(&in->sin6_addr), 16}));
    out.port = ntohs(in->sin6_port);
    return out;
  }
  return invalid_argument("not an IP address");
}

class Socket {
 public:
  Socket(const HostPort& address, int type)
      : fd_(socket(address.ip.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status check_bind(const HostPort& address, int type, std::string_view what) {
  const Socket socket(address, type);
  const int on = 1;
  // Connections of an earlier daemon in TIME_WAIT are no reason to refuse.
  if (type == SOCK_STREAM) setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const SocketAddress bound = socket_address(address);
  bool free = bind(socket.get(), bound.get(), bound.size) == 0;
  if (free && type == SOCK_STREAM) free = listen(socket.get(), 1) == 0;
  if (free) return ok_status();
  const std::string name = std::to_string(address.port) + (type == SOCK_STREAM ? "/tcp" : "/udp");
  if (errno == EADDRINUSE) {
    return already_exists("port " + name + " (" + std::string(what) + ") on " + address.ip.str() +
                          " is taken by another program: stop that, or choose another port");
  }
  return invalid_argument("cannot listen on " + address.str() + " (" + std::string(what) +
                          "): " + std::strerror(errno));
}

}  // namespace

Result<std::vector<InterfaceAddress>> interface_addresses() {
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) {
    return internal_error(std::string("cannot list addresses: ") + std::strerror(errno));
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, freeifaddrs);
  std::vector<InterfaceAddress> out;
  for (const ifaddrs* item = raw; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr || (item->ifa_flags & IFF_UP) == 0) continue;
    const Result<HostPort> address = host_port(item->ifa_addr);
    if (address) out.push_back({item->ifa_name, address->ip});
  }
  return out;
}

manager::NodeDescription describe_host(const std::vector<std::string>& missing) {
  manager::NodeDescription out;
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) == 0) out.hostname = name;
  utsname kernel{};
  if (uname(&kernel) == 0) {
    out.architecture = kernel.machine;
    out.kernel = kernel.release;
  }
  out.os = "linux";
  out.version = SHOAL_VERSION;
  out.state_version = manager::state_version();
  for (const char* feature : kFeatures) {
    if (std::find(missing.begin(), missing.end(), feature) == missing.end()) {
      out.features.emplace_back(feature);
    }
  }
  return out;
}

Status check_port_free(const HostPort& address, bool tcp, bool udp, std::string_view what) {
  if (tcp) SHOAL_TRY(check_bind(address, SOCK_STREAM, what));
  if (udp) SHOAL_TRY(check_bind(address, SOCK_DGRAM, what));
  return ok_status();
}

Result<std::vector<HostPort>> resolve_remote(const std::string& text, uint16_t default_port) {
  if (const Result<Ip> ip = Ip::parse(text)) return std::vector{HostPort{*ip, default_port}};
  if (const Result<HostPort> both = HostPort::parse(text, default_port)) return std::vector{*both};
  const size_t colon = text.rfind(':');
  const std::string host = text.substr(0, colon);
  const std::string port =
      colon == std::string::npos ? std::to_string(default_port) : text.substr(colon + 1);
  const Error bad = invalid_argument("\"" + text.substr(0, 256) +
                                     "\" is not a manager's address: HOST:PORT is expected");
  if (host.empty() || host.find_first_of(" \t\n") != std::string::npos) return bad;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &raw);
  if (code == EAI_SERVICE) return bad;
  if (code != 0) {
    return unavailable("the manager's name \"" + host.substr(0, 256) +
                       "\" cannot be resolved: " + gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(raw, freeaddrinfo);
  std::vector<HostPort> out;
  for (const addrinfo* item = raw; item != nullptr; item = item->ai_next) {
    const Result<HostPort> address = host_port(item->ai_addr);
    if (address && address->port != 0) out.push_back(*address);
  }
  if (out.empty()) return bad;
  return out;
}

Result<Ip> address_towards(const HostPort& remote) {
  const Socket socket(remote, SOCK_DGRAM);
  const SocketAddress to = socket_address(remote);
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  // Connecting a UDP socket sends nothing: the kernel only chooses route and source.
  if (connect(socket.get(), to.get(), to.size) != 0 ||
      getsockname(socket.get(), reinterpret_cast<sockaddr*>(&from), &size) != 0) {
    return unavailable("no route to the manager at " + remote.str() + ": " + std::strerror(errno));
  }
  return SHOAL_TRY(host_port(reinterpret_cast<const sockaddr*>(&from))).ip;
}

}  // namespace shoal::node
