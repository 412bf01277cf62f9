// Environment: the nodes of a script and the messages between them, played by directives.
//
// A block is a directive line, further lines (directives too, but for propose-conf-change, whose
// lines are the changes), and its answer; the directives are listed in README.md. There is no
// thread and no clock: a node's time moves when it is told to tick. Whatever is asked, the answer
// is a text; every bound below has one.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/scripts/raft/node.h"
#include "tests/scripts/raft/parse.h"

namespace shoal::raft::script {

inline constexpr size_t kMaxNodes = kMaxMembers;
inline constexpr size_t kMaxLineBytes = 2U << 20;     // more than the largest proposal
inline constexpr size_t kMaxBlockBytes = 8U << 20;    // a block in memory
inline constexpr size_t kMaxMessages = 100'000;       // on the way; newer ones are lost
inline constexpr size_t kMaxOutputBytes = 16U << 20;  // of one block
inline constexpr size_t kMaxRounds = 10'000;          // of one stabilize
inline constexpr uint64_t kMaxNumber = 1ULL << 40;    // an index; ids are smaller still

class Environment {
 public:
  // The answer to a block, given without its "----"; ends with a line end.
  std::string run(const std::string& block);

 private:
  using Arguments = std::vector<Argument>;

  Status play(const std::string& line);
  Status dispatch(const Directive& directive);
  Status dispatch_more(const Directive& directive);
  Status add_nodes(const Arguments& arguments);
  Status configure(const Argument& argument, NodeConfig& config, Snapshot& initial);
  Status propose(const Arguments& arguments);
  Status propose_conf_change(const Directive& directive, const std::vector<std::string>& lines);
  Status deliver(const Arguments& arguments);
  Status process(const Arguments& arguments, const std::string& title,
                 const std::function<std::string(Node&)>& work);
  Status stabilize(const Arguments& arguments);
  Status stabilize(const std::vector<RaftId>& ids);
  Status tick(const Arguments& arguments, bool election);
  Status transfer(const Arguments& arguments);
  Status send_snapshot(const Arguments& arguments);
  Status compact(const Arguments& arguments);
  Status set_election_timeout(const Arguments& arguments);
  Status set_log_level(const std::string& name);
  Status raft_log(const Node& node);
  void status(const Node& node);
  void raft_state();

  Result<Node*> node(const Arguments& arguments, size_t place);
  Result<std::vector<RaftId>> ids(const Arguments& arguments) const;
  // Delivers, or drops, what is on the way to `id`; how many there were.
  size_t deliver_to(RaftId id, const std::string& type, bool drop);
  bool has_parcels(RaftId id) const;
  std::string ready(Node& node);
  std::string append_thread(Node& node);
  std::string apply_thread(Node& node);
  void put(std::vector<Parcel> parcels);
  void say(const std::string& text);
  void say_under(const std::string& title, const std::string& text);
  bool quiet() const { return level_ == 5; }

  std::vector<std::unique_ptr<Node>> nodes_;  // by id - 1
  std::deque<Parcel> wire_;
  std::string out_;
  size_t level_ = 0;  // in "debug info warn error fatal none"
};

}  // namespace shoal::raft::script
