// Gossip: membership and the tables of every network, on the wire.
//
// One object per daemon. It owns a UDP and a TCP socket on the same port, a Core (gossip/node)
// that decides everything, and the Guard that guards both doors.
//
// Thread rule: every method, the destructor included, is called on the strand (or while it does
// not run); the observer is called on the strand, never from inside one of these methods. Cost of
// a call is a map operation; sending happens at the end of the strand's turn, so what one turn
// announces travels together.
//
// What an observer may rely on: on_entry is the newest value known of an owner's key;
// on_entry_removed follows when the owner deleted it, left the network or the cluster, failed
// (on_entry comes again when it returns), or restarted without announcing it; own entries are
// reported like others'. Entries of networks this node has not joined are never reported.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/codec/bytes.h"
#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "base/types/id.h"
#include "base/types/ip.h"
#include "base/types/result.h"
#include "gossip/node/counters.h"
#include "gossip/swim/config.h"
#include "gossip/swim/member.h"
#include "gossip/table/config.h"
#include "gossip/wire/message.h"
#include "gossip/wire/seal.h"

namespace shoal::gossip {

struct Config {
  NodeId self;
  ClusterId cluster;
  // Where to listen, UDP and TCP. Port 0 takes a free one. [::] listens for IPv4 too.
  HostPort bind;
  // What other nodes are told. Port 0 means the bound one; an unspecified ip is refused unless
  // bind.ip is specific, which is then taken.
  HostPort advertise;
  // Grows with every start of this node: wall clock in milliseconds, persisted by the caller so
  // that it never goes back.
  uint64_t epoch = 0;
  // Bytes an IP packet may have on the link to the others; 0: not known, then datagrams stay at
  // what every path carries.
  size_t link_mtu = 0;
  SwimConfig swim;
  TableConfig table;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_entry(const NetworkId& network, const std::string& key, const NodeId& owner,
                        const Bytes& value) = 0;
  virtual void on_entry_removed(const NetworkId& network, const std::string& key,
                                const NodeId& owner) = 0;
  // Every change of state or address of another node.
  virtual void on_member(const MemberInfo& member) = 0;
};

class Gossip {
 public:
  // kAlreadyExists when the port is taken, kInvalidArgument for a bad configuration or key ring,
  // kUnavailable when the address is not one of this host.
  static Result<std::unique_ptr<Gossip>> start(Config config, KeyRing keys, Strand& strand,
                                               Clock& clock, Rng& rng, Observer& observer);
  virtual ~Gossip() = default;

  // kInvalidArgument for a bad ring, which changes nothing. A rotation is: everywhere the new key
  // beside the old primary, then everywhere the new one as primary, then everywhere without the
  // old one.
  virtual Status set_keys(KeyRing keys) = 0;
  // Addresses to contact when alone and now and then (managers, remembered peers). Replaces the
  // list; at most 128 are used.
  virtual void set_seeds(std::vector<HostPort> seeds) = 0;

  virtual void join_network(const NetworkId& network) = 0;
  // Own entries in it are withdrawn; the observer gets a removal for each entry seen there.
  virtual void leave_network(const NetworkId& network) = 0;
  // Own entries. kInvalidArgument: key empty or over 64 bytes, value over 1 KiB; kConflict: the
  // network is not joined; kResourceExhausted: 8192 own entries in it.
  virtual Status upsert(const NetworkId& network, std::string key, Bytes value) = 0;
  virtual void remove(const NetworkId& network, const std::string& key) = 0;

  // The managers removed this node: everything about it is dropped and it is not listened to
  // again.
  virtual void forget(const NodeId& node) = 0;
  // Says good-bye (about half a second) and calls `done` on the strand; then call stop().
  virtual void leave(std::function<void()> done) = 0;
  // Closes the sockets; no observer call after it. To others it looks like a crash unless leave()
  // came first.
  virtual void stop() = 0;

  // Every known member but this node, ordered by id.
  virtual std::vector<MemberInfo> members() const = 0;
  // Addresses of some live members, the same ones while they are live, to be offered as seeds at
  // the next start: managers may all have moved by then.
  virtual std::vector<HostPort> remembered() const = 0;
  static constexpr size_t kMaxRemembered = 64;
  static constexpr size_t kMaxSeeds = 128;
  virtual Counters counters() const = 0;
  // Where it listens, and what it tells others.
  virtual HostPort bound() const = 0;
  virtual HostPort advertised() const = 0;
};

}  // namespace shoal::gossip
