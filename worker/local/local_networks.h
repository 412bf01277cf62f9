// LocalNetworks: the networks that this host has for itself, with or without a cluster: created,
// removed, attached to and detached from. What Worker is for overlays, without managers.
//
// An attach is: check the namespace - lease from the book - take the host's ports - write the
// intent down - DNS in the namespace - kernel pass - write the attachment down - answer. What fails
// undoes what went before. A network is on disk before its bridge is made, and its bridge is there
// before it is answered. After a crash an intent is undone; an attachment and a network are
// restored.
//
// Thread rule: the strand owns it; every callback comes on the strand.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "worker/attach_request.h"
#include "worker/local/book.h"
#include "worker/local/ports.h"
#include "worker/sandboxes.h"
#include "worker/serial.h"

namespace shoal::worker {

// What the operator of this host chose, for networks that are made from then on.
struct LocalSettings {
  std::vector<LocalPool> pools;  // empty: Docker's; without one of IPv6 the host's own ULA is used
  // By driver, for what a create does not say.
  std::map<std::string, std::map<std::string, std::string>> default_options;
};

class LocalNetworks {
 public:
  // As of a host's overlays: some tens of networks of 1,023 ports.
  static constexpr size_t kMostEndpoints = kMaxAttachments;

  explicit LocalNetworks(LocalPorts ports);
  ~LocalNetworks();

  // Before start(), and at any time after it.
  void configure(LocalSettings settings);
  // Goes on from what is on disk. kDataLoss when it cannot be: the daemon must not run on it.
  Status start(const LocalRecords& records, const LocalAttachments& attachments);
  // Answers what is in flight with kUnavailable. The kernel stays as it is.
  void stop();

  // Errors as Book::create's; kAlreadyExists also for the name of a network of the cluster or of an
  // interface that is the host's.
  void create(manager::NetworkSpec spec, std::function<void(Result<manager::Network>)> done);
  // `network`: name, id, or unique prefix of an id. kConflict while it has endpoints.
  void remove(const std::string& network, std::function<void(Result<NetworkId>)> done);
  void attach(AttachRequest request, std::function<void(Result<Attached>)> done);
  // `endpoint`: name, id or prefix of an id; `network` may be empty when that is unique.
  void detach(const std::string& network, const std::string& endpoint,
              std::function<void(Status)> done);
  // From the plane.
  void on_endpoint_gone(const EndpointId& id, const std::string& reason);
  // Nothing of it is left: it need not be remembered.
  void on_endpoint_departed(const EndpointId& id);
  void on_kernel_problems(std::vector<std::string> problems) { problems_ = std::move(problems); }

  const Book& book() const { return *book_; }
  // The one endpoint, attached here, that is meant. kNotFound, kInvalidArgument (ambiguous).
  Result<manager::Endpoint> find_endpoint(const std::string& network,
                                          const std::string& endpoint) const;
  // Attached endpoints, of one network or (empty) of all.
  std::vector<manager::Endpoint> endpoints(const NetworkId& network) const;
  std::vector<Attachment> attachments() const;  // of all
  const std::vector<std::string>& problems() const { return problems_; }
  WallTime now() const { return ports_.clock.wall(); }

 private:
  struct Local {
    Attachment record;
    // What the kernel should hold of it; null: nothing (yet, or any more).
    std::shared_ptr<const HostEndpoint> wanted;
    bool leaving = false;
  };
  struct AttachOp;

  void take_ports_again(std::function<void()> done);
  void create_at(const manager::NetworkSpec& spec, const std::vector<Prefix>& routes,
                 std::function<void(Result<manager::Network>)> done);
  void create_made(const manager::Network& network, const HostPass& pass,
                   std::function<void(Result<manager::Network>)> done);

  void attach_begin(const std::shared_ptr<AttachOp>& op);
  void attach_lease(const std::shared_ptr<AttachOp>& op);
  void attach_publish(const std::shared_ptr<AttachOp>& op, manager::Endpoint endpoint);
  void attach_record(const std::shared_ptr<AttachOp>& op, manager::Endpoint endpoint);
  void attach_plumb(const std::shared_ptr<AttachOp>& op);
  void attach_plumbed(const std::shared_ptr<AttachOp>& op, const HostPass& pass);
  void attach_undo(const std::shared_ptr<AttachOp>& op, Error error);
  void attach_answer(const std::shared_ptr<AttachOp>& op, Result<Attached> answer);
  // Removes the endpoint from this host; `done` once kernel and disk know.
  void take_down(const EndpointId& id, std::function<void()> done);

  // The attached endpoint of that namespace on that network; null when there is none.
  const Local* find_in(const NamespaceRef& space, const NetworkId& network) const;

  std::vector<LocalPool> all_pools() const;
  HostState desired() const;
  void note_networks();
  // The namespace's resolver and default route, after an endpoint came or went; what its endpoints
  // should be follows.
  Status sync_space(const NamespaceRef& space);
  // The first that was attached to a network that leads out; null when there is none.
  const Local* way_out(const std::vector<EndpointId>& endpoints) const;
  std::shared_ptr<const HostEndpoint> wanted_of(const Local& local, bool gateway) const;
  void enter_space(const Local& local);
  void leave_space(const Local& local);
  Local& add_local(Attachment record);
  void erase_local(const EndpointId& id);
  void refresh_kernel(std::function<void(const HostPass&)> done);
  void announce(const Local& local);
  void save_networks(std::function<void(Status)> done);
  template <typename Id>
  Id draw_id() {
    std::array<uint8_t, 16> random;
    ports_.rng.fill(random);
    return Id::from_random(random);
  }

  // A callback that does nothing once this is gone.
  template <typename F>
  auto guarded(F callback) {
    return [alive = std::weak_ptr<int>(alive_), callback = std::move(callback)](auto&&... args) {
      if (!alive.expired()) callback(std::forward<decltype(args)>(args)...);
    };
  }

  LocalPorts ports_;
  LocalSettings settings_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool stopping_ = false;
  std::unique_ptr<Book> book_;
  Prefix pool_v6_;
  std::map<EndpointId, Local> locals_;
  std::multimap<std::string, EndpointId> names_;  // of locals_
  // By namespace those that the kernel should hold, in the order of their attachment.
  std::map<std::string, std::vector<EndpointId>> spaces_;
  std::shared_ptr<const HostNetworks> wanted_networks_ = std::make_shared<const HostNetworks>();
  // Taken down here, and something of them may be left; on disk as intents till then.
  std::map<EndpointId, Attachment> departed_;
  Serial serial_;
  Sandboxes sandboxes_;
  std::set<std::shared_ptr<AttachOp>> attaching_;
  std::vector<std::string> problems_;
};

}  // namespace shoal::worker
