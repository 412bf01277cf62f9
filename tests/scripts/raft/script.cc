#include "tests/scripts/raft/script.h"

#include <algorithm>
#include <sstream>

namespace shoal::raft {
namespace {

std::string describe(const Entry& entry) {
  std::string out = std::to_string(entry.term) + "/" + std::to_string(entry.index);
  if (entry.type == EntryType::kNoop) return out + " no-op";
  if (entry.type == EntryType::kCommand) return out + " \"" + entry.data + "\"";
  const auto change = decode_conf_change(entry.data);
  if (!change) return out + " malformed";
  const char* const kinds[] = {"", "add-learner", "add-voter", "remove"};
  return out + " " + kinds[static_cast<size_t>(change->kind)] + " " +
         std::to_string(change->member.id);
}

std::string describe(const Message& m) {
  std::string out = std::to_string(m.from) + "->" + std::to_string(m.to) + " " +
                    std::string(to_string(m.type)) + " term " + std::to_string(m.term);
  if (m.index != 0 || m.log_term != 0) {
    out += " at " + std::to_string(m.log_term) + "/" + std::to_string(m.index);
  }
  if (m.commit != 0) out += " commit " + std::to_string(m.commit);
  if (m.reject) out += " reject hint " + std::to_string(m.reject_hint);
  if (m.force) out += " force";
  if (m.context != 0) out += " context " + std::to_string(m.context);
  for (const Entry& entry : m.entries) out += " [" + describe(entry) + "]";
  if (m.snapshot) out += " snapshot at " + std::to_string(m.snapshot->meta.index);
  return out;
}

}  // namespace

void Script::say_result(const Status& status) {
  say(status ? "ok" : std::string(to_string(status.error().code)) + ": " + status.error().message);
}

void Script::add_node(RaftId id, const std::vector<Member>& members) {
  Node& node = nodes_[id];
  node = Node{};
  node.rng = std::make_unique<SeededRng>(id);
  if (!members.empty()) {
    node.disk.hard_state = {1, 0, 1};
    node.disk.snapshot = {1, 1, members};
    node.disk.offset = node.disk.offset_term = node.disk.applied = 1;
  }
  node.core = std::move(*Core::create({.id = id}, node.disk, *node.rng, now_));
  pump(id);
}

// Everything durable at once; messages go on the way.
void Script::pump(RaftId id) {
  Node& node = nodes_.at(id);
  while (true) {
    Effects effects = node.core->take_effects();
    if (effects.empty()) return;
    if (effects.soft_state) {
      const SoftState& soft = *effects.soft_state;
      say(std::to_string(id) + " is " + std::string(to_string(soft.role)) + ", leader " +
          std::to_string(soft.leader) + ", term " + std::to_string(soft.term));
    }
    persist(node, effects);
    for (auto& message : effects.early_messages) wire_.push_back(std::move(message));
    for (auto& message : effects.messages) wire_.push_back(std::move(message));
    for (const Entry& entry : effects.committed) {
      say(std::to_string(id) + " applies " + describe(entry));
      if (entry.type == EntryType::kCommand) node.state += entry.data;
      node.disk.applied = entry.index;
    }
    for (const ReadState& read : effects.reads) {
      say(std::to_string(id) + " may answer read " + std::to_string(read.context) + " at " +
          std::to_string(read.index));
    }
    for (const RaftId to : effects.snapshot_requests) {
      auto snapshot = std::make_shared<Snapshot>();
      const Index at = node.core->log().applied();
      snapshot->meta = {at, *node.core->log().term(at), node.core->configuration().list()};
      snapshot->data = node.state;
      node.core->provide_snapshot(to, snapshot, now_);
    }
  }
}

void Script::persist(Node& node, const Effects& effects) {
  if (effects.persist_seq == 0) return;
  InitialState& disk = node.disk;
  disk.hard_state = *effects.hard_state;
  if (effects.snapshot) {
    disk.snapshot = effects.snapshot->meta;
    disk.offset = disk.applied = disk.snapshot.index;
    disk.offset_term = disk.snapshot.term;
    disk.entries.clear();
    node.state = effects.snapshot->data;
    say("installed the snapshot at " + std::to_string(disk.offset));
  }
  if (!effects.entries.empty()) {
    disk.entries.resize(effects.entries.front().index - disk.offset - 1);
    disk.entries.insert(disk.entries.end(), effects.entries.begin(), effects.entries.end());
  }
  node.core->persisted(effects.persist_seq, now_);
}

void Script::deliver() {
  for (Message& message : std::exchange(wire_, {})) {
    const bool lost = cut_.contains({message.from, message.to}) || !nodes_.contains(message.to);
    say(describe(message) + (lost ? " LOST" : ""));
    if (lost) continue;
    const RaftId to = message.to;
    nodes_.at(to).core->receive(std::move(message), now_);
    pump(to);
  }
}

void Script::advance(int64_t milliseconds) {
  const Instant end = now_ + std::chrono::milliseconds(milliseconds);
  while (now_ < end) {
    now_ = now_ + std::chrono::milliseconds(10);
    for (auto& [id, node] : nodes_) {
      if (now_ < node.core->next_deadline()) continue;
      node.core->tick(now_);
      pump(id);
    }
  }
}

void Script::print_log(const Node& node) {
  const Log& log = node.core->log();
  say("first " + std::to_string(log.first_index()) + " last " + std::to_string(log.last_index()) +
      " commit " + std::to_string(log.committed()));
  for (Index i = log.first_index(); i <= log.last_index(); ++i) say("  " + describe(log.at(i)));
}

void Script::print_status() {
  for (const auto& [id, node] : nodes_) {
    std::string line = std::to_string(id) + " " + std::string(to_string(node.core->role())) +
                       " term " + std::to_string(node.core->term()) + " vote " +
                       std::to_string(node.core->vote()) + " commit " +
                       std::to_string(node.core->log().committed());
    for (const auto& [peer, progress] : node.core->progress()) {
      const char* const states[] = {"probe", "replicate", "snapshot"};
      line += "; " + std::to_string(peer) + ": match " + std::to_string(progress.match) + " next " +
              std::to_string(progress.next) + " " + states[static_cast<size_t>(progress.state)];
    }
    say(line);
  }
}

std::string Script::run(const std::string& line) {
  out_.clear();
  std::istringstream in(line);
  std::string verb;
  RaftId id = 0;
  in >> verb >> id;
  if (verb == "nodes") {
    nodes_.clear();
    wire_.clear();
    std::vector<Member> members;
    for (RaftId i = 1; i <= id; ++i) members.push_back({i, "n" + std::to_string(i), false});
    for (RaftId i = 1; i <= id; ++i) add_node(i, members);
    return out_;
  }
  if (verb == "learner") return add_node(id, {}), out_;
  if (verb == "advance") return advance(static_cast<int64_t>(id)), out_;
  if (verb == "deliver") return deliver(), out_;
  if (verb == "drop") return wire_.clear(), out_;
  if (verb == "heal") return cut_.clear(), out_;
  if (verb == "status") return print_status(), out_;
  if (verb == "stabilize") {
    while (!wire_.empty()) deliver();
    return out_;
  }
  if (!nodes_.contains(id)) return "no such command or node: " + line + "\n";
  Node& node = nodes_.at(id);
  uint64_t number = 0;
  std::string word;
  if (verb == "campaign") {
    node.core->campaign(now_);
  } else if (verb == "propose") {
    in >> word;
    const auto position = node.core->propose(word, now_);
    say_result(position ? ok_status() : Status(position.error()));
  } else if (verb == "conf") {
    in >> word >> number;
    ConfChange change{ConfChangeKind::kRemove, {number, "n" + std::to_string(number), false}};
    if (word == "add-learner") change.kind = ConfChangeKind::kAddLearner;
    if (word == "add-voter") change.kind = ConfChangeKind::kAddVoter;
    const auto position = node.core->propose_conf_change(change, now_);
    say_result(position ? ok_status() : Status(position.error()));
  } else if (verb == "read") {
    in >> number;
    say_result(node.core->read_index(number, now_));
  } else if (verb == "transfer") {
    in >> number;
    say_result(node.core->transfer(number, now_));
  } else if (verb == "cut") {
    in >> number;
    cut_.insert({id, number});
    cut_.insert({number, id});
  } else if (verb == "compact") {
    in >> number;
    node.core->compact(number);
    InitialState& disk = node.disk;
    disk.snapshot = {disk.applied, *node.core->log().term(disk.applied),
                     node.core->configuration().list()};
    disk.offset_term = *node.core->log().term(number);
    disk.entries.erase(disk.entries.begin(),
                       disk.entries.begin() + static_cast<ptrdiff_t>(number - disk.offset));
    disk.offset = number;
  } else if (verb == "restart") {
    node.core = std::move(*Core::create({.id = id}, node.disk, *node.rng, now_));
  } else if (verb == "log") {
    print_log(node);
  } else {
    return "no such command: " + line + "\n";
  }
  pump(id);
  return out_;
}

}  // namespace shoal::raft
