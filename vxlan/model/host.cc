#include "vxlan/model/host.h"

namespace shoal::vxlan {
namespace {

constexpr size_t kBridgeIdLength = 12;

}  // namespace

std::string bridge_name(const NetworkId& network) {
  return "br-" + network.str().substr(0, kBridgeIdLength);
}

Mac bridge_mac(const NetworkId& network) {
  // FNV-1a: the id is random, this only spreads it.
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : network.view()) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return Mac::from_random(hash);
}

}  // namespace shoal::vxlan
