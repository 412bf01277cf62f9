// Lab: hosts and workloads as network namespaces, with a real DataPlane per host.
//
//     fabric namespace: bridge "fab" ---- eth0 of host 1 (192.168.90.11/24, fd90::11/64)
//                                    ---- eth0 of host 2 (192.168.90.12/24, fd90::12/64) ...
//
// Namespaces are files "shoalt-<pid>-<name>" below a directory of the lab's own; all is removed
// with the lab. Workload namespaces have nothing but a loopback that is down.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "vxlan/netlink/namespace.h"
#include "worker/attach/data_plane.h"

namespace shoal::testing {

inline constexpr std::chrono::seconds kPatience{10};  // of waits for things that must happen

// Runs a shell command and returns its output; fails the test when it does.
std::string sh(const std::string& command);
// True when the command succeeds.
bool try_sh(const std::string& command);

// Asks until it is true or the patience ends.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    timespec pause{0, 5'000'000};
    nanosleep(&pause, nullptr);
  }
  return true;
}

Ip ip(const std::string& text);
Prefix prefix(const std::string& text);
// An id made of one repeated pattern: id<NetworkId>("net", 1).
std::string id_text(const std::string& stem, int number);

class Lab {
 public:
  explicit Lab(int hosts);
  ~Lab();

  // Makes a namespace and returns its path.
  std::string add_namespace(const std::string& name);
  void remove_namespace(const std::string& name);
  std::string path(const std::string& name) const;
  const vxlan::NamespaceFd& space(const std::string& name) const { return spaces_.at(name); }
  std::string host_name(int host) const { return "h" + std::to_string(host); }
  std::string run_dir(int host) const { return directory_ + "/run-" + host_name(host); }
  std::string overlay_path(int host, const NetworkId& network) const;
  // A command inside a namespace, by name or path.
  std::string in(const std::string& name, const std::string& command) const;
  std::string in_overlay(int host, const NetworkId& network, const std::string& command) const;

  worker::DataPlane& start(int host);
  void stop(int host) { planes_.erase(host); }
  size_t repairs(int host);
  std::vector<std::string> gone(int host);

 private:
  void build_host(int host);
  struct Told {
    std::mutex mutex;
    size_t repairs = 0;
    std::vector<std::string> gone;
  };

  std::string directory_;
  std::map<std::string, vxlan::NamespaceFd> spaces_;
  std::map<int, std::shared_ptr<Told>> told_;
  std::map<int, std::unique_ptr<worker::DataPlane>> planes_;
};

// Sets a state and waits for its pass.
worker::PassResult set_state(worker::DataPlane& plane, worker::WorkerState state);

// What a whole cluster should be: endpoints with their hosts. Gives each host its own view.
class Topology {
 public:
  explicit Topology(Lab& lab, Family underlay = Family::kV4) : lab_(lab), underlay_(underlay) {}

  NetworkId add_network(int number, const std::vector<std::string>& subnets);
  // Makes the namespace too. `addresses` with prefix lengths.
  EndpointId add_endpoint(int number, int host, const NetworkId& network,
                          const std::vector<std::string>& addresses,
                          const std::string& ifname = "");
  worker::WorkerState state_of(int host) const;
  // Starts where needed, sets every host's state and expects no error.
  void apply(int hosts);
  worker::LocalEndpoint& endpoint(const EndpointId& id);
  void remove(const EndpointId& id);
  Ip vtep(int host) const;
  static std::string space_name(int number) { return "e" + std::to_string(number); }

  std::vector<worker::OverlayNetwork> networks;

 private:
  struct Placed {
    int host;
    worker::LocalEndpoint endpoint;
  };
  Lab& lab_;
  Family underlay_;
  std::vector<Placed> placed_;
  std::map<int, worker::DataPlane*> running_;
};

}  // namespace shoal::testing
