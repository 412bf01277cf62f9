// The real ports of a Worker: data plane, DNS server and state directory behind worker/ports.h.
// Used on the strand only; what blocks or belongs to another thread is handed over.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/runtime/strand.h"
#include "worker/attach/data_plane.h"
#include "worker/dns/server/dns_server.h"
#include "worker/ports.h"
#include "worker/session/wire.h"

namespace shoal::worker {

class KernelAdapter final : public Kernel {
 public:
  KernelAdapter(std::unique_ptr<DataPlane> data_plane, Strand& strand)
      : data_plane_(std::move(data_plane)), strand_(strand) {}

  void set_state(WorkerState state, std::function<void(PassResult)> done) override;
  void check_namespace(NamespaceRef ref, std::string ifname,
                       std::function<void(Result<NamespaceRef>)> done) override;
  void remove_all(std::function<void(Status)> done) override;

 private:
  std::unique_ptr<DataPlane> data_plane_;
  Strand& strand_;
};

class ResolversAdapter final : public Resolvers {
 public:
  explicit ResolversAdapter(dns::DnsServer& server) : server_(server) {}

  Result<uint16_t> serve(const std::string& sandbox, const NamespaceRef& space,
                         std::vector<NetworkId> networks, bool may_forward) override;
  Status update(const std::string& sandbox, std::vector<NetworkId> networks,
                bool may_forward) override;
  void stop(const std::string& sandbox) override;
  dns::NameTable& names() override { return server_.names(); }

 private:
  dns::DnsServer& server_;
};

// Two files of the state directory: "attachments" and "cluster.cache". Each is written on a
// thread of its own; while attachments are, the newer states pile up into one.
class StateDirectory final : public Disk {
 public:
  struct Loaded {
    PersistedState state;
    std::optional<CachedCluster> cluster;
  };

  StateDirectory(std::string directory, Strand& strand);
  ~StateDirectory() override;  // finishes what was asked for

  // Blocking. Absent files are an empty state; damaged ones kDataLoss.
  static Result<Loaded> load(const std::string& directory);
  static void remove(const std::string& directory);

  void save(PersistedState state, std::function<void(Status)> done) override;
  void save_cluster(ClusterInfo cluster, Catalogue::Content content) override;

 private:
  using Dones = std::vector<std::function<void(Status)>>;
  void write_next();

  const std::string directory_;
  Strand& strand_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool writing_ = false;
  std::optional<PersistedState> waiting_;
  Dones waiting_dones_;
  // Beside the other: an attach waits for the attachments, nobody for the cache.
  WorkThread cache_thread_;
  WorkThread thread_;  // last: they are joined first
};

}  // namespace shoal::worker
