#include "tests/sim/raft/cluster.h"

namespace shoal::sim {

using raft::Driver;
using raft::Index;
using raft::Member;
using raft::Message;
using raft::MessageType;
using raft::RaftId;
using raft::Term;

// Many times what a whole life needs; beyond it every answer begets another.
constexpr uint64_t kMaxMessages = 1'000'000;

// Tells the cluster what is applied.
class Node::Machine final : public fakes::FakeStateMachine {
 public:
  Machine(fakes::FakeTables& tables, Cluster& cluster, RaftId id)
      : FakeStateMachine(tables), cluster_(cluster), id_(id) {}

  Result<std::string> apply(Index index, Term term, std::string_view command) override {
    cluster_.applied(id_, index, term, command);
    return FakeStateMachine::apply(index, term, command);
  }

  Status restore(Index index, const std::shared_ptr<const raft::SnapshotData>& data) override {
    ++cluster_.totals_.snapshots_installed;
    return FakeStateMachine::restore(index, data);
  }

 private:
  Cluster& cluster_;
  const RaftId id_;
};

Node::Node(Cluster& cluster, RaftId id)
    : cluster_(cluster), id_(id), rng_(cluster.rng_.next()), clock_(cluster.time_) {}

Node::~Node() = default;

void Node::start(bool first) {
  timer_ = std::make_unique<fakes::VirtualTimer>(cluster_.time_);
  store_ = std::make_unique<fakes::FakeLogStore>(disk_, cluster_.time_, rng_);
  machine_ = std::make_unique<Machine>(tables_, cluster_, id_);
  driver_ = std::make_unique<Driver>(cluster_.config(id_), *store_, *this, *machine_, clock_,
                                     *timer_, rng_, *this);
  const Status status =
      first ? driver_->bootstrap({id_, "n" + std::to_string(id_), false}) : driver_->start();
  if (!status) {
    cluster_.violate("node " + std::to_string(id_) + " does not start: " + status.error().message);
  }
}

void Node::crash() {
  ++cluster_.totals_.crashes;
  // What waits for an answer hears that the node stops, as clients see a broken connection.
  driver_.reset();
  machine_.reset();
  store_.reset();
  timer_.reset();
  guests_.clear();
  tables_.crash(rng_);
}

bool Node::has(const std::string& command) const {
  for (const auto& [index, text] : tables_.commands) {
    if (text == command) return true;
  }
  return false;
}

void Node::set_members(const std::vector<Member>& members) {
  peers_.clear();
  for (const Member& member : members) peers_.insert(member.id);
}

void Node::on_leader_change(RaftId leader, Term term, bool is_self) {
  cluster_.note("node " + std::to_string(id_) + " follows " + std::to_string(leader) + " in term " +
                std::to_string(term));
  if (leader == 0 && term == 0 && driver_ && !driver_->status().error.empty()) {
    ++cluster_.totals_.storage_failures;
  }
  if (!is_self) return;
  ++cluster_.totals_.leaders;
  const auto [known, first] = cluster_.leaders_.emplace(term, id_);
  if (!first && known->second != id_) {
    cluster_.violate("two leaders in term " + std::to_string(term) + ": " +
                     std::to_string(known->second) + " and " + std::to_string(id_));
  }
}

void Node::send(RaftId to, Message message) {
  Network& network = cluster_.network_;
  SeededRng& rng = cluster_.rng_;
  if (!(peers_.contains(to) || guests_.contains(to)) || to == id_ || to > cluster_.nodes_.size())
    return;
  if (++cluster_.messages_sent_ > kMaxMessages) {
    return cluster_.violate("the members flood each other with messages");
  }
  const bool lost = network.cut.contains({id_, to}) || rng.below(100) < network.loss_percent ||
                    (network.mute_appends && message.type == MessageType::kAppend);
  const auto delay = [&] {
    return Duration(
        static_cast<int64_t>(rng.below(static_cast<uint64_t>(network.max_delay.count())) + 1));
  };
  if (message.type == MessageType::kSnapshot) {
    cluster_.time_.after(delay(), [this, to, lost] {
      if (driver_) driver_->report_snapshot(to, !lost);
    });
  }
  if (lost) return;
  const int copies = rng.below(100) < network.duplicate_percent ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    cluster_.time_.after(delay(), [&cluster = cluster_, to, message] {
      Node& receiver = *cluster.nodes_[to - 1];
      if (!receiver.up()) return;
      receiver.guests_.insert(message.from);
      receiver.driver().receive(message);
    });
  }
}

}  // namespace shoal::sim
