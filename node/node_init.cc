// init: the first manager of a new cluster; see node.h.
#include <algorithm>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "manager/allocator/subnet_plan.h"
#include "manager/security/data_key.h"
#include "manager/security/token.h"
#include "manager/security/x509.h"
#include "manager/wire/common_wire.h"
#include "node/host.h"
#include "node/node.h"
#include "worker/attach/data_path_port.h"

namespace shoal::node {
namespace {

constexpr uint16_t kClusterPort = 2377;
constexpr uint16_t kGossipPort = 7946;
constexpr uint16_t kDataPathPort = 4789;

Result<uint16_t> port_or(uint32_t asked, uint16_t otherwise, uint32_t lowest, const char* option) {
  if (asked == 0) return otherwise;
  if (asked < lowest || asked > UINT16_MAX) {
    return invalid_argument(std::string(option) + " " + std::to_string(asked) + ": " +
                            std::to_string(lowest) + " to 65535 is expected");
  }
  return static_cast<uint16_t>(asked);
}

template <typename Id>
Id draw_id(Rng& rng) {
  std::array<uint8_t, 16> random;
  rng.fill(random);
  return Id::from_random(random);
}

std::string draw_bytes(Rng& rng, size_t size) {
  Bytes out(size);
  rng.fill(out);
  return std::string(as_text(out));
}

Status set_pools(const control::InitRequest& request, Rng& rng, manager::Cluster& cluster) {
  manager::Pools pools;
  bool has_v6 = false;
  for (const std::string& text : request.default_addr_pools()) {
    const Result<Prefix> pool = Prefix::parse(text);
    if (!pool) return pool.error().wrap("--default-addr-pool");
    has_v6 = has_v6 || pool->ip.is_v6();
    pools.prefixes.push_back(*pool);
  }
  const bool has_v4 = pools.prefixes.size() > 0 && pools.prefixes.front().ip.is_v4();
  if (!has_v4) {
    bool any_v4 = false;
    for (const Prefix& pool : pools.prefixes) any_v4 = any_v4 || pool.ip.is_v4();
    if (!any_v4) pools.prefixes.insert(pools.prefixes.begin(), manager::default_pool_v4());
  }
  if (!has_v6) pools.prefixes.push_back(manager::random_ula_pool(rng));
  if (request.default_addr_pool_mask_length() > 32) {
    return invalid_argument("--default-addr-pool-mask-length " +
                            std::to_string(request.default_addr_pool_mask_length()) +
                            ": a length of an IPv4 subnet is expected");
  }
  if (request.default_addr_pool_mask_length() != 0) {
    pools.mask_length_v4 = static_cast<uint8_t>(request.default_addr_pool_mask_length());
  }
  SHOAL_TRY(manager::check_pools(pools));
  cluster.address_pools = pools.prefixes;
  cluster.mask_length_v4 = pools.mask_length_v4;
  cluster.mask_length_v6 = pools.mask_length_v6;
  return ok_status();
}

Status set_expiry(const control::InitRequest& request, Duration shortest, Duration longest,
                  manager::Cluster& cluster) {
  if (request.cert_expiry_seconds() == 0) return ok_status();
  const auto hours_of = [](Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::hours>(duration).count()) + "h";
  };
  const auto most =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(longest).count());
  const uint64_t seconds = std::min(request.cert_expiry_seconds(), most + 1);
  const Duration asked = std::chrono::seconds(static_cast<int64_t>(seconds));
  if (asked < shortest || asked > longest) {
    return invalid_argument("--cert-expiry: a validity of node certificates from " +
                            hours_of(shortest) + " to " + hours_of(longest) + " is expected");
  }
  cluster.node_certificate_validity = asked;
  return ok_status();
}

Status check_ports(const Identity& identity) {
  SHOAL_TRY(check_port_free(identity.listen, true, false, "cluster"));
  SHOAL_TRY(check_port_free({identity.listen.ip, identity.gossip_port}, true, true, "gossip"));
  // A joiner learns its port from the managers; until it is free its status warns.
  if (identity.data_path_port == 0) return ok_status();
  return worker::check_data_path_port(identity.data_path, identity.data_path_port);
}

}  // namespace

Result<Identity> Node::plan_manager(const control::InitRequest& request,
                                    uint16_t data_path_port) const {
  const std::vector<InterfaceAddress> addresses = SHOAL_TRY(interface_addresses());
  Identity out;
  out.role = manager::Role::kManager;
  out.advertise = SHOAL_TRY(choose_advertise(addresses, request.advertise_addr(), kClusterPort));
  out.listen = SHOAL_TRY(
      choose_listen(request.listen_addr(), out.advertise.ip.family(), out.advertise.port));
  out.data_path = out.advertise.ip;
  if (!request.data_path_addr().empty()) {
    out.data_path =
        SHOAL_TRY(choose_address(addresses, request.data_path_addr(), "--data-path-addr"));
  }
  out.gossip_port = SHOAL_TRY(port_or(request.gossip_port(), kGossipPort, 1, "--gossip-port"));
  out.data_path_port = data_path_port;
  out.managers = {out.advertise};
  out.node = draw_id<NodeId>(rng_);
  SHOAL_TRY(check_ports(out));
  return out;
}

