// Sessions: what a node knows of those that sealed packets to it. A session is one start of one
// node. It is bound to its node by the first packet that was sealed to this node in this life;
// until then it was only heard to call, and says nothing about anybody.
//
// Bounded: nothing enters but what holders of a key sealed, and the least recently heard goes
// first, callers apart from members. About 400 bytes each.
#pragma once

#include <list>
#include <unordered_map>

#include "gossip/wire/message.h"
#include "gossip/wire/window.h"

namespace shoal::gossip {

struct Session {
  Head head;               // of its sender, as last heard; an empty sender: not bound
  uint64_t head_at = 0;    // the counter of the datagram that brought it
  uint8_t version = 0;     // of that head, as its sender counts them
  uint8_t held = 0;        // the version of our own head that the sender says to hold
  uint64_t held_at = 0;    // the counter of the datagram that said so
  Window<1024> datagrams;  // a sender counts its packets to everybody
  Window<256> questions;

 private:
  friend class Sessions;
  std::list<uint64_t>::iterator place;
};

class Sessions {
 public:
  static constexpr size_t kMaxBound = kMaxMembers + 1024;
  static constexpr size_t kMaxCallers = 1024;

  Session* find(uint64_t id);
  const Session* find(uint64_t id) const;
  // The session of a node, if one is bound to it.
  Session* of(const NodeId& node);
  // A caller not known yet.
  Session& add(uint64_t id);
  // In place of what the node had before.
  void bind(uint64_t id, Session& session, const Head& head);
  // Was heard just now.
  void touch(Session& session);

 private:
  std::list<uint64_t>& order(const Session& session) {
    return session.head.sender.empty() ? callers_ : bound_;
  }
  void erase(uint64_t id);

  std::unordered_map<uint64_t, Session> sessions_;
  std::unordered_map<NodeId, uint64_t> by_node_;
  std::list<uint64_t> callers_;  // least recently heard first
  std::list<uint64_t> bound_;
};

}  // namespace shoal::gossip
