// Anti-entropy: what the reconciliation of a network changes, by the rules of the tables.
#include "gossip/table/tables.h"

namespace shoal::gossip {

using merkle::Item;
using merkle::OwnedMap;

// Another replica's hand in a network of these tables.
class Tables::Writer final : public merkle::Editor {
 public:
  Writer(Tables& tables, const NetworkId& network, Instant now)
      : Editor(tables.networks_.at(network).map), tables_(tables), network_(network), now_(now) {}

  bool takes(std::string_view owner, uint64_t epoch) const override {
    return is_id(owner) && epoch <= kMaxNumber && tables_.takes(network_, NodeId(owner), epoch);
  }

  // What is parked is refused, as far as the other replica is concerned: this one has no part in
  // what is said of its owner.
  OwnedMap::Outcome apply(const merkle::Entry& entry) override {
    const NodeId owner(entry.owner);
    const OwnedMap::Outcome outcome = tables_.take(network_, owner, entry, true, now_);
    if (outcome == OwnedMap::Outcome::kApplied && !entry.buried) {
      tables_.news_.push_back(
          {network_, owner, entry.epoch, entry.stamp, entry.deleted, entry.key, entry.value});
    }
    const bool parked = tables_.presence(owner) == Presence::kUnknown;
    return parked ? OwnedMap::Outcome::kRefused : outcome;
  }

  void bury(const Item& item, uint64_t by) override {
    const NodeId owner(map_.owner_of(item));
    const std::string key(item.id().substr(kIdLength));
    {
      const Counting counting(tables_, map_, false);
      map_.bury(item, by);
    }
    tables_.entry_gone(network_, owner, key);
  }

  void raise(const merkle::Head& head) override {
    const NodeId owner(head.owner);
    if (tables_.presence(owner) == Presence::kUnknown) return;
    const merkle::Knowledge known = map_.knowledge(head.owner);
    if (!known.known && map_.heads() >= kMaxMembers) return;
    if (known.known && head.epoch > known.epoch) {
      tables_.restart(network_, owner, head);
    } else {
      const Counting counting(tables_, map_, false);
      map_.raise(head);
    }
    tables_.watch_gap(network_, owner, map_, now_);
  }

 private:
  Tables& tables_;
  const NetworkId& network_;
  const Instant now_;
};

uint64_t Tables::digest(const NetworkId& network) const {
  const auto it = networks_.find(network);
  return it == networks_.end() ? 0 : it->second.map.map().summary().hash;
}

void Tables::refound(const NetworkId& network, const merkle::Message& message) {
  for (const merkle::Head& head : message.heads) {
    if (head.owner == self_.view()) refound(network, head.epoch, head.complete);
  }
  for (const merkle::Listing& listing : message.listings) {
    for (const merkle::Listing::Part& part : listing.parts) {
      const merkle::Head& head = message.heads[part.owner];
      if (head.owner != self_.view()) continue;
      for (const merkle::Listed& item : part.items) refound(network, head.epoch, item.stamp);
    }
  }
}

merkle::Session Tables::begin_session(const NetworkId& network, bool upper) const {
  return merkle::Session(networks_.at(network).map, upper);
}

std::optional<merkle::Message> Tables::ask(const NetworkId& network, merkle::Session& session,
                                           size_t budget, Instant now) {
  Writer writer(*this, network, now);
  return session.next(writer, budget);
}

bool Tables::receive(const NetworkId& network, merkle::Session& session,
                     const merkle::Message& answer, Instant now) {
  if (!merkle::well_formed(answer, kIdLength)) return false;
  refound(network, answer);
  Writer writer(*this, network, now);
  return session.receive(writer, answer);
}

merkle::Message Tables::answer(const NetworkId& network, const merkle::Message& question,
                               size_t budget, Instant now) {
  if (!merkle::well_formed(question, kIdLength)) return {};
  refound(network, question);
  Writer writer(*this, network, now);
  return merkle::respond(writer, question, budget);
}

}  // namespace shoal::gossip
