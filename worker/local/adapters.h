// The real ports of LocalNetworks: host's plane and state directory behind worker/local/ports.h.
// Used on the strand only; what blocks or belongs to another thread is handed over.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/runtime/files.h"
#include "base/runtime/strand.h"
#include "worker/hostnet/host_plane.h"
#include "worker/hostnet/loopback_relay.h"
#include "worker/hostnet/reserve.h"
#include "worker/local/ports.h"

namespace shoal::worker {

class HostKernelAdapter final : public HostKernel {
 public:
  HostKernelAdapter(std::unique_ptr<HostPlane> plane, Strand& strand)
      : plane_(std::move(plane)), strand_(strand) {}

  void set_state(HostState state, std::function<void(HostPass)> done) override;
  void check_namespace(NamespaceRef ref, std::string ifname,
                       std::function<void(Result<NamespaceRef>)> done) override;
  void host_routes(std::function<void(Result<std::vector<Prefix>>)> done) override;

 private:
  std::unique_ptr<HostPlane> plane_;
  Strand& strand_;
};

// Refusals look through /proc: on a thread of its own.
class HostPortsAdapter final : public HostPorts {
 public:
  HostPortsAdapter(std::unique_ptr<LoopbackRelay> relay, Strand& strand)
      : strand_(strand), relay_(std::move(relay)) {}

  void take(const EndpointId& id, std::string owner, std::vector<PortRequest> requests,
            const Ip& to, std::function<void(Result<std::vector<PortBinding>>)> done) override;
  void take_again(const EndpointId& id, std::string owner, std::vector<PortBinding> bindings,
                  const Ip& to, std::function<void(Status)> done) override;
  void release(const EndpointId& id) override;

 private:
  void relay(const EndpointId& id, const Ip& to);

  Strand& strand_;
  std::unique_ptr<LoopbackRelay> relay_;
  Reservations reservations_;  // on the thread
  WorkThread thread_{"shoal-ports"};
};

// A file that is written whole, on a thread of its own. While it is, the newer contents pile up
// into one: the newest is written, and everybody told.
class PiledFile {
 public:
  PiledFile(std::string path, Outlives outlives, const char* thread, Strand& strand);
  ~PiledFile();  // on the strand; finishes what was asked for

  // `encode` runs on the file's thread.
  void write(std::function<Bytes()> encode, std::function<void(Status)> done);

 private:
  void write_next();

  const std::string path_;
  const Outlives outlives_;
  Strand& strand_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool writing_ = false;
  std::function<Bytes()> waiting_;
  std::vector<std::function<void(Status)>> dones_;
  WorkThread thread_;  // last: joined first
};

// Of the state directory: the file "local_networks", and the directory "local_endpoints" with a
// file for each endpoint, named by its id.
class LocalDirectory final : public LocalDisk {
 public:
  struct Loaded {
    LocalRecords networks;
    LocalAttachments endpoints;
    std::vector<EndpointId> emptied;  // by a power loss; what they were about is gone too
  };

  LocalDirectory(const std::string& directory, Strand& strand);

  // Makes what endpoints' files are in.
  static Status prepare(const std::string& directory);

  // Blocking; changes nothing. What is absent is an empty state; a damaged file is kDataLoss.
  static Result<Loaded> load(const std::string& directory);

  void save_networks(LocalRecords records, std::function<void(Status)> done) override;
  void save_endpoint(Attachment attachment, std::function<void(Status)> done) override;
  void forget_endpoint(const EndpointId& id, std::function<void(Status)> done) override;

 private:
  void run(std::function<Status()> work, std::function<void(Status)> done);

  PiledFile networks_;
  const std::string endpoints_;
  Strand& strand_;
  WorkThread thread_;  // of endpoints' files; last: joined first
};

}  // namespace shoal::worker
