#include "tests/netns/lab.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>

#include "base/runtime/files.h"
#include "vxlan/model/model.h"

namespace shoal::testing {
namespace {

std::atomic<int> lab_count = 0;

struct Output {
  int status;
  std::string text;
};

Output run(const std::string& command) {
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  std::string text;
  char buffer[4096];
  while (size_t size = fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  return {pclose(pipe), text};
}

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error().message);
}

}  // namespace

std::string sh(const std::string& command) {
  const Output output = run(command);
  EXPECT_EQ(output.status, 0) << command << "\n" << output.text;
  return output.text;
}

bool try_sh(const std::string& command) { return run(command).status == 0; }

Ip ip(const std::string& text) { return must(Ip::parse(text)); }
Prefix prefix(const std::string& text) { return must(Prefix::parse(text)); }

std::string id_text(const std::string& stem, int number) {
  std::string id = stem + std::to_string(number) + "x";
  return id + std::string(kIdLength - id.size(), '0');
}

Lab::Lab(int hosts)
    : directory_("/tmp/shoalt-" + std::to_string(getpid()) + "-" + std::to_string(++lab_count)) {
  must(make_directories(directory_));
  add_namespace("fabric");
  in("fabric", "ip link add fab type bridge mcast_snooping 0");
  in("fabric", "ip link set fab mtu 9000 up");
  for (int host = 1; host <= hosts; ++host) build_host(host);
}

Lab::~Lab() {
  planes_.clear();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_, ignored)) {
    if (entry.path().filename().string().starts_with("shoal")) {
      (void)vxlan::delete_namespace(entry.path()).ok();
    }
  }
  spaces_.clear();
  std::filesystem::remove_all(directory_, ignored);
}

void Lab::build_host(int host) {
  const std::string name = host_name(host);
  const std::string number = std::to_string(10 + host);
  add_namespace(name);
  in("fabric", "ip link add p" + name + " type veth peer name eth0 netns " + path(name));
  in("fabric", "ip link set p" + name + " master fab mtu 1500 up");
  in(name, "ip addr add 192.168.90." + number + "/24 dev eth0");
  in(name, "ip addr add fd90::" + number + "/64 dev eth0 nodad");
  in(name, "ip link set lo up");
  in(name, "ip link set eth0 up");
}

std::string Lab::path(const std::string& name) const {
  return directory_ + "/shoalt-" + std::to_string(getpid()) + "-" + name;
}

std::string Lab::add_namespace(const std::string& name) {
  spaces_.insert_or_assign(name, must(vxlan::create_namespace(path(name))));
  return path(name);
}

void Lab::remove_namespace(const std::string& name) {
  spaces_.erase(name);
  must(vxlan::delete_namespace(path(name)));
}

std::string Lab::overlay_path(int host, const NetworkId& network) const {
  return run_dir(host) + "/netns/" + vxlan::namespace_name(network);
}

std::string Lab::in(const std::string& name, const std::string& command) const {
  return sh("nsenter --net=" + path(name) + " " + command);
}

std::string Lab::in_overlay(int host, const NetworkId& network, const std::string& command) const {
  return sh("nsenter --net=" + overlay_path(host, network) + " " + command);
}

worker::DataPlane& Lab::start(int host) {
  auto told = std::make_shared<Told>();
  told_[host] = told;
  worker::DataPlaneOptions options;
  options.run_dir = run_dir(host);
  options.host_namespace = path(host_name(host));
  options.on_endpoint_gone = [told](const EndpointId& id, const std::string& reason) {
    const std::lock_guard lock(told->mutex);
    told->gone.push_back(id.str() + " " + reason);
  };
  options.on_repair = [told](size_t repairs) {
    const std::lock_guard lock(told->mutex);
    told->repairs += repairs;
  };
  planes_[host] = must(worker::DataPlane::start(std::move(options)));
  return *planes_[host];
}

size_t Lab::repairs(int host) {
  const std::lock_guard lock(told_[host]->mutex);
  return told_[host]->repairs;
}

std::vector<std::string> Lab::gone(int host) {
  const std::lock_guard lock(told_[host]->mutex);
  return told_[host]->gone;
}

worker::PassResult set_state(worker::DataPlane& plane, worker::WorkerState state) {
  auto promise = std::make_shared<std::promise<worker::PassResult>>();
  plane.set_state(std::move(state),
                  [promise](worker::PassResult result) { promise->set_value(std::move(result)); });
  return promise->get_future().get();
}

NetworkId Topology::add_network(int number, const std::vector<std::string>& subnets) {
  worker::OverlayNetwork network;
  network.id = NetworkId(id_text("net", number));
  network.name = "network-" + std::to_string(number);
  network.vni = Vni{4096 + static_cast<uint32_t>(number)};
  for (const std::string& subnet : subnets) network.subnets.push_back(prefix(subnet));
  networks.push_back(network);
  return network.id;
}

EndpointId Topology::add_endpoint(int number, int host, const NetworkId& network,
                                  const std::vector<std::string>& addresses,
                                  const std::string& ifname) {
  worker::LocalEndpoint endpoint;
  endpoint.id = EndpointId(id_text("end", number));
  endpoint.network = network;
  endpoint.name = space_name(number);
  endpoint.ifname = ifname;
  endpoint.mac = Mac({2, 0, 0, 0, 0, static_cast<uint8_t>(number)});
  for (const std::string& address : addresses) endpoint.addresses.push_back(prefix(address));
  endpoint.space.path = lab_.add_namespace(space_name(number));
  placed_.push_back({host, endpoint});
  return endpoint.id;
}

Ip Topology::vtep(int host) const {
  const std::string number = std::to_string(10 + host);
  return ip(underlay_ == Family::kV4 ? "192.168.90." + number : "fd90::" + number);
}

worker::WorkerState Topology::state_of(int host) const {
  worker::WorkerState state;
  state.data_path_address = vtep(host);
  state.networks = networks;
  state.complete = true;
  for (const Placed& placed : placed_) {
    if (placed.host == host) {
      state.local.push_back(placed.endpoint);
      continue;
    }
    worker::RemoteEndpoint remote{
        placed.endpoint.network, {}, placed.endpoint.mac, vtep(placed.host)};
    for (const Prefix& address : placed.endpoint.addresses) remote.ips.push_back(address.ip);
    state.remote.push_back(std::move(remote));
  }
  return state;
}

void Topology::apply(int hosts) {
  for (int host = 1; host <= hosts; ++host) {
    if (!running_.contains(host)) running_[host] = &lab_.start(host);
    const worker::PassResult result = set_state(*running_[host], state_of(host));
    for (const auto& [id, error] : result.endpoint_errors) {
      ADD_FAILURE() << "host " << host << " endpoint " << id.str() << ": " << error.message;
    }
    for (const Error& error : result.problems) ADD_FAILURE() << error.message;
  }
}

worker::LocalEndpoint& Topology::endpoint(const EndpointId& id) {
  return std::find_if(placed_.begin(), placed_.end(),
                      [&](const Placed& placed) { return placed.endpoint.id == id; })
      ->endpoint;
}

void Topology::remove(const EndpointId& id) {
  std::erase_if(placed_, [&](const Placed& placed) { return placed.endpoint.id == id; });
}

}  // namespace shoal::testing
