#include "gossip/wire/sessions.h"

namespace shoal::gossip {

Session* Sessions::find(uint64_t id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

const Session* Sessions::find(uint64_t id) const {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

Session* Sessions::of(const NodeId& node) {
  const auto it = by_node_.find(node);
  return it == by_node_.end() ? nullptr : find(it->second);
}

Session& Sessions::add(uint64_t id) {
  if (callers_.size() >= kMaxCallers) erase(callers_.front());
  Session& session = sessions_[id];
  session.place = callers_.insert(callers_.end(), id);
  return session;
}

void Sessions::bind(uint64_t id, Session& session, const Head& head) {
  if (const auto earlier = by_node_.find(head.sender); earlier != by_node_.end()) {
    erase(earlier->second);
  }
  if (bound_.size() >= kMaxBound) erase(bound_.front());
  bound_.splice(bound_.end(), order(session), session.place);
  session.head = head;
  by_node_[head.sender] = id;
}

void Sessions::touch(Session& session) {
  std::list<uint64_t>& list = order(session);
  list.splice(list.end(), list, session.place);
}

void Sessions::erase(uint64_t id) {
  const auto it = sessions_.find(id);
  const Session& session = it->second;
  if (!session.head.sender.empty()) by_node_.erase(session.head.sender);
  order(session).erase(session.place);
  sessions_.erase(it);
}

}  // namespace shoal::gossip
