#include "tests/sim/raft/node.h"

#include "manager/wire/store_wire.h"
#include "tests/sim/raft/cluster.h"

namespace shoal::sim {

using raft::Driver;
using raft::Index;
using raft::Member;
using raft::Message;
using raft::MessageType;
using raft::RaftId;
using raft::Term;

namespace {

// Many times what a whole life needs; beyond it every answer begets another.
constexpr uint64_t kMaxMessages = 300'000;
constexpr Duration kSlow = std::chrono::milliseconds(350);
// The whole store is compared at every one of these indexes, and at every snapshot.
constexpr Index kCompareEvery = 32;

}  // namespace

std::string address(RaftId id) { return "n" + std::to_string(id); }

class Node::LogStore final : public raft::LogStore {
 public:
  explicit LogStore(Node& node) : node_(node), inner_(node.disk_, node.cluster_.time_, node.rng_) {}

  Result<Loaded> load() override {
    node_.step();
    if (node_.damaged_) return data_loss("a bit of the fake disk is wrong");
    return inner_.load();
  }
  Result<std::shared_ptr<const raft::SnapshotData>> load_snapshot() override {
    node_.step();
    return inner_.load_snapshot();
  }
  void write_out(raft::SnapshotMeta meta, std::unique_ptr<raft::SnapshotSource> source,
                 bool with_data, SnapshotCallback done) override {
    node_.step();
    // Now and then it takes long.
    node_.later(
        [this, meta = std::move(meta), with_data, done = std::move(done),
         source = std::make_shared<std::unique_ptr<raft::SnapshotSource>>(std::move(source))] {
          inner_.write_out(
              meta, std::move(*source), with_data,
              [&node = node_, done](const auto& result) { node.enter([&] { done(result); }); });
        });
  }
  void save(Batch batch, std::function<void(Status)> done) override {
    node_.step();
    node_.cluster_.safety_.saves(node_.id_, batch);
    inner_.save(std::move(batch), [&node = node_, done = std::move(done)](const Status& status) {
      node.enter([&] { done(status); });
    });
    node_.step();
  }

