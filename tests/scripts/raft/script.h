// Script: plays a group of cores by commands, for the golden files beside it.
//
// Saves are durable at once; messages wait until they are delivered. Commands:
//   nodes N                       voters 1..N, empty logs behind a snapshot at index 1, term 1
//   learner ID                    a node that the members do not know yet
//   campaign ID | advance MS      an election now; time passes, all nodes tick when due
//   propose ID TEXT | read ID CONTEXT | transfer ID TO
//   conf ID add-learner|add-voter|remove MEMBER
//   deliver                       what is on the way now, once
//   stabilize                     until nothing is on the way
//   drop                          what is on the way is lost
//   cut A B | heal                both directions between A and B
//   compact ID INDEX | restart ID
//   status | log ID
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "raft/core/core.h"

namespace shoal::raft {

class Script {
 public:
  // The output of one command line.
  std::string run(const std::string& line);

 private:
  struct Node {
    std::unique_ptr<Core> core;
    std::unique_ptr<SeededRng> rng;
    InitialState disk;
    std::string state;  // what was applied, as the snapshot's data
  };

  void add_node(RaftId id, const std::vector<Member>& members);
  void pump(RaftId id);
  void persist(Node& node, const Effects& effects);
  void deliver();
  void print_log(const Node& node);
  void print_status();
  void advance(int64_t milliseconds);
  void say(const std::string& text) { out_ += text + "\n"; }
  void say_result(const Status& status);

  Instant now_{0};
  std::map<RaftId, Node> nodes_;
  std::vector<Message> wire_;
  std::set<std::pair<RaftId, RaftId>> cut_;
  std::string out_;
};

}  // namespace shoal::raft
