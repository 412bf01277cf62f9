#include "vxlan/netlink/announce.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "vxlan/netlink/errno_error.h"

namespace shoal::vxlan {
namespace {

constexpr uint8_t kIcmpV6 = 58;
constexpr uint8_t kNeighbourAdvertisement = 136;
constexpr uint8_t kOverride = 0x20;
constexpr uint8_t kTargetLinkLayerAddress = 2;
constexpr uint8_t kNeighbourHopLimit = 255;  // receivers drop what was routed (RFC 4861, 7.1.2)

using Frame = std::vector<uint8_t>;

void append(Frame& frame, std::initializer_list<uint8_t> bytes) {
  frame.insert(frame.end(), bytes);
}
template <typename Bytes>
void append_all(Frame& frame, const Bytes& bytes) {
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}

uint16_t add_up(const Frame& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Frame arp(const Ip& ip, const Mac& mac) {
  Frame frame(6, 0xff);
  append_all(frame, mac.bytes());
  append(frame, {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2});  // Ethernet, IPv4, reply
  for (int part = 0; part < 2; ++part) {                   // sender and target are the same
    append_all(frame, mac.bytes());
    append_all(frame, ip.bytes());
  }
  return frame;
}

Frame advertisement(const Ip& ip, const Mac& mac) {
  const std::array<uint8_t, 16> all_nodes = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  Frame body = {kNeighbourAdvertisement, 0, 0, 0, kOverride, 0, 0, 0};
  append_all(body, ip.bytes());
  append(body, {kTargetLinkLayerAddress, 1});
  append_all(body, mac.bytes());
  const auto length = static_cast<uint8_t>(body.size());

  Frame pseudo;
  append_all(pseudo, ip.bytes());
  append_all(pseudo, all_nodes);
  append(pseudo, {0, 0, 0, length, 0, 0, 0, kIcmpV6});
  append_all(pseudo, body);
  const uint16_t checksum = add_up(pseudo);
  body[2] = static_cast<uint8_t>(checksum >> 8);
  body[3] = static_cast<uint8_t>(checksum);

  Frame frame = {0x33, 0x33, 0, 0, 0, 1};
  append_all(frame, mac.bytes());
  append(frame, {0x86, 0xdd, 0x60, 0, 0, 0, 0, length, kIcmpV6, kNeighbourHopLimit});
  append_all(frame, ip.bytes());
  append_all(frame, all_nodes);
  append_all(frame, body);
  return frame;
}

}  // namespace

std::vector<uint8_t> render_announcement(const Ip& ip, const Mac& mac) {
  return ip.is_v4() ? arp(ip, mac) : advertisement(ip, mac);
}

Result<UniqueFd> open_announcer_here() {
  // Protocol 0: it receives nothing.
  UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno_error(errno, "open a packet socket");
  return fd;
}

Status announce(const UniqueFd& announcer, int link_index, const Ip& ip, const Mac& mac) {
  const Frame frame = render_announcement(ip, mac);
  sockaddr_ll target{};
  target.sll_family = AF_PACKET;
  target.sll_ifindex = link_index;
  target.sll_protocol = htons(ip.is_v4() ? ETH_P_ARP : ETH_P_IPV6);
  if (sendto(announcer.get(), frame.data(), frame.size(), 0,
             reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0) {
    return errno_error(errno, "announce " + ip.str());
  }
  return ok_status();
}

}  // namespace shoal::vxlan