 private:
  Node& node_;
  fakes::FakeLogStore inner_;
};

Node::Node(Cluster& cluster, RaftId id)
    : cluster_(cluster), id_(id), rng_(cluster.rng_.next()), clock_(cluster.time_) {}

Node::~Node() = default;

void Node::start(bool first) {
  if (up() || damaged_) return;
  ++life_;
  known_commit_ = 0;
  timer_ = std::make_unique<OwnTimer>(cluster_.time_, clock_,
                                      [this](const auto& callback) { enter(callback); });
  log_ = std::make_unique<LogStore>(*this);
  machine_ = std::make_unique<Machine>(tables_, *this);
  const Status opened = machine_->open();
  if (!opened) {
    return cluster_.violate("the tables of node " + std::to_string(id_) +
                            " do not load: " + opened.error().message);
  }
  driver_ = std::make_unique<Driver>(cluster_.config(id_), *log_, *this, *machine_, clock_, *timer_,
                                     rng_, *this);
  enter([&] {
    const Status status = first ? driver_->bootstrap({id_, address(id_), false}) : driver_->start();
    if (!status) {
      cluster_.violate("node " + std::to_string(id_) +
                       " does not start: " + status.error().message);
    }
  });
}

void Node::crash() {
  if (!up()) return;
  ++cluster_.totals_.crashes;
  cluster_.note("node " + std::to_string(id_) + " is down");
  crash_in_ = 0;
  entered_ = true;  // what is told now is not the beginning of anything
  // What waits for an answer hears that the node stops, as clients see a broken connection.
  driver_.reset();
  entered_ = false;
  machine_.reset();
  log_.reset();
  timer_.reset();
  guests_.clear();
  tables_.crash(rng_);
}

void Node::damage() {
  crash();
  damaged_ = true;
}

void Node::step() {
  if (crash_in_ == 0 || --crash_in_ != 0) return;
  ++cluster_.totals_.step_crashes;
  throw PowerLoss{};
}

void Node::stepped() {
  const raft::Core* const core = this->core();
  if (core == nullptr) {
    known_commit_ = 0;
  } else {
    cluster_.safety_.stepped(id_, *core, known_commit_, disk_.state);
  }
}

void Node::applied(Index index, Term term, std::string_view command,
                   const manager::Outcome& outcome, const manager::Store& store) {
  cluster_.safety_.applies(id_, index, term, command, outcome, disk_.state);
  if (index % kCompareEvery == 0) {
    cluster_.safety_.holds(id_, index, manager::wire::encode_snapshot(store.objects()));
  }
}

void Node::made_snapshot(Index index, std::string_view data) {
  step();
  cluster_.safety_.holds(id_, index, data);
}

void Node::later(std::function<void()> work) {
  const Duration delay = std::chrono::milliseconds(rng_.below(4) == 0 ? rng_.below(2000) : 0);
  cluster_.time_.after(delay, [this, life = life_, work = std::move(work)] {
    if (up() && life_ == life) enter(work);
  });
}

void Node::flush_later() {
  cluster_.time_.after(std::chrono::milliseconds(100), [this, life = life_] {
    if (up() && life_ == life) enter([this] { driver_->flush(); });
  });
}

void Node::restored(Index index, std::string_view data) {
  ++cluster_.totals_.snapshots_installed;
  cluster_.safety_.holds(id_, index, data);
  step();
}

void Node::set_members(const std::vector<Member>& members) {
  step();
  peers_.clear();
  for (const Member& member : members) peers_.insert(member.id);
}

void Node::on_members(const std::vector<Member>& members) {
  step();
  cluster_.members_told(*this, members);
}

void Node::on_leader_change(RaftId leader, Term term, bool is_self) {
  cluster_.note("node " + std::to_string(id_) + " follows " + std::to_string(leader) + " in term " +
                std::to_string(term));
  const raft::Core* const core = this->core();
  if (leader == 0 && core == nullptr && driver_) ++cluster_.totals_.storage_failures;
  if (is_self && core != nullptr) {
    ++cluster_.totals_.leaders;
    cluster_.safety_.leads(id_, *core, disk_.state);
  }
}

void Node::send(RaftId to, Message message) {
  step();
  Network& network = cluster_.network_;
  SeededRng& rng = cluster_.rng_;
  if (!(peers_.contains(to) || guests_.contains(to)) || to == id_ || to > cluster_.nodes_.size())
    return;
  cluster_.safety_.sends(id_, message, disk_.state);
  if (++cluster_.totals_.messages > kMaxMessages) {
    return cluster_.violate("the members flood each other with messages");
  }
  const bool lost = network.cut.contains({id_, to}) || rng.below(100) < network.loss_percent ||
                    (network.mute_appends && message.type == MessageType::kAppend);
  Duration delay = network.draw_delay(rng, message.type);
  if (to == network.slow_to) delay += kSlow;
  cluster_.note_message(message, lost, delay);
  if (message.type == MessageType::kSnapshot) {
    // The sender knows when the transfer ends; it fails when the receiver restarts meanwhile.
    cluster_.time_.after(delay,
                         [this, to, lost, life = life_, its_life = cluster_.nodes_[to - 1]->life_] {
                           const Node& receiver = *cluster_.nodes_[to - 1];
                           const bool whole = !lost && receiver.up() && receiver.life_ == its_life;
                           if (!up() || life_ != life) return;
                           enter([&] { driver_->report_snapshot(to, whole); });
                         });
  }
  if (lost) return;
  const int copies = rng.below(100) < network.duplicate_percent ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const Duration late = i == 0 ? delay : network.draw_delay(rng, message.type);
    cluster_.time_.after(
        late, [&cluster = cluster_, to, message] { cluster.nodes_[to - 1]->deliver(message); });
  }
}

void Node::deliver(const Message& message) {
  if (!up()) return;
  guests_.insert(message.from);
  enter([&] { driver_->receive(message); });
}

}  // namespace shoal::sim
