#include "worker/attach/probe.h"

#include <linux/capability.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "vxlan/filter/filter.h"
#include "vxlan/netlink/apply.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::worker {
namespace {

constexpr uint16_t kProbePort = 4789;  // in a namespace of its own: collides with nothing

bool has_capability(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data[capability / 32].effective & (1U << (capability % 32))) != 0;
}

class Prober {
 public:
  std::vector<MissingFeature> run() {
    if (!has_capability(CAP_NET_ADMIN)) {
      miss("cap_net_admin",
           "this process may not administer networking (CAP_NET_ADMIN): run it as "
           "root, or give it the capability");
    }
    if (!has_capability(CAP_SYS_ADMIN)) {
      miss("cap_sys_admin",
           "this process may not make or enter network namespaces "
           "(CAP_SYS_ADMIN): run it as root, or give it the capability");
    }
    // What follows would only repeat that.
    if (!missing_.empty()) return std::move(missing_);
    const auto space = vxlan::create_anonymous_namespace();
    if (!space) {
      miss("netns", "network namespaces cannot be made: " + space.error().message);
      return std::move(missing_);
    }
    auto socket = vxlan::NetlinkSocket::open(*space);
    if (!socket) {
      miss("netlink", socket.error().message);
      return std::move(missing_);
    }
    try_links(*space, *socket);
    const auto redirected = vxlan::apply_dns_redirect(*space, kProbePort);
    if (!redirected.ok()) {
      miss("nftables", "nftables is missing (module nf_tables): " + redirected.error().message);
    }
    return std::move(missing_);
  }

 private:
  void miss(std::string name, std::string sentence) {
    missing_.push_back({std::move(name), std::move(sentence)});
  }

  void try_links(const vxlan::NamespaceFd& space, vxlan::NetlinkSocket& socket) {
    const vxlan::Places places{&socket, &socket, &space, &socket, &space};
    vxlan::Link bridge{.name = "br0"};
    vxlan::Link tunnel{.name = "vxlan0"};
    tunnel.vxlan = vxlan::VxlanConfig{Vni{1}, Ip::v4(0x7f000001), kProbePort};
    const vxlan::Link port{.name = "ve0", .mtu = 1500};
    const vxlan::Link inside{.name = "vp0", .mac = Mac({2, 0, 0, 0, 0, 1}), .mtu = 1500};
    attempt("bridge", vxlan::CreateBridge{bridge}, places);
    attempt("vxlan", vxlan::CreateVxlan{tunnel}, places);
    attempt("veth", vxlan::CreateVethPair{port, inside}, places);
  }

  template <typename Action>
  void attempt(const std::string& feature, Action action, const vxlan::Places& places) {
    const Status done = vxlan::apply({{vxlan::Place::kOverlay, std::move(action)}}, places);
    if (done.ok()) return;
    miss(feature, "the kernel cannot make " + feature + " devices (load the module " + feature +
                      "): " + done.error().message);
  }

  std::vector<MissingFeature> missing_;
};

}  // namespace

std::vector<MissingFeature> probe_features() { return Prober().run(); }

}  // namespace shoal::worker
