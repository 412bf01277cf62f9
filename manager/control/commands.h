// What every front door (gRPC, and others to come) asks of the managers, turned into commands.
//
// Requests are normalised and refused here at once, with the messages apply would give (they are
// checked by Store::check); apply decides again, since only there the state is settled. Features
// that are not there are refused here only: managers of different versions must not disagree in
// apply. Pure: the clock and the random source come with the call.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "manager/allocator/subnet_plan.h"
#include "manager/model/command.h"
#include "manager/store/store.h"

namespace shoal::manager::control {

// The present, and where ids, secrets and seeds are drawn from (a strong source in the daemon).
struct Draw {
  WallTime now;
  Rng& rng;
};

// Any operation as a command, or what apply would say against it: for what the managers do of
// themselves (a node's status, a lease given back by id).
Result<Command> propose(const Store& store, Operation operation, Draw draw);

// Fills what is empty: id, secrets, a ring of three gossip keys, pools (10.0.0.0/8 and a random ULA
// /48). `node` is the first manager.
Result<Command> init_cluster(const Store& store, Cluster cluster, Node node, Draw draw);

// `host_routes` (queries.h): a subnet asked for that overlaps one is refused, drawn ones avoid
// them.
Result<Command> create_network(const Store& store, NetworkSpec spec,
                               std::span<const HostRoute> host_routes, Draw draw);
Result<Command> remove_network(const Store& store, std::string_view network, Draw draw);

// One wish of one caller, which may be tried again: see Command.
struct Request {
  std::string id;      // of the network that is made, too
  uint64_t since = 0;  // 0: not tried before
};
// As above, but taking effect once for a request. kDeadlineExceeded: it was tried so long ago that
// it is not known whether it did.
Result<Command> create_network_once(const Store& store, const Request& request, NetworkSpec spec,
                                    Draw draw);
Result<Command> remove_network_once(const Store& store, const Request& request,
                                    std::string_view network, Draw draw);

// `id` empty: a new one; a retry must give the id of the first try. An empty spec.name becomes the
// first 12 characters of the id.
Result<Command> attach_endpoint(const Store& store, EndpointId id, std::string_view network,
                                const NodeId& node, EndpointSpec spec, Draw draw);
// By name, id or prefix in `network` (may be empty). `node` set: only that node's.
Result<Command> detach_endpoint(const Store& store, std::string_view network,
                                std::string_view endpoint, const NodeId& node, Draw draw);

// `id` empty: a new one.
Result<Command> create_node(const Store& store, Node node, Draw draw);

// Absent parts stay as they are.
struct NodeChange {
  std::optional<Role> role;
  std::optional<Availability> availability;
  std::optional<Labels> labels;
};
// `self`: the node the request came from, for the name "self".
Result<Command> update_node(const Store& store, std::string_view node, const NodeId& self,
                            const NodeChange& change, Draw draw);
Result<Command> remove_node(const Store& store, std::string_view node, const NodeId& self,
                            bool force, Draw draw);

// The secret follows from the cluster's root key and `request_id`, which only managers know
// together: the same request again gives the same token. Empty: drawn.
Result<Command> rotate_join_token(const Store& store, Role role, std::string_view request_id,
                                  Draw draw);
// Turns autolock on (also: another unlock key) or off. As rotate_join_token() the same request
// gives the same key.
Result<Command> set_autolock(const Store& store, bool on, std::string_view request_id, Draw draw);
// The unlock key that `request_id` gives; `cluster`: as stored.
std::string unlock_key_of(const Cluster& cluster, std::string_view request_id);
Result<Command> rotate_gossip_key(const Store& store, Draw draw);

}  // namespace shoal::manager::control
