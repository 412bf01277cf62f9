// WorkerState: all a worker knows about its overlays, as plain values. The assignments of the
// manager, the gossiped tables and the attachments of this host are put together here by the
// session; reconcile() turns it into what the kernel should hold.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/types/id.h"
#include "base/types/ip.h"

namespace shoal::worker {

// A network namespace, by path or by process. As check_namespace() returns it, it names exactly one
// namespace: a pid is completed by the process's start time (pids are reused), a path by the device
// and inode it led to. Persist it with the endpoint.
struct NamespaceRef {
  std::string path;             // "/run/netns/x"; wins over pid
  int32_t pid = 0;              // /proc/<pid>/ns/net
  uint64_t pid_start_time = 0;  // clock ticks after boot (field 22 of /proc/<pid>/stat); 0: unknown
  uint64_t device = 0;          // st_dev of the namespace; 0: unknown
  uint64_t inode = 0;           // st_ino of the namespace; 0: unknown

  friend auto operator<=>(const NamespaceRef&, const NamespaceRef&) = default;
};

struct OverlayNetwork {
  NetworkId id;
  std::string name;
  Vni vni;
  std::vector<Prefix> subnets;
  std::string driver = "overlay";  // networks of other drivers are not the data plane's
  bool internal = false;
  // The option com.docker.network.driver.mtu: as in Docker the MTU of the underlay, not of the
  // endpoints. 0: not given, the path's own is taken.
  uint32_t underlay_mtu = 0;

  friend bool operator==(const OverlayNetwork&, const OverlayNetwork&) = default;
};

struct LocalEndpoint {
  EndpointId id;
  NetworkId network;
  std::string name;
  std::string ifname;             // empty: the lowest free ethN
  std::vector<Prefix> addresses;  // each with the prefix length of its subnet
  Mac mac;
  NamespaceRef space;
  // Where the DNS server of this namespace listens on 127.0.0.11; 53/udp and 53/tcp are led there.
  // 0: none.
  uint16_t dns_port = 0;

  friend bool operator==(const LocalEndpoint&, const LocalEndpoint&) = default;
};

// An endpoint that was here and is not wanted any more, and the namespace it was in.
struct DepartedEndpoint {
  EndpointId id;
  NetworkId network;  // empty: it had no lease yet
  NamespaceRef space;

  friend bool operator==(const DepartedEndpoint&, const DepartedEndpoint&) = default;
};

struct RemoteEndpoint {
  NetworkId network;
  std::vector<Ip> ips;
  Mac mac;
  Ip vtep;

  friend bool operator==(const RemoteEndpoint&, const RemoteEndpoint&) = default;
};

struct WorkerState {
  Ip data_path_address;
  uint16_t data_path_port = 4789;
  uint32_t underlay_mtu = 0;  // 0: read from the link that holds data_path_address
  std::vector<OverlayNetwork> networks;
  std::vector<LocalEndpoint> local;
  std::vector<RemoteEndpoint> remote;
  // Taken out of their namespaces, `complete` or not; what an earlier process made is known by no
  // other means.
  std::vector<DepartedEndpoint> departed;
  // True once this is everything: only then is removed what is ours and not named here.
  bool complete = false;

  friend bool operator==(const WorkerState&, const WorkerState&) = default;
};

}  // namespace shoal::worker