Result<Identity> Node::plan_init(const control::InitRequest& request,
                                 manager::InitCluster& init) const {
  // Docker's bound: below 1024 are the ports of system services.
  const uint16_t data_path_port =
      SHOAL_TRY(port_or(request.data_path_port(), kDataPathPort, 1024, "--data-path-port"));
  Identity out = SHOAL_TRY(plan_manager(request, data_path_port));
  SHOAL_TRY(set_pools(request, rng_, init.cluster));
  SHOAL_TRY(set_expiry(request, shortest_expiry_, kLongestCertExpiry, init.cluster));
  out.cluster = draw_id<ClusterId>(rng_);
  const WallTime now = clock_.wall();
  const manager::KeyPair root = SHOAL_TRY(manager::make_root_ca(now));
  const manager::SigningRequest signing = SHOAL_TRY(manager::make_signing_request());
  out.root_certificate = root.certificate;
  out.private_key = signing.private_key;
  out.certificate = SHOAL_TRY(manager::sign_node_certificate(
      root, signing.csr, {out.node, out.cluster, manager::Role::kManager},
      init.cluster.node_certificate_validity, now));

  manager::Cluster& cluster = init.cluster;
  cluster.id = out.cluster;
  cluster.root_certificate = root.certificate;
  cluster.root_key = root.private_key;
  cluster.worker_secret = draw_bytes(rng_, manager::kTokenSecretSize);
  cluster.manager_secret = draw_bytes(rng_, manager::kTokenSecretSize);
  if (request.autolock()) cluster.unlock_key = draw_bytes(rng_, manager::kUnlockKeySize);
  cluster.gossip_keys.keys = {{1, draw_bytes(rng_, 32)}};
  cluster.data_path_port = out.data_path_port;
  cluster.created_at = now;
  manager::Node& node = init.node;
  node.id = out.node;
  node.spec.role = node.certified_role = manager::Role::kManager;
  node.spec.availability = SHOAL_TRY(manager::wire::from_wire(request.availability()));
  node.description = description_;
  node.addresses = addresses_of(out);
  node.created_at = now;
  return out;
}

Status Node::start_as_first(const Identity& identity, const std::string& what,
                            const std::function<Status()>& fill) {
  const auto make = [&]() -> Status {
    SHOAL_TRY(write_file_atomic(paths_.unfinished(), ""));
    SHOAL_TRY(write_identity_files(paths_.state_dir, identity));
    SHOAL_TRY(open_manager(identity));
    SHOAL_TRY(fill());
    SHOAL_TRY(start_worker(identity));
    if (!worker_part_->wait_registered(kRegisterTimeout, stopping_.get_token())) {
      SHOAL_TRY(require_running());
      return deadline_exceeded(what + " does not answer its own node at " +
                               identity.advertise.str() +
                               ": can this host reach its advertised address?");
    }
    SHOAL_TRY(save_identity(paths_.state_dir, identity));
    return remove_file(paths_.unfinished());
  };
  if (const Status made = make(); !made) {
    forget_everything();
    return made;
  }
  set_identity(identity);
  schedule_renewal();
  return ok_status();
}

Result<control::InitResponse> Node::do_init(const control::InitRequest& request) {
  if (request.force_new_cluster()) return do_force_new_cluster(request);
  SHOAL_TRY(require_inactive());
  manager::InitCluster init;
  const Identity identity = SHOAL_TRY(plan_init(request, init));
  const std::string token =
      manager::format_token(init.cluster.root_certificate, init.cluster.worker_secret);
  SHOAL_TRY(start_as_first(identity, "the new manager", [&] {
    return manager_part_->bootstrap(init, kBootstrapTimeout, stopping_.get_token());
  }));
  log::info("node", "made cluster {} as node {}", identity.cluster.str(), identity.node.str());
  control::InitResponse response;
  response.set_node_id(identity.node.str());
  response.set_worker_token(token);
  response.set_manager_address(identity.advertise.str());
  if (!init.cluster.unlock_key.empty()) {
    response.set_unlock_key(manager::format_unlock_key(init.cluster.unlock_key));
  }
  return response;
}

Result<Identity> Node::plan_join(const control::JoinRequest& request,
                                 const std::vector<HostPort>& remotes) const {
  const std::vector<InterfaceAddress> addresses = SHOAL_TRY(interface_addresses());
  Identity out;
  if (request.advertise_addr().empty()) {
    // The address this host reaches the managers from is the one they can answer to.
    out.advertise = {SHOAL_TRY(address_towards(remotes.front())), kClusterPort};
    if (out.advertise.ip.is_loopback()) {
      out.advertise = SHOAL_TRY(choose_advertise(addresses, "", kClusterPort));
    }
  } else {
    out.advertise = SHOAL_TRY(choose_advertise(addresses, request.advertise_addr(), kClusterPort));
  }
  out.listen = SHOAL_TRY(
      choose_listen(request.listen_addr(), out.advertise.ip.family(), out.advertise.port));
  out.data_path = out.advertise.ip;
  if (!request.data_path_addr().empty()) {
    out.data_path =
        SHOAL_TRY(choose_address(addresses, request.data_path_addr(), "--data-path-addr"));
  }
  out.gossip_port = SHOAL_TRY(port_or(request.gossip_port(), kGossipPort, 1, "--gossip-port"));
  out.data_path_port = 0;  // the managers name it
  SHOAL_TRY(check_ports(out));
  return out;
}

}  // namespace shoal::node
