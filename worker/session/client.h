// SessionClient: runs a Session over gRPC, and makes the unary calls to the same leader.
//
// Thread rule: the strand owns it; gRPC's threads only post to the strand. Observer calls come on
// the strand, not from inside a method.
#pragma once

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <vector>

#include "base/runtime/strand.h"
#include "manager/security/credentials.h"
#include "worker/ports.h"
#include "worker/session/session.h"

namespace shoal::worker {

class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // `error` says why it is not active.
  virtual void on_session(bool active, const HostPort& manager, const Error& error) = 0;
  virtual void on_cluster(ClusterInfo cluster) = 0;
  // `opened`: when the stream that brought it was opened.
  virtual void on_assignments(const Assignments& assignments, Instant opened) = 0;
};

struct SessionClientConfig {
  manager::IdentityFiles identity;
  manager::NodeDescription description;
  manager::NodeAddresses addresses;
  std::vector<HostPort> managers;  // remembered
};

class SessionClient final : public ManagerCalls {
 public:
  // How long a call is repeated while leaders change: an election and a session with the new one.
  static constexpr Duration kCallDeadline = std::chrono::seconds(20);
  // One try. A leader that is cut off answers nothing.
  static constexpr Duration kTryDeadline = std::chrono::seconds(4);
  static constexpr Duration kTryAgain = std::chrono::milliseconds(100);
  // What a manager said of a lost quorum holds so long; it is asked again more often than that.
  static constexpr Duration kQuorumNewsLife = std::chrono::seconds(10);
  // Channels kept; raft groups are smaller.
  static constexpr size_t kMaxChannels = 16;

  SessionClient(SessionClientConfig config, Strand& strand, Clock& clock, Rng& rng,
                SessionObserver& observer);
  ~SessionClient() override;

  void start();
  // Closes the stream; calls that wait are answered kUnavailable.
  void stop();
  // Registers again with these (the node became a manager, or ceases to be one).
  void set_addresses(manager::NodeAddresses addresses);
  // Tells the managers what the host's networking uses now; does not disturb the session.
  void set_host_routes(std::vector<Prefix> routes);

  void attach(const EndpointId& id, const std::string& network, const manager::EndpointSpec& spec,
              Instant deadline, std::function<void(Result<Lease>)> done) override;
  void detach(const EndpointId& id, std::function<void(Status)> done) override;
  bool reachable() const override;
  void hurry() override;
  void doubt(const HostPort& manager) override;

  // The manager of the active session.
  std::optional<HostPort> manager() const;
  // Managers known, for the disk.
  const std::vector<HostPort>& managers() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace shoal::worker
