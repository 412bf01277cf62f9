#include "tests/sim/raft/safety.h"

#include <algorithm>

#include "manager/wire/store_wire.h"

namespace shoal::sim {

using raft::Index;
using raft::Log;
using raft::Message;
using raft::MessageType;
using raft::RaftId;
using raft::Term;

namespace {

std::string node(RaftId id) { return "node " + std::to_string(id); }

uint64_t digest_of(const raft::Entry& entry) {
  return digest(entry.data, static_cast<uint64_t>(entry.type) + 1);
}

uint64_t digest_of(const manager::Outcome& outcome) {
  uint64_t out = outcome.answer.ok() ? outcome.answer->index() : 99;
  if (!outcome.answer.ok()) out = digest(outcome.answer.error().message, out);
  for (const manager::Change& change : outcome.changes) {
    out = digest(manager::wire::encode_object(change.object), out + (change.removed ? 1 : 0));
  }
  return out;
}

// Whether the member's disk shows that it has (or had) the entry at `index`.
bool holds_entry(const raft::LogStore::Loaded& disk, Index index) {
  return index <= disk.offset + disk.entries.size();
}

}  // namespace

uint64_t digest(std::string_view bytes, uint64_t seed) {
  uint64_t hash = seed;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return hash;
}

void Safety::leads(RaftId id, const raft::Core& core, const raft::LogStore::Loaded& durable) {
  if (durable.hard_state.term != core.term() || durable.hard_state.vote != id) {
    violate_(node(id) + " leads in term " + std::to_string(core.term()) +
             ", its disk does not know that it voted for itself");
  }
  const auto [known, first] = leaders_.emplace(core.term(), id);
  if (!first && known->second != id) {
    violate_("two leaders in term " + std::to_string(core.term()) + ": " +
             std::to_string(known->second) + " and " + std::to_string(id));
  }
  const Log& log = core.log();
  for (auto it = committed_.lower_bound(log.first_index()); it != committed_.end(); ++it) {
    const auto term = log.term(it->first);
    if (it->second.by < core.term() && term != it->second.term) {
      return violate_(node(id) + " leads in term " + std::to_string(core.term()) +
                      " without entry " + std::to_string(it->first) + ", which is committed");
    }
  }
}

void Safety::saves(RaftId id, const raft::LogStore::Batch& batch) {
  for (const raft::Entry& entry : batch.entries) {
    const auto [known, first] = entries_.try_emplace({entry.index, entry.term}, digest_of(entry));
    if (!first && known->second != digest_of(entry)) {
      violate_(node(id) + " saves another entry " + std::to_string(entry.index) + " of term " +
               std::to_string(entry.term) + " than was saved before");
    }
  }
}

void Safety::stepped(RaftId id, const raft::Core& core, Index& known,
                     const raft::LogStore::Loaded& durable) {
  const Log& log = core.log();
  if (log.committed() < known) {
    violate_(node(id) + " goes back from commit index " + std::to_string(known) + " to " +
             std::to_string(log.committed()));
  }
  for (Index i = std::max(known + 1, log.first_index()); i <= log.committed(); ++i) {
    const Term term = log.at(i).term;
    // A leader knows first, of its own term.
    const auto [first, fresh] = committed_.emplace(i, Commit{term, core.term()});
    if (!fresh && first->second.term != term) {
      violate_(node(id) + " takes entry " + std::to_string(i) + " of term " + std::to_string(term) +
               " for committed, another that of term " + std::to_string(first->second.term));
    }
  }
  known = log.committed();
  // A log that begins after `stable` stands at a snapshot that may still be on its way.
  const Index stable = log.stable();
  if (stable < log.first_index() || stable <= durable.offset) return;
  if (!holds_entry(durable, stable) ||
      durable.entries[stable - durable.offset - 1].term != log.term(stable)) {
    violate_(node(id) + " takes entry " + std::to_string(stable) + " of term " +
             std::to_string(*log.term(stable)) + " for durable, its disk has another or none");
  }
}

void Safety::sends(RaftId id, const Message& message, const raft::LogStore::Loaded& durable) {
  if (message.type == MessageType::kAppendResp && !message.reject && message.index != 0 &&
      !holds_entry(durable, message.index)) {
    violate_(node(id) + " acknowledges entry " + std::to_string(message.index) +
             ", its disk ends at " + std::to_string(durable.offset + durable.entries.size()));
  }
  if (message.type == MessageType::kVoteResp && !message.reject) {
    const raft::HardState& saved = durable.hard_state;
    if (saved.term < message.term || (saved.term == message.term && saved.vote != message.to)) {
      violate_(node(id) + " votes for " + std::to_string(message.to) + " in term " +
               std::to_string(message.term) + ", its disk does not know");
    }
  }
}

void Safety::applies(RaftId id, Index index, Term term, std::string_view command,
                     const manager::Outcome& outcome, const raft::LogStore::Loaded& durable) {
  if (!holds_entry(durable, index)) {
    violate_(node(id) + " applies entry " + std::to_string(index) + " before it is durable");
  }
  const Applied now{term, digest(command), digest_of(outcome)};
  const auto [known, first] = applied_.try_emplace(index, now);
  if (first) {
    ++times_[std::string(command)];
    for (const manager::Change& change : outcome.changes) {
      if (change.removed) account(change);
    }
    for (const manager::Change& change : outcome.changes) {
      if (!change.removed) account(change);
    }
    return;
  }
  if (known->second.term != term || known->second.command != now.command) {
    return violate_(node(id) + " applies another command at " + std::to_string(index) +
                    " than was applied before");
  }
  if (known->second.outcome != now.outcome) {
    violate_("the command at " + std::to_string(index) + " has another outcome on " + node(id) +
             " than it had before");
  }
}

void Safety::holds(RaftId id, Index index, std::string_view store) {
  const auto [known, first] = stores_.try_emplace(index, digest(store));
  if (!first && known->second != digest(store)) {
    violate_("the store at " + std::to_string(index) + " is another on " + node(id));
  }
}

int Safety::times(const std::string& command) const {
  const auto found = times_.find(command);
  return found == times_.end() ? 0 : found->second;
}

void Safety::account(const manager::Change& change) {
  if (const auto* endpoint = std::get_if<manager::Endpoint>(&change.object)) {
    const std::string network = endpoint->network_id.str() + " ";
    for (const Prefix& address : endpoint->addresses) {
      own(addresses_, network + address.ip.str(), endpoint->id.str(), change.removed);
    }
    own(macs_, network + endpoint->mac.str(), endpoint->id.str(), change.removed);
  } else if (const auto* network = std::get_if<manager::Network>(&change.object)) {
    own(vnis_, "VNI " + std::to_string(network->vni.value), network->id.str(), change.removed);
  } else if (const auto* request = std::get_if<manager::HandledRequest>(&change.object)) {
    const auto [known, first] = requests_.emplace(request->id, request->index);
    if (!first && !change.removed) {
      violate_("request " + request->id + " takes effect at " + std::to_string(request->index) +
               ", and did at " + std::to_string(known->second));
    }
  }
}

void Safety::own(std::map<std::string, std::string>& owners, const std::string& what,
                 const std::string& owner, bool removed) {
  if (removed) {
    owners.erase(what);
    return;
  }
  const auto [known, first] = owners.emplace(what, owner);
  if (!first && known->second != owner) violate_(what + " was given to two owners");
}

}  // namespace shoal::sim
